package enrich_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pullcause/agent/attempt"
	"pullcause/agent/enrich"
	"pullcause/cri"
	"pullcause/cri/critest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The methods whose calls are counted.
const (
	listImages  = "/runtime.v1.ImageService/ListImages"
	imageStatus = "/runtime.v1.ImageService/ImageStatus"
	listPods    = "/runtime.v1.RuntimeService/ListPodSandbox"
)

// An amd64 node has one of these images for each case.
var (
	nginx  = cri.Image{ID: "sha256:1", Tags: []string{"docker.io/library/nginx:1"}, Size: 10}
	redis  = cri.Image{ID: "sha256:2", Tags: []string{"docker.io/library/redis:7"}, Size: 20}
	forArm = cri.Image{ID: "sha256:3", Tags: []string{"docker.io/library/arm:1"}, Size: 30}
	for386 = cri.Image{ID: "sha256:4", Tags: []string{"docker.io/library/old:1"}, Size: 40}
	info   = map[string]string{
		nginx.ID:  critest.Info(cri.Platform{OS: "linux", Arch: "amd64"}),
		forArm.ID: critest.Info(cri.Platform{OS: "linux", Arch: "arm64", Variant: "v8"}),
		for386.ID: critest.Info(cri.Platform{OS: "linux", Arch: "386"}),
	}
)

// containerd is a runtime with some images.
func containerd(images ...cri.Image) critest.Config {
	return critest.Config{
		Version: cri.Version{Name: "containerd", Version: "v2.4.2"}, PID: 4711,
		Images: images, Info: info,
		Filesystem: cri.Filesystem{Mountpoint: "/", UsedBytes: 5, UsedInodes: 6},
	}
}

func serve(t *testing.T, socket string, cfg critest.Config) *critest.Server {
	t.Helper()
	s, err := critest.Start(socket, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func socket(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "s")
}

// told is what an enricher told.
type told struct {
	mu      sync.Mutex
	reports []enrich.Report
	unfit   []attempt.Attempt
	gone    []time.Time
	cut     []string
}

func (w *told) all() (reports []enrich.Report, unfit []attempt.Attempt, gone []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reports), slices.Clone(w.unfit), slices.Clone(w.gone)
}

// enricher runs one of an amd64 node until stop is called, or the test ends.
func enricher(t *testing.T, change func(*enrich.Config)) (_ *enrich.Enricher, _ *told, stop func()) {
	t.Helper()
	w := &told{}
	cfg := enrich.Config{
		HostRoot: "/", Node: "node-a", OS: "linux", Arch: "amd64", Socket: enrich.Auto, Containerd: enrich.Auto,
		Timeout: 10 * time.Second, StallAfter: time.Hour, SlowAfter: time.Hour,
		Begun:   func() []attempt.InFlight { return nil },
		Stalled: func(attempt.Attempt) {},
		Cut: func(what string, n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.cut = append(w.cut, fmt.Sprint(n, " ", what))
		},
		KubeletRead: func() bool { return false },
		Unfit: func(a attempt.Attempt, _ enrich.Facts) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.unfit = append(w.unfit, a)
		},
		RuntimeGone: func(since time.Time) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.gone = append(w.gone, since)
		},
		Cached: func(r enrich.Report) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reports = append(w.reports, r)
		},
		Log: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	e := enrich.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		e.Close()
	})
	t.Cleanup(stop)
	return e, w, stop
}

// at has an enricher ask the runtime at a socket.
func at(socket string) func(*enrich.Config) {
	return func(cfg *enrich.Config) { cfg.Socket = socket }
}

// until waits until something holds; generously, since what is waited for may take
// seconds and the machine be busy.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// has reports whether exactly these images are known.
func has(e *enrich.Enricher, want ...cri.Image) bool {
	all := e.Images()
	if all.AsOf.IsZero() || len(all.Images) != len(want) {
		return false
	}
	for _, image := range want {
		if !slices.ContainsFunc(all.Images, func(i cri.Image) bool { return i.ID == image.ID }) {
			return false
		}
	}
	return true
}
