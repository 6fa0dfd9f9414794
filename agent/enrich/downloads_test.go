package enrich

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"pullcause/cri"
	"pullcause/cri/critest"
)

// connect has a node ask a containerd.
func connect(t *testing.T, n *node, cfg critest.Config) *critest.Server {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	cfg.Version = cri.Version{Name: "containerd", Version: "v2.4.2"}
	s, err := critest.Start(socket, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := cri.Dial(cri.Config{Socket: socket, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	n.client, n.runtime.State, n.runtime.Name = c, RuntimeConnected, "containerd"
	return s
}

// stored is a blob of a repository of r.test; a manifest if it has layers.
func stored(repository, digest string, after time.Duration, layers ...string) critest.Blob {
	b := critest.Blob{Info: &contentapi.Info{
		Digest: digest, Size: 1, CreatedAt: timestamppb.New(noon.Add(after)),
		Labels: map[string]string{"containerd.io/distribution.source.r.test": repository},
	}, Data: []byte("x")}
	if len(layers) == 0 {
		return b
	}
	var list []string
	for _, l := range layers {
		list = append(list, fmt.Sprintf(`{"digest":%q,"size":10}`, l))
	}
	b.Data = []byte(`{"layers":[` + strings.Join(list, ",") + `]}`)
	b.Info.Size = int64(len(b.Data))
	b.Info.Labels["containerd.io/gc.ref.content.config"] = "sha256:config"
	return b
}

// callsOf counts the calls of some methods since before.
func callsOf(s *critest.Server, before map[string]int) map[string]int {
	calls := make(map[string]int)
	for name, n := range s.Calls() {
		if d := n - before[name]; d > 0 {
			calls[name[strings.LastIndexByte(name, '/')+1:]] = d
		}
	}
	return calls
}

// A look at a hundred pulls costs as many calls as a look at one, whether their manifests
// are there or not, and whether they are reported as stalled or not.
func TestCallsOfOneLook(t *testing.T) {
	var blobs []critest.Blob
	for i := range 100 {
		layers := make([]string, 20)
		for k := range layers {
			layers[k] = fmt.Sprintf("sha256:%d-%d", i, k)
		}
		blobs = append(blobs, stored(fmt.Sprint("app", i), fmt.Sprint("sha256:m", i), time.Second, layers...))
	}
	for name, tt := range map[string]struct {
		blobs []critest.Blob
		reads []int // of manifests, look by look
	}{
		"no manifest is there": {nil, []int{0, 0, 0}},
		"manifests are there":  {blobs, []int{64, 36, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, nil)
			s := connect(t, n, critest.Config{Blobs: tt.blobs})
			for i := range 100 {
				n.begun = append(n.begun, inFlight(fmt.Sprint("u", i), fmt.Sprint("app", i)))
			}
			for look, reads := range tt.reads {
				before := s.Calls()
				n.progress.look(t.Context(), noon.Add(2*time.Minute+time.Duration(look)*5*time.Second))
				calls := callsOf(s, before)
				if calls["ListPodSandbox"] > 1 || calls["ListContainers"] > 1 || calls["ListStatuses"] != 1 || calls["List"] > 2 || calls["Read"] != reads {
					t.Errorf("look %d: got calls %v, want %d reads and one of each list, two of content", look, calls, reads)
				}
			}
			if len(n.told) < 100 {
				t.Errorf("%d of 100 were reported as stalled", len(n.told))
			}
		})
	}
}

// Which layers are there is seen although only some can be looked for at a time.
func TestLayersAreLookedForInTurn(t *testing.T) {
	const layers = 400
	var names []string
	blobs := []critest.Blob{{}}
	for k := range layers {
		names = append(names, fmt.Sprint("sha256:", k))
		blobs = append(blobs, stored("app", names[k], time.Second))
	}
	blobs[0] = stored("app", "sha256:m", time.Second, names...)
	n := newNode(t, nil)
	connect(t, n, critest.Config{Blobs: blobs, Ingests: []*contentapi.Status{{Ref: "layer-sha256:399", Offset: 5, Total: 10}}})
	n.begun = append(n.begun, inFlight("u", "app"))
	want := []int64{2565, 3995} // 256 of them, then all but the one on its way
	for look, bytes := range want {
		n.progress.look(t.Context(), noon.Add(time.Duration(5*look+5)*time.Second))
		if got := n.Pulls()[0]; got.Bytes != bytes || got.Size != 10*layers {
			t.Errorf("look %d: got %d of %d bytes, want %d", look, got.Bytes, got.Size, bytes)
		}
	}
	if got := n.Pulls()[0]; got.Phase != PhaseDownloading {
		t.Errorf("got phase %s", got.Phase)
	}
}

// What is held of manifests is bounded, whatever the runtime has, and goes with the pulls.
func TestManifestsAreBounded(t *testing.T) {
	names := make([]string, 500)
	for k := range names {
		names[k] = fmt.Sprintf("sha256:%0180d", k)
	}
	var blobs []critest.Blob
	n := newNode(t, nil)
	for i := range 40 {
		blobs = append(blobs, stored(fmt.Sprint("app", i), fmt.Sprint("sha256:m", i), time.Second, names...))
		n.begun = append(n.begun, inFlight(fmt.Sprint("u", i), fmt.Sprint("app", i)))
	}
	connect(t, n, critest.Config{Blobs: blobs})
	for look := range 3 {
		n.progress.look(t.Context(), noon.Add(time.Duration(5*look+5)*time.Second))
	}
	held := 0
	for _, m := range n.progress.manifests {
		held += sizeOf(m)
	}
	if held > maxManifestText+200<<10 || held == 0 {
		t.Errorf("%d manifests of %d bytes are held, want at most %d", len(n.progress.manifests), held, maxManifestText)
	}
	n.begun = nil
	n.progress.look(t.Context(), noon.Add(time.Minute))
	if len(n.progress.manifests) > 0 {
		t.Errorf("%d manifests are held without a pull", len(n.progress.manifests))
	}
}
