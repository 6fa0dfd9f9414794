package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pullcause/agent"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The lines that containerd v2.4.2 and kubelet v1.37.2 write about one failed
// pull (internal/cri/instrument/instrumented_service.go,
// core/remotes/docker/resolver.go; cri-client pkg/remote_image.go,
// pkg/kubelet/kuberuntime, pkg/kubelet/pod_workers.go).
const (
	containerdLines = `time="2026-11-24T10:00:00.000000000Z" level=info msg="PullImage \"registry.example.com/team/app:%[1]s\""
time="2026-11-24T10:00:00.100000000Z" level=info msg="fetch failed after status: 403 Forbidden" host=registry.example.com method=HEAD url="https://registry.example.com/v2/team/app/manifests/%[1]s"
time="2026-11-24T10:00:00.200000000Z" level=error msg="PullImage \"registry.example.com/team/app:%[1]s\" failed" error="failed to pull and unpack image \"registry.example.com/team/app:%[1]s\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[1]s: 403 Forbidden\ndenied: token=hunter2hunter2 is not allowed"
`
	kubeletLines = `E1124 10:00:00.201000   21023 remote_image.go:334] "PullImage from image service failed" err=<
	failed to pull and unpack image "registry.example.com/team/app:%[1]s": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[1]s: 403 Forbidden
	denied: token=hunter2hunter2 is not allowed
 > image="registry.example.com/team/app:%[1]s"
E1124 10:00:00.202000   21023 kuberuntime_manager.go:1854] "Unhandled Error" err=<
	container app start failed in pod web-0_shop(0d2a6b0e-43a3-4f0e-9b43-1b1f0ac3c6f1): ErrImagePull: failed to pull and unpack image "registry.example.com/team/app:%[1]s": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[1]s: 403 Forbidden
	denied: token=hunter2hunter2 is not allowed
 > logger="UnhandledError"
E1124 10:00:00.203000   21023 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"failed to pull and unpack image \\\"registry.example.com/team/app:%[1]s\\\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[1]s: 403 Forbidden\\ndenied: token=hunter2hunter2 is not allowed\"" pod="shop/web-0" podUID="0d2a6b0e-43a3-4f0e-9b43-1b1f0ac3c6f1"
`
)

// node is a machine with two logs, and a receiver that an agent on it sends to.
type node struct {
	t          *testing.T
	receiver   *otlptest.Receiver
	cfg        agent.Config
	containerd string
	kubelet    string
}

func newNode(t *testing.T) *node {
	t.Helper()
	receiver, err := otlptest.ListenHTTP(otlptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	n := &node{
		t: t, receiver: receiver, cfg: agent.Default(),
		containerd: filepath.Join(dir, "containerd.log"), kubelet: filepath.Join(dir, "kubelet.log"),
	}
	n.cfg.Sources.Auto = false
	n.cfg.CRI.Socket = "off" // this machine may have a runtime
	n.cfg.Sources.Lookback = agent.Lookback{All: true}
	n.cfg.Sources.Files = []agent.SourceFile{{Path: n.containerd}, {Program: "kubelet", Path: n.kubelet}}
	n.cfg.Sources.Poll = agent.Duration(20 * time.Millisecond)
	n.cfg.Pulls.JoinWindow = agent.Duration(300 * time.Millisecond)
	n.cfg.Delivery.StateDir = filepath.Join(dir, "state")
	n.cfg.OTLP.Logs.Endpoint = receiver.URL()
	n.cfg.Server.Listen, n.cfg.Server.Debug.Listen = "127.0.0.1:0", "127.0.0.1:0"
	n.cfg.Resource.NodeName = "node-a"
	return n
}

func (n *node) write(path, text string) {
	n.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		n.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		n.t.Fatal(err)
	}
}

// run starts an agent and returns it and how to stop it, which must go well.
func (n *node) run() (*agent.Agent, func()) {
	n.t.Helper()
	a, stop := n.start()
	return a, func() {
		n.t.Helper()
		if err := stop(); err != nil {
			n.t.Errorf("run: %v", err)
		}
	}
}

// start starts an agent and returns it and how to stop it.
func (n *node) start() (*agent.Agent, func() error) {
	n.t.Helper()
	a, err := agent.New(n.t.Context(), n.cfg, agent.Deps{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard, Version: "test"})
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return a, func() error {
		cancel()
		return <-ended
	}
}

// wait returns the records once there are n of them.
func (n *node) wait(count int) []otlptest.Record {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	records, err := n.receiver.Wait(ctx, count)
	if err != nil {
		n.t.Fatal(err)
	}
	return records
}

func TestOneFailedPullIsOneRecord(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	defer stop()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "v1"))
	records := n.wait(1)
	r := records[0]
	got := map[string]any{"event": r.Name, "severity": r.Severity}
	for _, key := range []string{
		export.ErrorTypeKey, export.HTTPStatusKey, export.ServerAddressKey, export.HTTPMethodKey, export.ImageRefKey,
		export.NamespaceKey, export.PodNameKey, export.ContainerNameKey, export.PodAttributionKey, export.SourceKey,
		export.HostsKey,
	} {
		got[key] = r.Attributes[key]
	}
	want := map[string]any{
		"event": export.EventFailed, "severity": "ERROR",
		export.ErrorTypeKey: "forbidden", export.HTTPStatusKey: int64(403),
		export.ServerAddressKey: "registry.example.com", export.HTTPMethodKey: "HEAD",
		export.ImageRefKey:  "registry.example.com/team/app:v1",
		export.NamespaceKey: "shop", export.PodNameKey: "web-0", export.ContainerNameKey: "app",
		export.PodAttributionKey: "kubelet", export.SourceKey: "containerd",
		export.HostsKey: `[{"host":"registry.example.com","role":"origin","method":"HEAD","url":"https://registry.example.com/v2/team/app/manifests/v1","status":403,"error":"403 Forbidden"}]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if text := fmt.Sprint(r); strings.Contains(text, "hunter2") {
		t.Errorf("the record holds a credential: %s", text)
	}
}

// A stopped agent goes on where it was: nothing twice, nothing missing.
func TestRestart(t *testing.T) {
	n := newNode(t)
	for i := range 5 {
		_, stop := n.run()
		n.write(n.containerd, fmt.Sprintf(containerdLines, fmt.Sprint("v", i)))
		n.write(n.kubelet, fmt.Sprintf(kubeletLines, fmt.Sprint("v", i)))
		n.wait(i + 1)
		stop()
	}
	seen := map[any]int{}
	for _, r := range n.receiver.Records() {
		seen[r.Attributes[export.ImageRefKey]]++
	}
	for image, times := range seen {
		if len(seen) != 5 || times != 1 {
			t.Errorf("got %s %d times and %d images, want 5 images once each", image, times, len(seen))
		}
	}
}

// The agent may stop between what the runtime and what the kubelet say about
// one attempt: it stays one.
func TestRestartInTheMiddleOfAnAttempt(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	uid := n.wait(1)[0].Attributes[export.LogRecordUIDKey]
	stop()
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "v1"))
	_, stop = n.run()
	n.wait(2)
	stop()
	records := n.receiver.Records()
	for _, r := range records {
		if got := r.Attributes[export.LogRecordUIDKey]; got != uid {
			t.Errorf("got the uid %v, want %v", got, uid)
		}
	}
	if pod := records[len(records)-1].Attributes[export.PodNameKey]; pod != "web-0" {
		t.Errorf("got pod %v, want web-0", pod)
	}
}

// What the receiver did not take before the agent stopped is read again, and
// keeps its uid.
func TestRestartWhileTheReceiverIsAway(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	uid := n.wait(1)[0].Attributes[export.LogRecordUIDKey]
	stop()

	if err := os.RemoveAll(n.cfg.Delivery.StateDir); err != nil {
		t.Fatal(err)
	}
	_, stop = n.run()
	records := n.wait(2)
	stop()
	if again := records[1].Attributes[export.LogRecordUIDKey]; again != uid {
		t.Errorf("a replay has the uid %v, want %v", again, uid)
	}
}

func TestEndpoints(t *testing.T) {
	n := newNode(t)
	a, stop := n.run()
	defer stop()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.wait(1)
	for url, want := range map[string]string{
		"http://" + a.PublicAddr() + "/healthz":        "ok",
		"http://" + a.PublicAddr() + "/readyz":         "ok",
		"http://" + a.PublicAddr() + "/metrics":        `pullcause_pull_failures_total{cause="forbidden",registry="registry.example.com"} 1`,
		"http://" + a.DebugAddr() + "/debug/incidents": `"forbidden"`,
		"http://" + a.DebugAddr() + "/debug/attempts":  `"registry.example.com/team/app:v1"`,
		"http://" + a.DebugAddr() + "/debug/sources":   `"reading"`,
		"http://" + a.DebugAddr() + "/debug/node":      `"node-a"`,
		"http://" + a.DebugAddr() + "/debug/delivery":  `"acknowledged"`,
		"http://" + a.DebugAddr() + "/debug/config":    `"join_window"`,
		"http://" + a.DebugAddr() + "/":                "registry.example.com/team/app:v1",
	} {
		// The receiver has a record before the agent has read its answer.
		got, end := get(t, url), time.Now().Add(20*time.Second)
		for !strings.Contains(got, want) && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
			got = get(t, url)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s does not hold %s:\n%.2000s", url, want, got)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	return string(text)
}
