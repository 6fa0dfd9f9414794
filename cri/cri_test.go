package cri_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	introspection "github.com/containerd/containerd/api/services/introspection/v1"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"pullcause/cri"
	"pullcause/cri/critest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server and returns it and a client of it.
func start(t *testing.T, cfg critest.Config) (*critest.Server, *cri.Client) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	s, err := critest.Start(socket, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, dial(t, socket, 20*time.Second)
}

func dial(t *testing.T, socket string, timeout time.Duration) *cri.Client {
	t.Helper()
	c, err := cri.Dial(cri.Config{Socket: socket, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// feature returns one by its name.
func feature(t *testing.T, c *cri.Client, name string) cri.Feature {
	t.Helper()
	all := c.Features()
	i := slices.IndexFunc(all, func(f cri.Feature) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("there is no feature %q", name)
	}
	return all[i]
}

// questions are all that can be asked, by the feature that they are of.
var questions = map[string]func(context.Context, *cri.Client) error{
	"version": func(ctx context.Context, c *cri.Client) error { _, err := c.Version(ctx); return err },
	"images":  func(ctx context.Context, c *cri.Client) error { _, _, err := c.Images(ctx); return err },
	"image_status": func(ctx context.Context, c *cri.Client) error {
		_, err := c.ImageStatus(ctx, "docker.io/library/nginx:1")
		return err
	},
	"image_filesystem": func(ctx context.Context, c *cri.Client) error { _, _, err := c.ImageFilesystem(ctx); return err },
	"sandboxes":        func(ctx context.Context, c *cri.Client) error { _, _, err := c.ReadySandboxes(ctx); return err },
	"events":           func(ctx context.Context, c *cri.Client) error { return c.WatchImages(ctx, func() {}) },
	"ingests":          func(ctx context.Context, c *cri.Client) error { _, _, err := c.Ingests(ctx); return err },
	"snapshots": func(ctx context.Context, c *cri.Client) error {
		has, err := c.HasSnapshot(ctx, []string{"overlayfs"}, critest.ChainID)
		if err == nil && !has {
			err = errors.New("it has none")
		}
		return err
	},
	"server": func(ctx context.Context, c *cri.Client) error { _, err := c.Server(ctx); return err },
}

func TestAnswers(t *testing.T) {
	created := time.Date(2026, 11, 24, 10, 0, 0, 5, time.UTC).Local()
	nginx := cri.Image{
		ID: "sha256:1", Tags: []string{"docker.io/library/nginx:1"}, Digests: []string{"docker.io/library/nginx@sha256:2"},
		Size: 70_000_000, Pinned: true,
	}
	web := cri.Sandbox{Namespace: "shop", Name: "web-0", UID: "0d2a", Created: created, Containers: 2}
	fs := cri.Filesystem{Mountpoint: "/var/lib/containerd", UsedBytes: 5, UsedInodes: 6}
	_, c := start(t, critest.Config{
		Version: cri.Version{Name: "containerd", Version: "v2.4.2"},
		Images:  []cri.Image{nginx, {ID: "sha256:bare"}},
		Info: map[string]string{
			"sha256:1":    critest.Info(cri.Platform{OS: "linux", Arch: "arm64", Variant: "v8"}),
			"sha256:bare": "not JSON",
		},
		Sandboxes:  []cri.Sandbox{web, {UID: "not ready"}, {Namespace: "shop", Name: "empty", Created: created}},
		Filesystem: fs,
		PID:        4711,
		Plugins: []*introspection.Plugin{
			{Type: "io.containerd.snapshotter.v1", ID: "zfs", InitErr: &rpcstatus.Status{Message: "no zfs: skip plugin"}},
			{Type: "io.containerd.grpc.v1", ID: "cri", InitErr: &rpcstatus.Status{Message: "invalid plugin config: " + strings.Repeat("ü", 1000)}},
			{Type: "io.containerd.grpc.v1", ID: "content"},
			{Type: "io.containerd.snapshotter.v1", ID: "overlayfs"},
		},
	})
	ctx := t.Context()
	check := func(what string, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	version, err := c.Version(ctx)
	check("version", cri.Version{Name: "containerd", Version: "v2.4.2"}, version, err)
	images, _, err := c.Images(ctx)
	check("images", []cri.Image{nginx, {ID: "sha256:bare"}}, images, err)
	sandboxes, _, err := c.ReadySandboxes(ctx)
	check("sandboxes", []cri.Sandbox{web, {Namespace: "shop", Name: "empty", Created: created}}, sandboxes, err)
	filesystem, ok, err := c.ImageFilesystem(ctx)
	check("filesystem", []any{fs, true}, []any{filesystem, ok}, err)
	server, err := c.Server(ctx)
	check("pid", uint64(4711), server.PID, err)
	check("snapshotters", []string{"overlayfs"}, server.Snapshotters, err)
	if len(server.FailedPlugins) != 1 || len(server.FailedPlugins[0]) > 500 ||
		!strings.HasPrefix(server.FailedPlugins[0], "io.containerd.grpc.v1.cri: invalid plugin config: ü") {
		t.Errorf("failed plugins: got %q", server.FailedPlugins)
	}
	arm := cri.ImageStatus{ID: "sha256:1", Platform: cri.Platform{OS: "linux", Arch: "arm64", Variant: "v8"}, ChainID: critest.ChainID}
	for ref, want := range map[string]cri.ImageStatus{
		"docker.io/library/nginx:1":        arm,
		"docker.io/library/nginx@sha256:2": arm,
		"sha256:bare":                      {ID: "sha256:bare"}, // on the node, and the runtime does not say
		"docker.io/library/absent:1":       {},
	} {
		got, err := c.ImageStatus(ctx, ref)
		check("status of "+ref, want, got, err)
	}
	for _, f := range c.Features() {
		if untried := f.Name == "events" || f.Name == "ingests" || f.Name == "snapshots"; !untried && f.State != cri.StateOK || f.Costs == "" {
			t.Errorf("feature %+v, want it ok", f)
		}
	}
}

func TestNoFilesystem(t *testing.T) {
	_, c := start(t, critest.Config{})
	if fs, ok, err := c.ImageFilesystem(t.Context()); ok || err != nil {
		t.Errorf("got %+v, %v, %v of a runtime that knows none", fs, ok, err)
	}
}

// Each feature fails by itself, in a state that says why.
func TestRefusals(t *testing.T) {
	tests := []struct {
		code      codes.Code
		want      string
		askedOnce bool
	}{
		{codes.Unimplemented, cri.StateUnimplemented, true},
		{codes.PermissionDenied, cri.StateDenied, false},
		{codes.Unauthenticated, cri.StateDenied, false},
		{codes.Unavailable, cri.StateUnavailable, false},
		{codes.Internal, cri.StateFailing, false},
		{codes.NotFound, cri.StateOK, false},
	}
	for _, tt := range tests {
		t.Run(tt.code.String(), func(t *testing.T) {
			_, c := start(t, critest.Config{Refuse: map[string]codes.Code{critest.Every: tt.code}})
			for name, ask := range questions {
				for range 3 {
					if err := ask(t.Context(), c); err == nil {
						t.Errorf("%s was answered", name)
					}
				}
				f := feature(t, c, name)
				calls := int64(3)
				if tt.askedOnce {
					calls = 1
				}
				if f.State != tt.want || f.Calls != calls {
					t.Errorf("%s: got state %s after %d calls, want %s after %d", name, f.State, f.Calls, tt.want, calls)
				}
				if failed := tt.want != cri.StateOK; failed && (!strings.Contains(f.Error, "refused for the test") || f.Since.IsZero()) {
					t.Errorf("%s does not say why or since when: %+v", name, f)
				}
			}
		})
	}
}

// What is missing of one feature costs no other.
func TestOneRefusal(t *testing.T) {
	_, c := start(t, critest.Config{Refuse: map[string]codes.Code{"/runtime.v1.ImageService/ImageFsInfo": codes.Unimplemented}})
	if err := questions["image_filesystem"](t.Context(), c); err == nil {
		t.Error("the filesystem was told")
	}
	if err := questions["images"](t.Context(), c); err != nil {
		t.Error(err)
	}
	if f := feature(t, c, "images"); f.State != cri.StateOK {
		t.Errorf("images are %s", f.State)
	}
}

// What a runtime must not do ends a call with an error, and soon; the next call is
// answered again.
func TestMisbehaviour(t *testing.T) {
	large := []cri.Image{{ID: "sha256:1", Tags: []string{strings.Repeat("x", 17<<20)}}}
	tests := map[string]struct {
		cfg     critest.Config
		timeout time.Duration
	}{
		"bytes that are no protobuf": {critest.Config{Garbage: true}, 20 * time.Second},
		"17 MiB":                     {critest.Config{Images: large}, 20 * time.Second},
		"never an answer":            {critest.Config{Delay: time.Hour}, 100 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			s, err := critest.Start(socket, tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c := dial(t, socket, tt.timeout)
			began := time.Now()
			if images, _, err := c.Images(t.Context()); err == nil {
				t.Errorf("got %d images", len(images))
			}
			if took := time.Since(began); took > tt.timeout+5*time.Second {
				t.Errorf("the call took %s with a deadline of %s", took, tt.timeout)
			}
			if f := feature(t, c, "images"); f.State != cri.StateFailing || f.Error == "" {
				t.Errorf("got the state %+v, want failing", f)
			}
			s.Set(func(cfg *critest.Config) { *cfg = critest.Config{Images: []cri.Image{{ID: "sha256:1"}}} })
			until(t, func() bool { images, _, err := c.Images(t.Context()); return err == nil && len(images) == 1 })
			if f := feature(t, c, "images"); f.State != cri.StateOK || f.Error != "" {
				t.Errorf("got the state %+v, want ok", f)
			}
		})
	}
}

func TestSocketsThatAreNone(t *testing.T) {
	tests := map[string]struct {
		prepare func(path string) error
		instead *critest.Config // a server is there, but not of gRPC
		want    []string
		text    string
	}{
		"missing":    {func(string) error { return nil }, nil, []string{cri.StateUnavailable}, "no such file"},
		"plain file": {func(path string) error { return os.WriteFile(path, nil, 0o600) }, nil, []string{cri.StateUnavailable}, "connection refused"},
		"folder":     {func(path string) error { return os.Mkdir(path, 0o700) }, nil, []string{cri.StateUnavailable}, ""},
		"mute":       {nil, &critest.Config{Instead: critest.Mute}, []string{cri.StateUnavailable, cri.StateFailing}, ""},
		"noise":      {nil, &critest.Config{Instead: critest.Noise}, []string{cri.StateUnavailable, cri.StateFailing}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			if tt.instead != nil {
				s, err := critest.Start(socket, *tt.instead)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
			} else if err := tt.prepare(socket); err != nil {
				t.Fatal(err)
			}
			c := dial(t, socket, 300*time.Millisecond)
			if err := questions["version"](t.Context(), c); err == nil {
				t.Error("it was answered")
			}
			f := feature(t, c, "version")
			if !slices.Contains(tt.want, f.State) || !strings.Contains(f.Error, tt.text) {
				t.Errorf("got %+v, want state %v and %q", f, tt.want, tt.text)
			}
		})
	}
}

// deniedSocket tells the child process of TestDeniedSocket which one to ask.
const deniedSocket = "CRI_TEST_DENIED_SOCKET"

func TestDeniedSocket(t *testing.T) {
	if socket := os.Getenv(deniedSocket); socket != "" {
		c := dial(t, socket, 5*time.Second)
		if err := questions["version"](t.Context(), c); err == nil {
			t.Error("it was answered")
		}
		if f := feature(t, c, "version"); f.State != cri.StateDenied {
			t.Errorf("got %+v, want it denied", f)
		}
		return
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	s, err := critest.Start(socket, critest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, mode := range map[string]os.FileMode{socket: 0, dir: 0o755, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	// The mode does not count for root: a child asks as nobody. The program's own path
	// may be closed to that one.
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestDeniedSocket$")
	child.Env = append(os.Environ(), deniedSocket+"="+socket)
	if os.Getuid() == 0 {
		const nobody = 65534
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// until waits until something holds.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
