package critest

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"pullcause/cri"
)

// ChainID is that of each image that [Info] tells about.
const ChainID = "sha256:0"

// Info is what containerd says beside an image of a platform (v2.4
// internal/cri/server/images/image_status.go verboseImageInfo, shortened).
func Info(p cri.Platform) string {
	text, err := json.Marshal(map[string]any{"chainID": ChainID, "imageSpec": p})
	if err != nil {
		panic(err) // strings alone
	}
	return string(text)
}

type runtimeService struct {
	runtimeapi.UnimplementedRuntimeServiceServer
	s *Server
}

// Version implements CRI.
func (r runtimeService) Version(context.Context, *runtimeapi.VersionRequest) (*runtimeapi.VersionResponse, error) {
	v := r.s.config().Version
	return &runtimeapi.VersionResponse{Version: "0.1.0", RuntimeName: v.Name, RuntimeVersion: v.Version, RuntimeApiVersion: "v1"}, nil
}

// ListPodSandbox implements CRI.
func (r runtimeService) ListPodSandbox(_ context.Context, req *runtimeapi.ListPodSandboxRequest) (*runtimeapi.ListPodSandboxResponse, error) {
	answer := &runtimeapi.ListPodSandboxResponse{}
	for i, sandbox := range r.s.config().Sandboxes {
		state := runtimeapi.PodSandboxState_SANDBOX_READY
		if sandbox.Name == "" {
			state = runtimeapi.PodSandboxState_SANDBOX_NOTREADY
		}
		if want := req.GetFilter().GetState(); want != nil && want.GetState() != state {
			continue
		}
		answer.Items = append(answer.Items, &runtimeapi.PodSandbox{
			Id: sandboxID(i), State: state, CreatedAt: sandbox.Created.UnixNano(),
			Metadata: &runtimeapi.PodSandboxMetadata{Namespace: sandbox.Namespace, Name: sandbox.Name, Uid: sandbox.UID},
		})
	}
	return answer, nil
}

// ListContainers implements CRI.
func (r runtimeService) ListContainers(context.Context, *runtimeapi.ListContainersRequest) (*runtimeapi.ListContainersResponse, error) {
	answer := &runtimeapi.ListContainersResponse{}
	for i, sandbox := range r.s.config().Sandboxes {
		for range sandbox.Containers {
			answer.Containers = append(answer.Containers, &runtimeapi.Container{PodSandboxId: sandboxID(i)})
		}
	}
	return answer, nil
}

func sandboxID(i int) string { return "sandbox" + strconv.Itoa(i) }

type imageService struct {
	runtimeapi.UnimplementedImageServiceServer
	s *Server
}

func toAPI(i cri.Image) *runtimeapi.Image {
	return &runtimeapi.Image{Id: i.ID, RepoTags: i.Tags, RepoDigests: i.Digests, Size: i.Size, Pinned: i.Pinned}
}

// ListImages implements CRI.
func (i imageService) ListImages(context.Context, *runtimeapi.ListImagesRequest) (*runtimeapi.ListImagesResponse, error) {
	images := i.s.config().Images
	answer := &runtimeapi.ListImagesResponse{Images: make([]*runtimeapi.Image, 0, len(images))}
	for _, image := range images {
		answer.Images = append(answer.Images, toAPI(image))
	}
	return answer, nil
}

// ImageStatus implements CRI.
func (i imageService) ImageStatus(_ context.Context, req *runtimeapi.ImageStatusRequest) (*runtimeapi.ImageStatusResponse, error) {
	ref, cfg := req.GetImage().GetImage(), i.s.config()
	for _, image := range cfg.Images {
		if image.ID != ref && !slices.Contains(image.Tags, ref) && !slices.Contains(image.Digests, ref) {
			continue
		}
		answer := &runtimeapi.ImageStatusResponse{Image: toAPI(image)}
		if req.GetVerbose() {
			answer.Info = map[string]string{"info": cfg.Info[image.ID]}
		}
		return answer, nil
	}
	return &runtimeapi.ImageStatusResponse{}, nil
}

// ImageFsInfo implements CRI.
func (i imageService) ImageFsInfo(context.Context, *runtimeapi.ImageFsInfoRequest) (*runtimeapi.ImageFsInfoResponse, error) {
	fs := i.s.config().Filesystem
	if fs == (cri.Filesystem{}) {
		return &runtimeapi.ImageFsInfoResponse{}, nil
	}
	return &runtimeapi.ImageFsInfoResponse{ImageFilesystems: []*runtimeapi.FilesystemUsage{{
		FsId:      &runtimeapi.FilesystemIdentifier{Mountpoint: fs.Mountpoint},
		UsedBytes: &runtimeapi.UInt64Value{Value: fs.UsedBytes}, InodesUsed: &runtimeapi.UInt64Value{Value: fs.UsedInodes},
	}}}, nil
}

type contentService struct {
	contentapi.UnimplementedContentServer
	s *Server
}

// find returns a blob by its digest.
func (c contentService) find(digest string) (Blob, error) {
	blobs := c.s.config().Blobs
	i := slices.IndexFunc(blobs, func(b Blob) bool { return b.Info.GetDigest() == digest })
	if i < 0 {
		return Blob{}, status.Error(codes.NotFound, "content "+digest+": not found")
	}
	return blobs[i], nil
}

// Info implements containerd's content service.
func (c contentService) Info(_ context.Context, req *contentapi.InfoRequest) (*contentapi.InfoResponse, error) {
	b, err := c.find(req.GetDigest())
	if err != nil {
		return nil, err
	}
	return &contentapi.InfoResponse{Info: b.Info}, nil
}

// List implements containerd's content service, but lists all whatever the filters say.
func (c contentService) List(_ *contentapi.ListContentRequest, stream contentapi.Content_ListServer) error {
	for _, b := range c.s.config().Blobs {
		if err := stream.Send(&contentapi.ListContentResponse{Info: []*contentapi.Info{b.Info}}); err != nil {
			return err
		}
	}
	return nil
}

// Read implements containerd's content service; a blob without data is not found.
func (c contentService) Read(req *contentapi.ReadContentRequest, stream contentapi.Content_ReadServer) error {
	b, err := c.find(req.GetDigest())
	if err != nil {
		return err
	}
	if b.Data == nil {
		return status.Error(codes.NotFound, "content "+req.GetDigest()+": not found")
	}
	offset := req.GetOffset()
	for part := range slices.Chunk(b.Data, 1<<20) {
		if err := stream.Send(&contentapi.ReadContentResponse{Offset: offset, Data: part}); err != nil {
			return err
		}
		offset += int64(len(part))
	}
	return nil
}

// ListStatuses implements containerd's content service.
func (c contentService) ListStatuses(context.Context, *contentapi.ListStatusesRequest) (*contentapi.ListStatusesResponse, error) {
	return &contentapi.ListStatusesResponse{Statuses: c.s.config().Ingests}, nil
}

type eventsService struct {
	eventsapi.UnimplementedEventsServer
	s *Server
}

// Subscribe implements containerd's events service.
func (e eventsService) Subscribe(_ *eventsapi.SubscribeRequest, stream eventsapi.Events_SubscribeServer) error {
	topics := make(chan string, 1000)
	e.s.mu.Lock()
	e.s.subscribers[topics] = true
	e.s.mu.Unlock()
	defer func() {
		e.s.mu.Lock()
		defer e.s.mu.Unlock()
		delete(e.s.subscribers, topics)
	}()
	for e.s.config().Flood {
		if err := stream.Send(&types.Envelope{Namespace: "k8s.io", Topic: "/images/update"}); err != nil {
			return err
		}
	}
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case topic := <-topics:
			if err := stream.Send(&types.Envelope{Namespace: "k8s.io", Topic: topic}); err != nil {
				return err
			}
		}
	}
}

type snapshotsService struct {
	snapshotsapi.UnimplementedSnapshotsServer
	s *Server
}

// Stat implements containerd's snapshots service.
func (n snapshotsService) Stat(_ context.Context, req *snapshotsapi.StatSnapshotRequest) (*snapshotsapi.StatSnapshotResponse, error) {
	cfg := n.s.config()
	for _, p := range cfg.Plugins {
		if p.GetType() != "io.containerd.snapshotter.v1" {
			continue
		}
		if p.GetID() == req.GetSnapshotter() && slices.Contains(cfg.Snapshots, req.GetKey()) {
			return &snapshotsapi.StatSnapshotResponse{Info: &snapshotsapi.Info{Name: req.GetKey()}}, nil
		}
		break
	}
	return nil, status.Errorf(codes.NotFound, "snapshot %s does not exist: not found", req.GetKey())
}

type introspectionService struct {
	introspectionapi.UnimplementedIntrospectionServer
	s *Server
}

// Server implements containerd's introspection service.
func (i introspectionService) Server(context.Context, *emptypb.Empty) (*introspectionapi.ServerResponse, error) {
	return &introspectionapi.ServerResponse{Pid: i.s.config().PID}, nil
}

// Plugins implements containerd's introspection service.
func (i introspectionService) Plugins(context.Context, *introspectionapi.PluginsRequest) (*introspectionapi.PluginsResponse, error) {
	return &introspectionapi.PluginsResponse{Plugins: i.s.config().Plugins}, nil
}
