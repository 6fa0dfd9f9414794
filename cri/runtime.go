package cri

import (
	"context"
	"slices"
	"strings"
	"time"

	introspection "github.com/containerd/containerd/api/services/introspection/v1"
	snapshots "github.com/containerd/containerd/api/services/snapshots/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Version names the runtime: "containerd", "v2.4.2".
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Version asks for name and version.
func (c *Client) Version(ctx context.Context) (Version, error) {
	answer, err := call[runtimeapi.VersionResponse](ctx, c, methodVersion, &runtimeapi.VersionRequest{})
	if err != nil {
		return Version{}, err
	}
	return Version{Name: clip(answer.GetRuntimeName(), maxVersion), Version: clip(answer.GetRuntimeVersion(), maxVersion)}, nil
}

// Sandbox is the sandbox of a pod.
type Sandbox struct {
	Namespace, Name, UID string
	Created              time.Time
	// Containers is how many there are in it, in any state.
	Containers int
}

// ReadySandboxes lists the sandboxes that are up. Of lists that are too long, cut
// elements are left out.
func (c *Client) ReadySandboxes(ctx context.Context) (sandboxes []Sandbox, cut int, err error) {
	var ids []string
	cut, err = list(ctx, c, methodSandboxes, &runtimeapi.ListPodSandboxRequest{
		Filter: &runtimeapi.PodSandboxFilter{State: &runtimeapi.PodSandboxStateValue{State: runtimeapi.PodSandboxState_SANDBOX_READY}},
	}, maxSandboxes, func(s *runtimeapi.PodSandbox) {
		pod := s.GetMetadata()
		ids = append(ids, clip(s.GetId(), maxID))
		sandboxes = append(sandboxes, Sandbox{
			Namespace: clip(pod.GetNamespace(), maxPodName), Name: clip(pod.GetName(), maxPodName), UID: clip(pod.GetUid(), maxID),
			Created: time.Unix(0, s.GetCreatedAt()),
		})
	})
	if err != nil {
		return nil, 0, err
	}
	containers := make(map[string]int)
	beyond, err := list(ctx, c, methodContainers, &runtimeapi.ListContainersRequest{}, maxContainers, func(one *runtimeapi.Container) {
		containers[clip(one.GetPodSandboxId(), maxID)]++
	})
	if err != nil {
		return nil, 0, err
	}
	for i, id := range ids {
		sandboxes[i].Containers = containers[id]
	}
	return sandboxes, cut + beyond, nil
}

// Server is a process of containerd.
type Server struct {
	PID uint64 // 0 before containerd 1.7.3
	// FailedPlugins are those that could not be started, as TYPE.ID: why.
	FailedPlugins []string
	// Snapshotters are those that could.
	Snapshotters []string
}

// typeSnapshotter is that of the plugins that keep unpacked layers (containerd v1.6 to
// v2.4 plugins/types.go SnapshotPlugin).
const typeSnapshotter = "io.containerd.snapshotter.v1"

// Server asks containerd about itself.
func (c *Client) Server(ctx context.Context) (Server, error) {
	ctx = withNamespace(ctx)
	answer, err := call[introspection.ServerResponse](ctx, c, methodServer, &emptypb.Empty{})
	if err != nil {
		return Server{}, err
	}
	s := Server{PID: answer.GetPid()}
	_, err = list(ctx, c, methodPlugins, &introspection.PluginsRequest{}, maxStored, func(p *introspection.Plugin) {
		why := p.GetInitErr().GetMessage()
		switch {
		case why == "" && p.GetType() == typeSnapshotter && len(p.GetID()) <= maxPluginName && len(s.Snapshotters) < maxSnapshotters:
			s.Snapshotters = append(s.Snapshotters, p.GetID())
		case why != "" && !strings.Contains(why, "skip plugin") && len(s.FailedPlugins) < maxPlugins:
			s.FailedPlugins = append(s.FailedPlugins, clip(p.GetType()+"."+p.GetID()+": "+why, maxError))
		}
	})
	if err != nil {
		return s, err
	}
	slices.Sort(s.FailedPlugins)
	return s, nil
}

// maxSnapshotters bounds those that are asked for one snapshot; nodes have one or two.
const maxSnapshotters = 8

// HasSnapshot reports whether some snapshotter has a snapshot, so that a container can be
// started from it.
func (c *Client) HasSnapshot(ctx context.Context, snapshotters []string, key string) (bool, error) {
	for _, name := range snapshotters {
		_, err := call[snapshots.StatSnapshotResponse](withNamespace(ctx), c, methodSnapshot, &snapshots.StatSnapshotRequest{Snapshotter: name, Key: key})
		if status.Code(err) == codes.NotFound {
			continue
		}
		return err == nil, err
	}
	return false, nil
}
