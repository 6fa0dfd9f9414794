package enrich

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/diagnose"
	"pullcause/cri"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const (
	sum  = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	sum2 = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"
)

func remembering(t *testing.T, folder string) *removed {
	t.Helper()
	r, err := loadRemoved(folder)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listed are images as containerd lists them: with normalised names.
func listed(t *testing.T, list ...cri.Image) *images {
	t.Helper()
	i := newImages(remembering(t, ""))
	i.set(list, false, noon)
	return i
}

func tagged(id string, tags ...string) cri.Image {
	image := cri.Image{ID: id, Tags: tags, Size: 1000}
	for _, tag := range tags {
		image.Digests = append(image.Digests, diagnose.RepositoryOf(tag)+"@"+sum)
	}
	return image
}

func TestRepository(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io/library/nginx:1.27": "docker.io/library/nginx",
		"r.test:5000/app:v1":           "r.test:5000/app",
		"r.test:5000/app":              "r.test:5000/app", // the colon is the port's
		"r.test:5000/app@" + sum:       "r.test:5000/app",
		"r.test/app:v1@" + sum:         "r.test/app",
		"":                             "",
	} {
		if got := diagnose.RepositoryOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

var lookups = []struct {
	name, ref string
	want      *diagnose.Cache
}{
	{"by its tag", "docker.io/library/nginx:1.27", &diagnose.Cache{Present: true, OtherTags: []string{"docker.io/library/nginx:1.26"}}},
	{"by its digest", "docker.io/library/nginx@" + sum, &diagnose.Cache{Present: true, OtherTags: []string{"docker.io/library/nginx:1.26", "docker.io/library/nginx:1.27"}}},
	{"another tag", "docker.io/library/nginx:1.28", &diagnose.Cache{OtherTags: []string{"docker.io/library/nginx:1.26", "docker.io/library/nginx:1.27"}}},
	{"another digest", "docker.io/library/nginx@" + sum2, &diagnose.Cache{OtherTags: []string{"docker.io/library/nginx:1.26", "docker.io/library/nginx:1.27"}}},
	{"the same path at another registry", "r.test:5000/library/nginx:1.27", &diagnose.Cache{}},
	{"a repository whose name goes on", "docker.io/library/nginx-unprivileged:1.27", &diagnose.Cache{}},
	{"a registry with a port", "r.test:5000/app:v1", &diagnose.Cache{Present: true}},
	{"what is no reference", "", nil},
}

func TestLookup(t *testing.T) {
	i := listed(t, tagged("b", "docker.io/library/nginx:1.27"), tagged("a", "docker.io/library/nginx:1.26"), tagged("c", "r.test:5000/app:v1"))
	for _, tt := range lookups {
		if diff := cmp.Diff(tt.want, i.lookup(tt.ref)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	// "Absent" is a claim: nothing is claimed before the runtime has told what there is.
	if got := newImages(remembering(t, "")).lookup("docker.io/library/nginx:1.27"); got != nil {
		t.Errorf("not listed yet: got %+v", got)
	}
	if got := listed(t).lookup("docker.io/library/nginx:1.27"); got == nil || got.Verdict() != diagnose.Absent {
		t.Errorf("an empty node: got %+v, want absent", got)
	}
}

func TestOtherTagsAreBounded(t *testing.T) {
	var list []cri.Image
	for n := range 30 {
		list = append(list, tagged(fmt.Sprint(n), fmt.Sprintf("r.test/app:v%02d", n)))
	}
	i := listed(t, list...)
	for _, ref := range []string{"r.test/app:v03", "r.test/app:none"} {
		got := i.lookup(ref).OtherTags
		if len(got) != diagnose.MaxOtherTags {
			t.Errorf("%s: got %d other tags, want %d", ref, len(got), diagnose.MaxOtherTags)
		}
		for _, tag := range got {
			if tag == ref {
				t.Errorf("%s is another tag of itself", ref)
			}
		}
	}
}

func TestLookupOfRemoved(t *testing.T) {
	i := listed(t, tagged("a", "r.test/app:v1"), tagged("b", "r.test/app:v2"))
	i.set([]cri.Image{tagged("b", "r.test/app:v2")}, false, noon.Add(time.Hour))
	gone := i.lookup("r.test/app:v1")
	if gone.Present || !gone.RemovedAt.Equal(noon.Add(time.Hour)) || gone.Verdict() != diagnose.Evicted || len(gone.OtherTags) != 1 {
		t.Errorf("removed: got %+v", gone)
	}
	if got := i.lookup("r.test/app:v3"); !got.RemovedAt.IsZero() || got.Verdict() != diagnose.OtherTagCached {
		t.Errorf("never there: got %+v", got)
	}
	i.set([]cri.Image{tagged("b", "r.test/app:v2"), tagged("a", "r.test/app:v1")}, false, noon.Add(2*time.Hour))
	if got := i.lookup("r.test/app:v1"); !got.Present || !got.RemovedAt.IsZero() {
		t.Errorf("back again: got %+v", got)
	}
}

// A tag that moves to another image is there all the time; what it pointed to has its
// digest still.
func TestRetagging(t *testing.T) {
	before := cri.Image{ID: "a", Tags: []string{"r.test/app:latest"}, Digests: []string{"r.test/app@" + sum}}
	i := listed(t, before)
	i.noteStatus(cri.ImageStatus{ID: "a", Platform: cri.Platform{OS: "linux", Arch: "arm64"}})
	if got := i.lookup("r.test/app:latest").Platforms; len(got) != 1 || got[0] != "linux/arm64" {
		t.Errorf("before: got platforms %v", got)
	}
	after := cri.Image{ID: "b", Tags: []string{"r.test/app:latest"}, Digests: []string{"r.test/app@" + sum2}}
	before.Tags = nil
	if !i.set([]cri.Image{before, after}, false, noon.Add(time.Hour)) {
		t.Error("a digest came, and nothing has changed")
	}
	got := i.lookup("r.test/app:latest")
	if !got.Present || !got.RemovedAt.IsZero() || len(got.Platforms) != 0 {
		t.Errorf("after: got %+v, want it present, with the platform of another image forgotten", got)
	}
	if !i.unasked("r.test/app:latest") || i.unasked("r.test/app@"+sum) {
		t.Error("the platform of the new image alone is to be asked for")
	}
	if got := i.lookup("r.test/app@" + sum); !got.Present || len(got.Platforms) != 1 {
		t.Errorf("the old digest: got %+v", got)
	}
}

// Platforms are remembered of what is there, or they would pile up.
func TestPlatformsGoWithTheirImages(t *testing.T) {
	i := listed(t, tagged("a", "r.test/app:v1"))
	i.noteStatus(cri.ImageStatus{ID: "a", Platform: cri.Platform{OS: "linux", Arch: "arm64"}})
	i.set(nil, false, noon)
	if len(i.status) != 0 {
		t.Errorf("got %v", i.status)
	}
	if i.unasked("r.test/app:v1") {
		t.Error("an image that is not there is to be asked for")
	}
}

func TestSetTellsChanges(t *testing.T) {
	i := newImages(remembering(t, ""))
	steps := []struct {
		name string
		list []cri.Image
		want bool
	}{
		{"the first", []cri.Image{tagged("a", "r.test/app:v1")}, true},
		{"the same", []cri.Image{tagged("a", "r.test/app:v1")}, false},
		{"one more", []cri.Image{tagged("b", "r.test/app:v2"), tagged("a", "r.test/app:v1")}, true},
		{"in another order", []cri.Image{tagged("a", "r.test/app:v1"), tagged("b", "r.test/app:v2")}, false},
		{"one less", []cri.Image{tagged("b", "r.test/app:v2")}, true},
		{"none", nil, true},
		{"still none", nil, false},
	}
	for _, step := range steps {
		if got := i.set(step.list, false, noon); got != step.want {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

// What is shown is sorted, and adds up.
func TestAllImages(t *testing.T) {
	i := listed(t, tagged("z", "r.test/b:1"), cri.Image{ID: "sha256:nameless", Size: 7}, tagged("y", "r.test/a:1"), cri.Image{ID: "x", Digests: []string{"r.test/aa@" + sum}})
	all := i.all()
	var names []string
	for _, image := range all.Images {
		names = append(names, firstName(image))
	}
	if diff := cmp.Diff([]string{"r.test/a:1", "r.test/aa@" + sum, "r.test/b:1", "sha256:nameless"}, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if all.Bytes != 2007 || !all.AsOf.Equal(noon) {
		t.Errorf("got %d bytes as of %s, want 2007", all.Bytes, all.AsOf)
	}
	if n, bytes, known := i.count(); n != 4 || bytes != 2007 || !known {
		t.Errorf("got %d, %d, %v", n, bytes, known)
	}
	if _, _, known := newImages(remembering(t, "")).count(); known {
		t.Error("known before they were listed")
	}
}
