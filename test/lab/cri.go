//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// criClient asks containerd what the kubelet would ask it.
type criClient struct {
	conn    *grpc.ClientConn
	images  cri.ImageServiceClient
	runtime cri.RuntimeServiceClient
}

// startTimeout is how long containerd may take until it answers.
const startTimeout = 30 * time.Second

func dialCRI(socket string) (*criClient, error) {
	conn, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		return nil, fmt.Errorf("dial containerd: %w", err)
	}
	return &criClient{conn: conn, images: cri.NewImageServiceClient(conn), runtime: cri.NewRuntimeServiceClient(conn)}, nil
}

// waitReady asks until containerd answers with its version, or has ended.
func (c *criClient) waitReady(ctx context.Context, ended <-chan struct{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		version, err := c.runtime.Version(ctx, &cri.VersionRequest{})
		if err == nil {
			return version.RuntimeVersion, nil
		}
		select {
		case <-ended:
			return "", errors.New("containerd ended before it answered")
		case <-ctx.Done():
			return "", fmt.Errorf("containerd does not answer: %w", err)
		case <-again.C:
			c.conn.ResetConnectBackoff()
		}
	}
}

// pull pulls an image for a pod, as the kubelet does.
func (c *criClient) pull(ctx context.Context, pod Pod, image string, auth *cri.AuthConfig) error {
	_, err := c.images.PullImage(ctx, &cri.PullImageRequest{
		Image:         &cri.ImageSpec{Image: image, UserSpecifiedImage: image},
		Auth:          auth,
		SandboxConfig: sandboxConfig(pod),
	})
	return err
}

// runSandbox starts a pod's sandbox, for which containerd pulls the pause image.
func (c *criClient) runSandbox(ctx context.Context, pod Pod) error {
	_, err := c.runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: sandboxConfig(pod)})
	return err
}

// sandboxConfig describes a pod on the node's own network, for which no CNI
// plugin is needed.
func sandboxConfig(pod Pod) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: pod.Name, Namespace: pod.Namespace, Uid: pod.UID},
		Labels: map[string]string{
			"io.kubernetes.pod.name":      pod.Name,
			"io.kubernetes.pod.namespace": pod.Namespace,
			"io.kubernetes.pod.uid":       pod.UID,
		},
		Linux: &cri.LinuxPodSandboxConfig{
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE},
			},
		},
	}
}
