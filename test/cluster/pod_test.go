//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
)

// checkPod looks at what the agent may do: as the API server has it, and as the kernel does.
// Where the manifests are for Kubernetes of any version, what is mounted inside of a folder that
// is mounted read-only, such as the file systems of containers, is as it is.
func checkPod(t *testing.T, pod core.Pod, anyVersion bool) {
	t.Helper()
	want := &core.SecurityContext{
		RunAsUser: new(int64(0)), RunAsGroup: new(int64(0)), Privileged: new(false),
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}},
	}
	if diff := cmp.Diff(want, pod.Spec.Containers[0].SecurityContext); diff != "" {
		t.Errorf("the container's security context (-want +got):\n%s", diff)
	}
	process := agentProcess(t)
	status, err := os.ReadFile(filepath.Join(process, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "NoNewPrivs:\t1", "Seccomp:\t2",
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
	} {
		if !bytes.Contains(status, []byte("\n"+line+"\n")) {
			t.Errorf("the agent's process has no line %q in\n%s", line, status)
		}
	}
	mounts, err := os.ReadFile(filepath.Join(process, "mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	var writable []string
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line) // id, parent, device, root, where, options
		where, options := fields[4], fields[5]
		isFile := where == "/" || strings.HasPrefix(where, "/host/") || where == stateDir
		if anyVersion && strings.HasPrefix(where, "/host/run/containerd/") {
			continue
		}
		if isFile && !strings.HasPrefix(options, "ro") {
			writable = append(writable, where)
		}
	}
	if diff := cmp.Diff([]string{stateDir}, writable); diff != "" {
		t.Errorf("of its files the agent can change (-want +got):\n%s", diff)
	}
}

// agentProcess is the folder of the only agent that runs in a container, below /proc.
func agentProcess(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		args, err := os.ReadFile(file)
		if err == nil && string(args) == "/pullcause\x00run\x00--config=/etc/pullcause/config/config.yaml\x00" {
			found = append(found, filepath.Dir(file))
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d processes of agents, want 1: %v", len(found), found)
	}
	return found[0]
}

// checkEndpoints asks for what everybody on the network may see, and for what the documents
// say that people look at through kubectl.
func (c *cluster) checkEndpoints(t *testing.T, pod core.Pod) {
	t.Helper()
	public := "http://" + net.JoinHostPort(pod.Status.PodIP, "9808")
	c.get(t, public+"/readyz")
	if metrics := c.get(t, public+"/metrics"); !bytes.Contains(metrics, []byte(`pullcause_pull_failures_total{cause="manifest_not_found",registry="registry.lab.test"}`)) {
		t.Errorf("the metrics do not count the failed pulls:\n%s", metrics)
	}
	ctx, cancel := context.WithCancel(t.Context())
	forward := exec.CommandContext(ctx, c.kubectlPath, "--kubeconfig="+c.node.Cluster.Kubeconfig,
		"--namespace="+namespace, "port-forward", "pod/"+pod.Name, "19809:9809")
	var out bytes.Buffer
	forward.Stdout, forward.Stderr = &out, &out
	ended := make(chan error, 1)
	go func() { ended <- c.node.Command(forward) }()
	defer func() {
		cancel()
		<-ended
	}()
	const debug = "127.0.0.1:19809"
	until(t, 30*time.Second, "kubectl port-forward", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("kubectl port-forward: %v\n%s", err, &out)
		default:
		}
		conn, err := c.node.Dial(t.Context(), "tcp", debug)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	var incidents struct{ Open []struct{ Ref string } }
	answer := c.get(t, "http://"+debug+"/debug/incidents")
	if err := json.Unmarshal(answer, &incidents); err != nil || !slices.Contains(incidents.Open, struct{ Ref string }{shopImage}) {
		t.Errorf("the debug endpoint shows no open incident of %s (%v):\n%s", shopImage, err, answer)
	}
}

// get asks an HTTP server on the node's network, which is to say 200.
func (c *cluster) get(t *testing.T, url string) []byte {
	t.Helper()
	transport := &http.Transport{DialContext: c.node.Dial}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, response.Status, err, body)
	}
	return body
}
