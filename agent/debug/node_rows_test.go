package debug_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/agent/hostconf"
	"pullcause/cri"
)

const (
	layerC = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	layerD = "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
)

// What scripts read of the node.
var nodeJSONTests = []struct{ path, want string }{
	{"/debug/pulls", `{"pulls_total":1,"pulls":[
{"image":"ghcr.io/acme/big:v4","ref":"ghcr.io/acme/big:v4","registry":"ghcr.io","started":"2026-11-24T04:51:30Z","phase":"downloading","host":"ghcr.io","bytes":3145728,"size_bytes":31457280,"bytes_per_second":0,"last_progress":"2026-11-24T04:51:40Z","stalled":true,"layers":[{"digest":"` + layerD + `","state":"downloading","bytes":3145728,"size_bytes":31457280}]}
]}
`},
	{"/debug/images", `{"known":true,"as_of":"2026-11-24T04:53:00Z","images_total":1,"bytes_total":74448896,"removed_total":1,"images":[
{"id":"` + layerC + `","tags":["docker.io/library/nginx:1.26"],"digests":[],"size_bytes":74448896,"pinned":false}
],"removed":[
{"name":"docker.io/library/nginx:1.27","removed_at":"2026-11-24T03:53:00Z"}
]}
`},
	{"/debug/images?limit=0", `{"known":true,"as_of":"2026-11-24T04:53:00Z","images_total":1,"bytes_total":74448896,"removed_total":1,"images":[],"removed":[]}
`},
	{"/debug/node", "{\n  \"name\": \"node-a\"\n}\n"},
}

func TestNodeJSON(t *testing.T) {
	for _, tt := range nodeJSONTests {
		answer := get(t, outage().handler(), tt.path)
		if diff := cmp.Diff(tt.want, answer.Body.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
		if answer.Code != http.StatusOK || !json.Valid(answer.Body.Bytes()) {
			t.Errorf("%s: got %d", tt.path, answer.Code)
		}
	}
}

// What is not known is told from what is empty, and lists can be iterated.
func TestNodeJSONOfNothing(t *testing.T) {
	h := (&world{}).handler()
	for path, want := range map[string]string{
		"/debug/pulls":  `{"pulls_total":0,"pulls":[]}` + "\n",
		"/debug/images": `{"known":false,"as_of":"0001-01-01T00:00:00Z","images_total":0,"bytes_total":0,"removed_total":0,"images":[],"removed":[]}` + "\n",
	} {
		if got := get(t, h, path).Body.String(); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
	empty := &world{images: enrich.Images{AsOf: now}}
	if got := get(t, empty.handler(), "/debug/images").Body.String(); !strings.HasPrefix(got, `{"known":true,`) {
		t.Errorf("an empty node: got %s", got)
	}
}

func TestImagesLimit(t *testing.T) {
	w := outage()
	for n := range 500 {
		w.images.Images = append(w.images.Images, cri.Image{ID: fmt.Sprint(n)})
		w.images.Removed = append(w.images.Removed, enrich.Removed{Name: fmt.Sprint(n), At: now})
	}
	var got struct {
		ImagesTotal  int   `json:"images_total"`
		RemovedTotal int   `json:"removed_total"`
		Images       []any `json:"images"`
		Removed      []any `json:"removed"`
	}
	if err := json.Unmarshal(get(t, w.handler(), "/debug/images?limit=508").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ImagesTotal != 501 || got.RemovedTotal != 501 || len(got.Images) != 501 || len(got.Removed) != 7 {
		t.Errorf("got %d of %d images, %d of %d removed; want 501 and 7", len(got.Images), got.ImagesTotal, len(got.Removed), got.RemovedTotal)
	}
	for _, bad := range []string{"-1", "many"} {
		if answer := get(t, w.handler(), "/debug/images?limit="+bad); answer.Code != http.StatusBadRequest {
			t.Errorf("limit %q: got %d", bad, answer.Code)
		}
	}
}

// An incident tells which hosts the configuration names, and what is wrong there; one
// without a registry has none.
func TestIncidentWithItsHosts(t *testing.T) {
	var got struct {
		Hosts *hostconf.List `json:"registry_configuration"`
	}
	w := outage()
	if err := json.Unmarshal(get(t, w.handler(), "/debug/incidents/7f3a90c1d2e4b5a6").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Hosts == nil {
		t.Fatal("no hosts")
	}
	if diff := cmp.Diff(w.hosts, *got.Hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if body := get(t, w.handler(), "/debug/incidents/c0ffee00c0ffee00").Body.String(); strings.Contains(body, "registry_configuration") {
		t.Errorf("hosts of no registry: %s", body)
	}
}

func TestIncidentWithItsCache(t *testing.T) {
	w := outage()
	w.open[0].Diagnosis.Cache = &diagnose.Cache{RemovedAt: now.Add(-time.Hour), AvailableBytes: 7, UsedRatio: 0.5}
	const want = `"cache":{"verdict":"evicted","present":false,"removed_at":"2026-11-24T03:53:00Z","imagefs_available_bytes":7,"imagefs_used_ratio":0.5}`
	if body := get(t, w.handler(), "/debug/incidents").Body.String(); !strings.Contains(body, want) {
		t.Errorf("no %s in: %s", want, body)
	}
}

// part is what the page shows below a heading.
func part(t *testing.T, w *world, path, heading string) string {
	t.Helper()
	_, rest, _ := strings.Cut(text(t, show(t, w, path)), "## "+heading+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// How far a pull has come, as far as that is known.
func TestPullsOnThePage(t *testing.T) {
	since := now.Add(-90 * time.Second)
	for _, tt := range []struct {
		name string
		pull enrich.Pull
		want string
	}{
		{
			"it goes on",
			enrich.Pull{Phase: enrich.PhaseDownloading, Host: "mirror.test", Bytes: 3 << 20, Size: 30 << 20, Rate: 1 << 20, Remaining: 27, Progress: now},
			"r.test/x:1 | downloading 1.0 MiB/s, 27 s left | mirror.test | 3.0 MiB of 30.0 MiB, 10 % | 1 min",
		},
		{
			"its size is not known",
			enrich.Pull{Phase: enrich.PhaseDownloading, Bytes: 3 << 20, Rate: 1 << 20, Progress: now},
			"r.test/x:1 | downloading 1.0 MiB/s | – | 3.0 MiB | 1 min",
		},
		{"the manifest", enrich.Pull{Phase: enrich.PhaseResolving, Host: "r.test"}, "r.test/x:1 | asking for the manifest | r.test | – | 1 min"},
		{
			"the manifest, in vain",
			enrich.Pull{Phase: enrich.PhaseResolving, Host: "r.test", Stalled: true, Progress: since},
			"r.test/x:1 | stalled asking for the manifest, nothing for 1 min | r.test | – | 1 min",
		},
		{
			"unpacking",
			enrich.Pull{Phase: enrich.PhaseUnpacking, Bytes: 30 << 20, Size: 30 << 20, Progress: now},
			"r.test/x:1 | all layers are here, unpacking | – | – of 30.0 MiB, 100 % | 1 min",
		},
		{"nobody tells", enrich.Pull{Phase: enrich.PhaseUnknown}, "r.test/x:1 | in flight; the runtime does not tell how far | – | – | 1 min"},
	} {
		w := outage()
		tt.pull.Image, tt.pull.Started = "r.test/x:1", since
		w.pulls = []enrich.Pull{tt.pull}
		if got := strings.Split(part(t, w, "/", "Pulls in flight"), "\n"); len(got) != 3 || got[1] != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestManyPullsOnThePage(t *testing.T) {
	w := outage()
	for range 99 {
		w.pulls = append(w.pulls, w.pulls[0])
	}
	got := part(t, w, "/", "Pulls in flight")
	if n := strings.Count(got, "ghcr.io/acme/big:v4"); n != 25 || !strings.HasSuffix(got, "\n75 more, and the layers of each as JSON.") {
		t.Errorf("got %d rows, and at the end: %s", n, got[strings.LastIndexByte(got, '\n')+1:])
	}
	w.pulls = nil
	if page := text(t, show(t, w, "/")); strings.Contains(page, "Pulls in flight") {
		t.Error("a heading of nothing")
	}
}

// The node says what is known of it, and what to do where that is nothing.
func TestNodeOnThePage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*world)
		want   string
	}{
		{
			"absent", func(w *world) { *w = world{runtime: enrich.Runtime{State: enrich.RuntimeAbsent}} },
			"Runtime: no socket of a runtime was found; name it with cri.socket",
		},
		{
			"off", func(w *world) { *w = world{runtime: enrich.Runtime{State: enrich.RuntimeOff}} },
			"Runtime: is not asked: cri.socket is off",
		},
		{
			"gone", func(w *world) {
				w.runtime.State, w.runtime.Since, w.images, w.filesystem = enrich.RuntimeUnavailable, now.Add(-90*time.Second), enrich.Images{}, enrich.Filesystem{}
			},
			"Runtime: containerd v2.4.2 does not answer on /run/containerd/containerd.sock since 1 min",
		},
		{
			"an empty node", func(w *world) { w.images, w.filesystem = enrich.Images{AsOf: now}, enrich.Filesystem{} },
			"Runtime: containerd v2.4.2 answers\nImages: 0 images, 0 B",
		},
	} {
		w := outage()
		tt.change(w)
		if got := part(t, w, "/", "Node"); got != tt.want+"\nAll of it as JSON" {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestCacheOnThePage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cache *diagnose.Cache
		want  string // empty: nothing is said
	}{
		{"not known", nil, ""},
		{"absent", &diagnose.Cache{}, "nothing of its repository"},
		{"present", &diagnose.Cache{Present: true}, "it is here"},
		{"present, with its platform", &diagnose.Cache{Present: true, Platforms: []string{"linux/arm64/v8"}}, "it is here, built for linux/arm64/v8"},
		{"removed", &diagnose.Cache{RemovedAt: now.In(time.FixedZone("", 3600)), OtherTags: []string{"r.test/x:1"}}, "it was here and was removed at 2026-11-24T04:53:00Z"},
		{"other tags", &diagnose.Cache{OtherTags: []string{"r.test/x:1", "<b>\x1b[31m"}}, `not it, but r.test/x:1, <b>\x1b[31m`},
	} {
		w := outage()
		w.open[0].Diagnosis.Cache = tt.cache
		_, got, found := strings.Cut(part(t, w, "/incidents/7f3a90c1d2e4b5a6", "Cause and remedy"), "\nOn this node: ")
		if got != tt.want || found != (tt.want != "") {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A mirror's name is what an administrator wrote, or somebody who may write his files.
func TestHostileNode(t *testing.T) {
	const evil = `<script>alert(1)</script>"onload='x'` + "\x1b[31m\u202e"
	long := evil + strings.Repeat("A", 64<<10)
	w := outage()
	w.hosts.Hosts = []hostconf.Host{{Host: evil, Role: evil, URL: long, Capabilities: []string{evil}, File: evil, Line: 7}}
	w.hosts.Problems = []hostconf.Problem{{File: evil, Text: long}}
	w.runtime = enrich.Runtime{Name: evil, Version: long, State: enrich.RuntimeUnavailable, Socket: evil}
	w.filesystem.Mountpoint = long
	w.pulls = []enrich.Pull{{Image: long, Host: long, Phase: evil, Started: now}}
	w.open[0].Diagnosis.Cache = &diagnose.Cache{OtherTags: []string{long}}
	for _, path := range []string{"/", "/incidents/7f3a90c1d2e4b5a6"} {
		page := show(t, w, path)
		body := embedded.ReplaceAllString(page, "")
		for _, bad := range []string{"<script", "\x1b", "\u202e", "onload='"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s contains %q", path, bad)
			}
		}
		if len(page) > 100<<10 {
			t.Errorf("%s has %d bytes", path, len(page))
		}
		text(t, page) // well-formed
	}
}
