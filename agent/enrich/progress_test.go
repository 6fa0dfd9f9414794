package enrich

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/cri"
	"pullcause/cri/critest"
)

const mib = 1 << 20

// node is an enricher without a runtime, whose pulls are made by hand.
type node struct {
	*Enricher

	begun []attempt.InFlight
	told  []attempt.Attempt
}

func newNode(t *testing.T, files map[string]string) *node {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := &node{}
	n.Enricher = New(Config{
		HostRoot: root, Socket: Off, StallAfter: time.Minute, SlowAfter: 10 * time.Minute,
		Begun:   func() []attempt.InFlight { return n.begun },
		Stalled: func(a attempt.Attempt) { n.told = append(n.told, a) },
		Cut:     func(string, int) {},
		Log:     slog.New(slog.DiscardHandler),
	})
	return n
}

// inFlight is a pull that began at noon.
func inFlight(uid, repository string) attempt.InFlight {
	ref := "r.test/" + repository + ":v1"
	return attempt.InFlight{
		UID: uid, Image: ref, Ref: ref, Registry: "r.test", Repository: repository, Start: noon, Seen: noon, Program: detect.Containerd,
	}
}

// unreachable is a client of a runtime that is not there: what it would be asked for is
// not known.
func unreachable(t *testing.T) *cri.Client {
	t.Helper()
	c, err := cri.Dial(cri.Config{Socket: filepath.Join(t.TempDir(), "none.sock"), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func manifestOf(digest string, layers ...string) *cri.Manifest {
	m := &cri.Manifest{Digest: digest}
	for _, layer := range layers {
		m.Layers = append(m.Layers, cri.Blob{Digest: layer, Size: 10 * mib})
	}
	return m
}

// on is a layer on its way, of which something came some seconds after noon.
func on(digest string, offset, total, seconds int64) cri.Ingest {
	return cri.Ingest{Kind: "layer", Digest: digest, Offset: offset, Total: total, Started: noon, Updated: noon.Add(time.Duration(seconds) * time.Second)}
}

// assigned tells what each pull has on its way.
func assigned(n *node) string {
	var got []string
	for _, p := range n.progress.pulls {
		var layers []string
		for _, l := range p.layers() {
			if l.State == LayerDownloading {
				layers = append(layers, l.Digest)
			}
		}
		got = append(got, p.UID+"="+strings.Join(layers, ","))
	}
	return strings.Join(got, " ")
}

// Which download is whose: the manifests tell, and what they do not tell nobody guesses
// but where only one pull can be meant.
func TestAssign(t *testing.T) {
	for _, tt := range []struct {
		name      string
		manifests map[string]*cri.Manifest // by uid; none: not known
		pulls     []string
		ingests   []cri.Ingest
		want      string
	}{
		{
			"two images with manifests",
			map[string]*cri.Manifest{"a": manifestOf("m1", "l1", "l2"), "b": manifestOf("m2", "l3")},
			[]string{"a", "b"},
			[]cri.Ingest{on("l3", 1, 9, 1), on("l1", 1, 9, 1), on("l2", 1, 9, 1)},
			"a=l1,l2 b=l3",
		},
		{
			"a layer that both have is on its way for both",
			map[string]*cri.Manifest{"a": manifestOf("m1", "l1", "base"), "b": manifestOf("m2", "base")},
			[]string{"a", "b"},
			[]cri.Ingest{on("base", 1, 9, 1), on("l1", 1, 9, 1)},
			"a=l1,base b=base",
		},
		{
			"what is left belongs to the only one without a manifest",
			map[string]*cri.Manifest{"a": manifestOf("m1", "l1")},
			[]string{"a", "b"},
			[]cri.Ingest{on("l1", 1, 9, 1), on("l7", 1, 9, 1), on("l8", 1, 9, 0)},
			"a=l1 b=l7,l8",
		},
		{
			"what a failed pull has left behind is nobody's",
			nil,
			[]string{"a"},
			[]cri.Ingest{on("old", 1, 9, -1), on("new", 1, 9, 1)},
			"a=new",
		},
		{
			"two without a manifest: nobody knows",
			nil,
			[]string{"a", "b"},
			[]cri.Ingest{on("l7", 1, 9, 1)},
			"a= b=",
		},
		{
			"nobody is without a manifest",
			map[string]*cri.Manifest{"a": manifestOf("m1", "l1")},
			[]string{"a"},
			[]cri.Ingest{on("l1", 1, 9, 1), on("another client's", 1, 9, 1)},
			"a=l1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, nil)
			for _, uid := range tt.pulls {
				n.begun = append(n.begun, inFlight(uid, "team/"+uid))
			}
			n.progress.follow(n.begun)
			for _, p := range n.progress.pulls {
				p.manifest = tt.manifests[p.UID]
			}
			n.progress.assign(t.Context(), unreachable(t), tt.ingests)
			if got := assigned(n); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A content service that hangs costs a look one deadline.
func TestAssignStopsAtTheFirstError(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	server, err := critest.Start(socket, critest.Config{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	client, err := cri.Dial(cri.Config{Socket: socket, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	n := newNode(t, nil)
	n.begun = []attempt.InFlight{inFlight("a", "team/a"), inFlight("b", "team/b"), inFlight("c", "team/c")}
	n.progress.follow(n.begun)
	n.progress.pulls[0].manifest = manifestOf("m1", "sha256:1", "sha256:2", "sha256:3")
	n.progress.pulls[1].manifest = manifestOf("m2", "sha256:4", "sha256:5", "sha256:6")
	n.progress.assign(t.Context(), client, []cri.Ingest{on("sha256:5", 1, 9, 1)})
	if got := assigned(n); got != "a= b=sha256:5 c=" {
		t.Errorf("got %s, want what is on its way all the same", got)
	}
	calls := 0
	for method, n := range server.Calls() {
		calls += n
		t.Logf("%d of %s", n, method)
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// What is known of a pull is kept as long as it is in flight, and no longer.
func TestFollow(t *testing.T) {
	n := newNode(t, nil)
	n.progress.follow([]attempt.InFlight{inFlight("a", "a"), inFlight("b", "b")})
	n.progress.pulls[0].bytes, n.progress.pulls[1].bytes = 5, 7
	b := inFlight("b", "b")
	b.Failed = []string{"mirror.test"}
	n.progress.follow([]attempt.InFlight{b, inFlight("c", "c")})
	pulls := n.progress.pulls
	if len(pulls) != 2 || pulls[0].UID != "b" || pulls[0].bytes != 7 || len(pulls[0].Failed) != 1 {
		t.Errorf("got %+v, want b as it was, with what failed since", pulls[0])
	}
	if pulls[1].UID != "c" || pulls[1].bytes != 0 || !pulls[1].progress.Equal(noon) {
		t.Errorf("got %+v, want a new one", pulls[1])
	}
	n.progress.follow([]attempt.InFlight{inFlight("a", "a")})
	if len(n.progress.pulls) != 1 || n.progress.pulls[0].bytes != 0 {
		t.Error("what left is remembered")
	}
}

// downloading is a pull of two layers of 10 MiB: one is there, of the other a part.
func downloading(offset, seconds int64) *pull {
	return &pull{
		InFlight: inFlight("a", "team/app"), manifest: manifestOf("m1", "l1", "l2"), done: map[string]bool{"l1": true},
		ingests: map[string]cri.Ingest{"l2": on("l2", offset, 10*mib, seconds)}, progress: noon,
	}
}

func TestAdvance(t *testing.T) {
	p := downloading(2*mib, 2)
	p.advance(noon.Add(5 * time.Second))
	if p.bytes != 12*mib || p.rate != 0 || !p.progress.Equal(noon.Add(2*time.Second)) {
		t.Errorf("first look: got %d bytes, rate %v, progress %s: no rate can be told of one look", p.bytes, p.rate, p.progress)
	}
	p.ingests["l2"] = on("l2", 7*mib, 10*mib, 9)
	p.advance(noon.Add(10 * time.Second))
	if p.bytes != 17*mib || p.rate != mib || !p.progress.Equal(noon.Add(10*time.Second)) {
		t.Errorf("second look: got %d bytes, rate %v, progress %s; want 1 MiB/s", p.bytes, p.rate, p.progress)
	}
	p.advance(noon.Add(15 * time.Second))
	if p.rate != 0 || !p.progress.Equal(noon.Add(10*time.Second)) {
		t.Errorf("nothing came: got rate %v, progress %s", p.rate, p.progress)
	}
	p.ingests["l2"] = on("l2", 0, 10*mib, 16) // the runtime begins it anew
	p.advance(noon.Add(20 * time.Second))
	if p.rate != 0 || p.bytes != 10*mib {
		t.Errorf("fewer than before: got rate %v, %d bytes", p.rate, p.bytes)
	}
	p.ingests["l2"] = on("l2", 0, 10*mib, 3600) // its clock is ahead
	p.advance(noon.Add(25 * time.Second))
	if p.progress.After(noon.Add(25 * time.Second)) {
		t.Errorf("progress in the future: %s", p.progress)
	}
}

func TestPhases(t *testing.T) {
	for _, tt := range []struct {
		name string
		pull pull
		want string
	}{
		{"nothing is there", pull{}, PhaseResolving},
		{"the runtime does not tell", pull{blind: true, manifest: manifestOf("m", "l1")}, PhaseUnknown},
		{"a download, no manifest", pull{ingests: map[string]cri.Ingest{"l1": {}}}, PhaseDownloading},
		{"a manifest, no layer", pull{manifest: manifestOf("m", "l1")}, PhaseDownloading},
		{"one of two layers", pull{manifest: manifestOf("m", "l1", "l2"), done: map[string]bool{"l1": true}}, PhaseDownloading},
		{"all layers", pull{manifest: manifestOf("m", "l1"), done: map[string]bool{"l1": true}}, PhaseUnpacking},
		{"an image without layers", pull{manifest: manifestOf("m")}, PhaseUnpacking},
	} {
		if got := tt.pull.phase(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestView(t *testing.T) {
	n := newNode(t, nil)
	p := downloading(2*mib, 2)
	p.manifest.Layers = append(p.manifest.Layers, cri.Blob{Digest: "l3", Size: 10 * mib})
	p.advance(noon.Add(5 * time.Second))
	if got := n.view(p); got.Remaining != 0 {
		t.Errorf("remaining: got %v without a rate", got.Remaining)
	}
	p.ingests["l2"] = on("l2", 7*mib, 10*mib, 9)
	p.advance(noon.Add(10 * time.Second))
	want := Pull{
		Image: "r.test/team/app:v1", Ref: "r.test/team/app:v1", Registry: "r.test", Started: noon, Phase: PhaseDownloading, Host: "r.test",
		Bytes: 17 * mib, Size: 30 * mib, Rate: mib, Remaining: 13, Progress: noon.Add(10 * time.Second),
		Layers: []Layer{
			{Digest: "l1", State: LayerDone, Bytes: 10 * mib, Size: 10 * mib},
			{Digest: "l2", State: LayerDownloading, Bytes: 7 * mib, Size: 10 * mib},
			{Digest: "l3", State: LayerWaiting, Size: 10 * mib},
		},
	}
	if diff := cmp.Diff(want, n.view(p), cmp.FilterPath(func(path cmp.Path) bool { return path.Last().String() == ".uid" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.blind = true
	if got := n.view(p); !got.Progress.IsZero() || got.Phase != PhaseUnknown {
		t.Errorf("blind: got progress %s, phase %s", got.Progress, got.Phase)
	}
	p.manifest = nil
	if got := n.view(p); got.Size != 0 || got.Remaining != 0 || len(got.Layers) != 1 {
		t.Errorf("without a manifest: got %+v, want no size, and the download alone", got)
	}
}

// The host that a pull waits for: not one that has failed it already.
func TestServing(t *testing.T) {
	n := newNode(t, map[string]string{
		"etc/containerd/config.toml":               "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/etc/containerd/certs.d\"\n",
		"etc/containerd/certs.d/r.test/hosts.toml": "server = \"https://r.test\"\n[host.\"https://push-only.test\"]\ncapabilities = [\"push\"]\n[host.\"https://mirror-a.test\"]\ncapabilities = [\"pull\"]\n[host.\"https://mirror-b.test\"]\ncapabilities = [\"pull\", \"resolve\"]\n",
	})
	for _, tt := range []struct {
		failed []string
		want   string
	}{
		{nil, "mirror-a.test"},
		{[]string{"mirror-a.test"}, "mirror-b.test"},
		{[]string{"mirror-b.test", "mirror-a.test"}, "r.test"},
		{[]string{"mirror-a.test", "mirror-b.test", "r.test"}, ""},
	} {
		p := downloading(0, 0)
		p.Failed = tt.failed
		if got := n.view(p).Host; got != tt.want {
			t.Errorf("after %v: got %q, want %q", tt.failed, got, tt.want)
		}
	}
}

// A pull is shown from when it began to when it ends, looked at or not.
func TestPullsAreThoseInFlight(t *testing.T) {
	n := newNode(t, nil)
	n.begun = []attempt.InFlight{inFlight("a", "a"), inFlight("b", "b")}
	if !n.progress.look(t.Context(), noon.Add(time.Second)) {
		t.Error("look: got none")
	}
	n.begun = append(n.begun[1:], inFlight("c", "c"))
	var got []string
	for _, p := range n.Pulls() {
		got = append(got, fmt.Sprint(p.Image, " ", p.Phase, " ", p.Layers != nil))
	}
	want := []string{"r.test/b:v1 unknown true", "r.test/c:v1 unknown true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	n.begun = nil
	if len(n.Pulls()) != 0 || n.progress.look(t.Context(), noon.Add(2*time.Second)) || n.Pulls() == nil {
		t.Errorf("got %+v after all have ended", n.Pulls())
	}
}
