//go:build linux

package lab

import (
	"context"
	"fmt"

	images "github.com/containerd/containerd/api/services/images/v1"
	"google.golang.org/grpc/metadata"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Pull pulls an image as a kubelet does for a pod.
func (n *Node) Pull(ctx context.Context, image string) error {
	return n.cri.pull(ctx, Pod{Namespace: "shop", Name: "web-0", UID: uid(image)}, image, nil)
}

// RunSandbox starts the sandbox of a pod, as a kubelet does before it pulls.
func (n *Node) RunSandbox(ctx context.Context, pod Pod) error { return n.cri.runSandbox(ctx, pod) }

// Images lists the images as CRI tells them.
func (n *Node) Images(ctx context.Context) ([]*cri.Image, error) {
	answer, err := n.cri.images.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	return answer.GetImages(), nil
}

// ImageFilesystem is what CRI tells of the filesystem that images are kept on.
func (n *Node) ImageFilesystem(ctx context.Context) (*cri.FilesystemUsage, error) {
	answer, err := n.cri.images.ImageFsInfo(ctx, &cri.ImageFsInfoRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the image filesystem: %w", err)
	}
	if len(answer.GetImageFilesystems()) == 0 {
		return nil, fmt.Errorf("ask for the image filesystem: there is none")
	}
	return answer.GetImageFilesystems()[0], nil
}

// RemoveImage removes an image as a kubelet does that needs room.
func (n *Node) RemoveImage(ctx context.Context, image string) error {
	if _, err := n.cri.images.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: image}}); err != nil {
		return fmt.Errorf("remove image %s: %w", image, err)
	}
	return nil
}

// Tag gives an image another name, as "ctr -n k8s.io images tag --force" does.
func (n *Node) Tag(ctx context.Context, image, name string) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "containerd-namespace", "k8s.io")
	store := images.NewImagesClient(n.cri.conn)
	answer, err := store.Get(ctx, &images.GetImageRequest{Name: image})
	if err != nil {
		return fmt.Errorf("tag %s: %w", image, err)
	}
	tagged := answer.GetImage()
	tagged.Name = name
	store.Delete(ctx, &images.DeleteImageRequest{Name: name, Sync: true}) //nolint:errcheck // there may be none
	if _, err := store.Create(ctx, &images.CreateImageRequest{Image: tagged}); err != nil {
		return fmt.Errorf("tag %s: %w", image, err)
	}
	return nil
}

// Version is containerd's own, as CRI tells it; empty if it does not answer.
func (n *Node) Version(ctx context.Context) string {
	answer, err := n.cri.runtime.Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return ""
	}
	return answer.GetRuntimeVersion()
}

// Running reports whether a container of a pod runs.
func (n *Node) Running(ctx context.Context, pod Pod) bool {
	answer, err := n.cri.runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
		State:         &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING},
		LabelSelector: map[string]string{"io.kubernetes.pod.uid": pod.UID},
	}})
	return err == nil && len(answer.GetContainers()) > 0
}
