package enrich_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/agent/enrich"
	"pullcause/cri"
	"pullcause/cri/critest"
)

func TestFirstList(t *testing.T) {
	t.Parallel()
	path := socket(t)
	serve(t, path, containerd(nginx, redis))
	e, w, _ := enricher(t, at(path))
	until(t, "the report", func() bool { reports, _, _ := w.all(); return len(reports) > 0 })
	if !has(e, nginx, redis) {
		t.Errorf("got the images %+v", e.Images())
	}
	reports, _, _ := w.all()
	if r := reports[0]; r.Images != 2 || r.Bytes != 30 || r.Filesystem.UsedBytes != 5 || r.Filesystem.SizeBytes == 0 {
		t.Errorf("got the report %+v", r)
	}
	state := e.State(t.Context())
	r := state.Runtime
	if r.Name != "containerd" || r.Version != "v2.4.2" || r.PID != 4711 || r.State != enrich.RuntimeConnected || r.Connections != 1 ||
		r.Socket != path || r.Calls[listImages] == 0 || len(r.Features) == 0 || r.Since.IsZero() {
		t.Errorf("got the runtime %+v", r)
	}
}

// settled waits until nothing is listed any more unless something changes.
func settled(t *testing.T, s *critest.Server) {
	t.Helper()
	until(t, "the first two lists and a subscriber", func() bool { return s.Calls()[listImages] >= 2 && s.Publish("/snapshot/other") == 1 })
	until(t, "lists after that", func() bool {
		before := s.Calls()[listImages]
		time.Sleep(1500 * time.Millisecond)
		return s.Calls()[listImages] == before
	})
}

// listedWithin is how soon a change must be seen that the runtime told of.
const listedWithin = 2 * time.Second

func TestEventIsListed(t *testing.T) {
	t.Parallel()
	path := socket(t)
	s := serve(t, path, containerd(nginx))
	e, w, _ := enricher(t, at(path))
	settled(t, s)
	s.Set(func(cfg *critest.Config) { cfg.Images = []cri.Image{nginx, redis} })
	s.Publish("/images/create")
	began := time.Now()
	until(t, "the new image", func() bool { return has(e, nginx, redis) })
	if took := time.Since(began); took > listedWithin {
		t.Errorf("a new image was seen after %s", took)
	}
	if reports, _, _ := w.all(); len(reports) != 1 {
		t.Errorf("got %d reports of the cache, want one at the first list", len(reports))
	}
}

// A node on which images come all the time lists them all the same.
func TestEventsWithoutEnd(t *testing.T) {
	t.Parallel()
	path := socket(t)
	s := serve(t, path, containerd(nginx))
	e, _, _ := enricher(t, at(path))
	settled(t, s)
	s.Set(func(cfg *critest.Config) { cfg.Images = []cri.Image{nginx, redis} })
	began := time.Now()
	until(t, "the new image", func() bool { s.Publish("/images/update"); return has(e, nginx, redis) })
	if took := time.Since(began); took > listedWithin {
		t.Errorf("a new image was seen after %s", took)
	}
	before := s.Calls()[listImages]
	for range 100 {
		s.Publish("/images/update")
		time.Sleep(5 * time.Millisecond)
	}
	if lists := s.Calls()[listImages] - before; lists > 50 {
		t.Errorf("100 events made %d lists", lists)
	}
}

// Without events the images are listed, and /debug/node says what that costs.
func TestNoEvents(t *testing.T) {
	t.Parallel()
	path := socket(t)
	cfg := containerd(nginx)
	cfg.Refuse = map[string]codes.Code{"/containerd.services.events.v1.Events/Subscribe": codes.Unimplemented}
	s := serve(t, path, cfg)
	e, _, _ := enricher(t, at(path))
	until(t, "two lists", func() bool { return s.Calls()[listImages] >= 2 })
	features := e.State(t.Context()).Runtime.Features
	i := slices.IndexFunc(features, func(f cri.Feature) bool { return f.Name == "events" })
	if i < 0 || features[i].State != cri.StateUnimplemented || features[i].Costs == "" {
		t.Errorf("got %+v, want events unimplemented", features)
	}
	if !has(e, nginx) {
		t.Errorf("got the images %+v", e.Images())
	}
}

// A runtime that takes calls before it is ready to answer them is asked again.
func TestNotReadyYet(t *testing.T) {
	t.Parallel()
	path := socket(t)
	cfg := containerd(nginx)
	cfg.Refuse = map[string]codes.Code{critest.Every: codes.Unavailable}
	s := serve(t, path, cfg)
	e, w, _ := enricher(t, at(path))
	until(t, "two lists in vain", func() bool { return s.Calls()[listImages] >= 2 })
	s.Set(func(cfg *critest.Config) { cfg.Refuse = nil })
	until(t, "the image", func() bool { return has(e, nginx) })
	until(t, "the name of the runtime", func() bool { return e.Runtime().Name == "containerd" })
	until(t, "a subscriber", func() bool { return s.Publish("/images/update") == 1 })
	until(t, "the report", func() bool { reports, _, _ := w.all(); return len(reports) > 0 })
	if reports, _, _ := w.all(); len(reports) != 1 {
		t.Errorf("got %d reports of the cache, want 1", len(reports))
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	path := socket(t)
	s := serve(t, path, containerd(nginx))
	e, w, _ := enricher(t, at(path))
	until(t, "the first list", func() bool { return has(e, nginx) })
	until(t, "the report", func() bool { reports, _, _ := w.all(); return len(reports) > 0 }) // just after it
	s.Close()
	until(t, "the loss", func() bool { return e.Runtime().State == enrich.RuntimeUnavailable })
	s = serve(t, path, containerd(redis))
	until(t, "the other list", func() bool { return has(e, redis) })
	if r := e.Runtime(); r.State != enrich.RuntimeConnected || r.Connections != 2 {
		t.Errorf("got the runtime %+v", r)
	}
	if reports, _, gone := w.all(); len(reports) != 1 || len(gone) > 0 {
		t.Errorf("got %d reports of the cache, want 1; told to be gone: %v", len(reports), gone)
	}
	if removed := e.Images().Removed; len(removed) != 1 || removed[0].Name != nginx.Tags[0] {
		t.Errorf("got %v as removed, want nginx", removed)
	}
	closed := time.Now()
	s.Close()
	until(t, "that it is gone", func() bool { _, _, gone := w.all(); return len(gone) == 1 })
	if _, _, gone := w.all(); gone[0].Before(closed) || gone[0].After(time.Now().Add(-2*time.Second)) {
		t.Errorf("gone since %s, but it ended at %s", gone[0], closed)
	}
}

// What is removed while the agent is away is missed when it comes back.
func TestRemovedWhileAway(t *testing.T) {
	t.Parallel()
	path, dir := socket(t), t.TempDir()
	change := func(cfg *enrich.Config) { cfg.Socket, cfg.StateDir = path, dir }
	s := serve(t, path, containerd(nginx, redis))
	e, _, stop := enricher(t, change)
	until(t, "the first list", func() bool { return has(e, nginx, redis) })
	stop()
	s.Close()
	serve(t, path, containerd(nginx))
	for range 2 { // and it is known still after another restart
		e, _, stop := enricher(t, change)
		until(t, "the list", func() bool { return has(e, nginx) })
		_, facts := e.Facts(t.Context(), failed(redis))
		if c := facts.Cache; c == nil || c.Present || c.RemovedAt.IsZero() {
			t.Errorf("got the cache %+v, want redis removed", c)
		}
		_, facts = e.Facts(t.Context(), failed(nginx))
		if c := facts.Cache; c == nil || !c.Present || !c.RemovedAt.IsZero() {
			t.Errorf("got the cache %+v, want nginx present", c)
		}
		stop()
	}
}

// What cannot be used of the stored names costs the memory alone.
func TestBrokenMemory(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"garbage": "\x00{", "other version": `{"version":99}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, dir := socket(t), t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "images.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			serve(t, path, containerd(nginx))
			e, _, _ := enricher(t, func(cfg *enrich.Config) { cfg.Socket, cfg.StateDir = path, dir })
			until(t, "the list", func() bool { return has(e, nginx) })
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		socket string // setting
		files  []string
		serve  []string
		want   string // below the host's root
	}{
		"containerd before CRI-O": {enrich.Auto, nil, []string{"run/crio/crio.sock", "run/containerd/containerd.sock"}, "run/containerd/containerd.sock"},
		"k3s":                     {enrich.Auto, nil, []string{"run/k3s/containerd/containerd.sock"}, "run/k3s/containerd/containerd.sock"},
		"a file is no socket":     {enrich.Auto, []string{"run/containerd/containerd.sock"}, []string{"run/crio/crio.sock"}, "run/crio/crio.sock"},
		"by name":                 {"/opt/my.sock", nil, []string{"opt/my.sock", "run/crio/crio.sock"}, "opt/my.sock"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, path := range slices.Concat(tt.files, tt.serve) {
				if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range tt.files {
				if err := os.WriteFile(filepath.Join(root, path), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range tt.serve {
				serve(t, filepath.Join(root, path), containerd())
			}
			e, _, _ := enricher(t, func(cfg *enrich.Config) { cfg.HostRoot, cfg.Socket = root, tt.socket })
			until(t, "the connection", func() bool { return e.Runtime().State == enrich.RuntimeConnected })
			if got := e.Runtime().Socket; got != filepath.Join(root, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Without a runtime nothing is waited for.
func TestNoRuntime(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{enrich.Auto: enrich.RuntimeAbsent, enrich.Off: enrich.RuntimeOff, "/missing": enrich.RuntimeUnavailable} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			e, _, _ := enricher(t, func(cfg *enrich.Config) { cfg.HostRoot, cfg.Socket = root, setting })
			until(t, "the state", func() bool { return e.Runtime().State == want })
			a, facts := e.Facts(t.Context(), failed(nginx))
			if facts.Cache != nil || len(a.Pods) > 0 {
				t.Errorf("got %+v and %+v of nobody", a, facts)
			}
		})
	}
}
