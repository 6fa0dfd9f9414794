package cri

import (
	"context"
	"slices"
	"strings"
	"time"

	introspection "github.com/containerd/containerd/api/services/introspection/v1"
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
	return Version{Name: answer.GetRuntimeName(), Version: answer.GetRuntimeVersion()}, nil
}

// Sandbox is the sandbox of a pod.
type Sandbox struct {
	Namespace, Name, UID string
	Created              time.Time
	// Containers is how many there are in it, in any state.
	Containers int
}

// ReadySandboxes lists the sandboxes that are up.
func (c *Client) ReadySandboxes(ctx context.Context) ([]Sandbox, error) {
	answer, err := call[runtimeapi.ListPodSandboxResponse](ctx, c, methodSandboxes, &runtimeapi.ListPodSandboxRequest{
		Filter: &runtimeapi.PodSandboxFilter{State: &runtimeapi.PodSandboxStateValue{State: runtimeapi.PodSandboxState_SANDBOX_READY}},
	})
	if err != nil {
		return nil, err
	}
	in, err := call[runtimeapi.ListContainersResponse](ctx, c, methodContainers, &runtimeapi.ListContainersRequest{})
	if err != nil {
		return nil, err
	}
	containers := make(map[string]int)
	for _, one := range in.GetContainers() {
		containers[one.GetPodSandboxId()]++
	}
	sandboxes := make([]Sandbox, 0, len(answer.GetItems()))
	for _, s := range answer.GetItems() {
		sandboxes = append(sandboxes, Sandbox{
			Namespace: s.GetMetadata().GetNamespace(), Name: s.GetMetadata().GetName(), UID: s.GetMetadata().GetUid(),
			Created: time.Unix(0, s.GetCreatedAt()), Containers: containers[s.GetId()],
		})
	}
	return sandboxes, nil
}

// Server is a process of containerd.
type Server struct {
	PID uint64 // 0 before containerd 1.7.3
	// FailedPlugins are those that could not be started, as TYPE.ID: why.
	FailedPlugins []string
}

// Server asks containerd about itself.
func (c *Client) Server(ctx context.Context) (Server, error) {
	ctx = withNamespace(ctx)
	answer, err := call[introspection.ServerResponse](ctx, c, methodServer, &emptypb.Empty{})
	if err != nil {
		return Server{}, err
	}
	s := Server{PID: answer.GetPid()}
	plugins, err := call[introspection.PluginsResponse](ctx, c, methodPlugins, &introspection.PluginsRequest{})
	if err != nil {
		return s, err
	}
	for _, p := range plugins.GetPlugins() {
		why := p.GetInitErr().GetMessage()
		if why == "" || strings.Contains(why, "skip plugin") {
			continue
		}
		text := p.GetType() + "." + p.GetID() + ": " + why
		s.FailedPlugins = append(s.FailedPlugins, strings.ToValidUTF8(text[:min(len(text), maxError)], ""))
	}
	slices.Sort(s.FailedPlugins)
	return s, nil
}
