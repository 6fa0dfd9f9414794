package cri_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	introspection "github.com/containerd/containerd/api/services/introspection/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"pullcause/cri"
	"pullcause/cri/critest"
)

// began is when the blobs of these tests came.
var began = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// manifest is a blob of docker.io's library/nginx that names a config.
func manifest(digest, text string, after time.Duration) critest.Blob {
	return critest.Blob{
		Info: &contentapi.Info{
			Digest: digest, Size: int64(len(text)), CreatedAt: timestamppb.New(began.Add(after)),
			Labels: map[string]string{
				"containerd.io/distribution.source.docker.io": "library/nginx,mirror/nginx",
				"containerd.io/gc.ref.content.config":         "sha256:c",
			},
		},
		Data: []byte(text),
	}
}

// nginx is the repository of [manifest].
var nginx = cri.Repository{Registry: "docker.io", Name: "library/nginx"}

// readAll reads all manifests of a repository that are found.
func readAll(t *testing.T, c *cri.Client, of cri.Repository) []cri.Manifest {
	t.Helper()
	found, err := c.Stored(t.Context(), cri.Search{Manifests: []cri.Repository{of}})
	if err != nil {
		t.Fatal(err)
	}
	var manifests []cri.Manifest
	for _, stored := range found.Manifests[of] {
		m, ok, err := c.ReadManifest(t.Context(), stored)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			manifests = append(manifests, m)
		}
	}
	return manifests
}

func TestManifests(t *testing.T) {
	_, c := start(t, critest.Config{Blobs: []critest.Blob{
		manifest("sha256:old", `{"layers":[{"digest":"sha256:a","size":1},{"digest":"sha256:b","size":2}]}`, 0),
		manifest("sha256:new", `{"layers":[{"digest":"sha256:d","size":3}]}`, time.Minute),
		manifest("sha256:not-json", "\x1f\x8b\x00", -time.Minute),
	}})
	tests := map[string]struct {
		of   cri.Repository
		want []cri.Manifest
	}{
		"newest first": {nginx, []cri.Manifest{
			{Digest: "sha256:new", Created: began.Add(time.Minute), Layers: []cri.Blob{{Digest: "sha256:d", Size: 3}}},
			{Digest: "sha256:old", Created: began, Layers: []cri.Blob{{Digest: "sha256:a", Size: 1}, {Digest: "sha256:b", Size: 2}}},
			{Digest: "sha256:not-json", Created: began.Add(-time.Minute)},
		}},
		"other repository":         {cri.Repository{Registry: "docker.io", Name: "library/nginx2"}, nil},
		"other registry":           {cri.Repository{Registry: "ghcr.io", Name: "library/nginx"}, nil},
		"name that breaks filters": {cri.Repository{Registry: `docker.io",labels."x`, Name: "library/nginx"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, readAll(t, c, tt.of)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A registry writes manifests, and a runtime tells sizes: neither may break or fill us.
func TestHostileManifests(t *testing.T) {
	resized := func(b critest.Blob, size int64) critest.Blob { b.Info.Size = size; return b }
	removed := manifest("sha256:removed", "{}", time.Hour)
	removed.Data = nil
	good := manifest("sha256:good", `{"layers":[{"digest":"sha256:a","size":1}]}`, -time.Hour)
	empty := `{"layers":[` + strings.Repeat("{},", 299_999) + `{}]}`
	named := make([]string, 20_000)
	for i := range named {
		named[i] = fmt.Sprintf(`{"digest":"sha256:%d","size":-1}`, i)
	}
	labels := manifest("sha256:labels", "{}", 0)
	labels.Info.Labels["x"] = strings.Repeat("x", 100<<10)
	tests := map[string]struct {
		blob   critest.Blob
		layers int // -1: it is left out
	}{
		"negative size":            {resized(manifest("sha256:x", "{}", 0), -1), -1},
		"no size":                  {resized(manifest("sha256:x", "{}", 0), 0), -1},
		"size beyond the bound":    {resized(manifest("sha256:x", "{}", 0), 1<<40), -1},
		"longer than it says":      {resized(manifest("sha256:x", strings.Repeat(" ", 8<<20), 0), 10), 0},
		"shorter than it says":     {resized(manifest("sha256:x", "{}", 0), 1<<20), 0},
		"removed meanwhile":        {removed, -1},
		"300,000 empty layers":     {manifest("sha256:x", empty, 0), 0},
		"20,000 layers":            {manifest("sha256:x", `{"layers":[`+strings.Join(named, ",")+`]}`, 0), 500},
		"a digest of a megabyte":   {manifest("sha256:x", `{"layers":[{"digest":"`+strings.Repeat("a", 1<<20-100)+`"}]}`, 0), 0},
		"layers that are a string": {manifest("sha256:x", `{"layers":"sha256:a"}`, 0), 0},
		"nested without end":       {manifest("sha256:x", `{"layers":`+strings.Repeat("[", 1<<19), 0), 0},
		"labels of 100 KiB":        {labels, -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := start(t, critest.Config{Blobs: []critest.Blob{tt.blob, good}})
			got := readAll(t, c, nginx)
			if tt.layers >= 0 {
				if len(got) == 0 || got[0].Digest != tt.blob.Info.GetDigest() || len(got[0].Layers) != tt.layers {
					t.Fatalf("got %.300v, want %d layers", got, tt.layers)
				}
				for _, l := range got[0].Layers {
					if l.Size < 0 {
						t.Fatalf("a layer has the size %d", l.Size)
					}
				}
				got = got[1:]
			}
			if len(got) != 1 || got[0].Digest != "sha256:good" || len(got[0].Layers) != 1 {
				t.Errorf("the good one is not there: %.300v", got)
			}
		})
	}
}

func TestManyManifests(t *testing.T) {
	blobs := make([]critest.Blob, 200)
	for i := range blobs {
		blobs[i] = manifest(fmt.Sprint("sha256:", i), "{}", time.Duration(i*7%200)*time.Second)
	}
	_, c := start(t, critest.Config{Blobs: blobs})
	found, err := c.Stored(t.Context(), cri.Search{Manifests: []cri.Repository{nginx}})
	got := found.Manifests[nginx]
	if err != nil || len(got) != 64 || !got[0].Created.Equal(began.Add(199*time.Second)) || !got[63].Created.Equal(began.Add(136*time.Second)) {
		t.Errorf("got %d manifests, %v, want the 64 newest", len(got), err)
	}
}

// One call tells of many repositories and blobs.
func TestStored(t *testing.T) {
	s, c := start(t, critest.Config{Blobs: []critest.Blob{manifest("sha256:there", "{}", 0), manifest("sha256:too", "{}", 0)}})
	mirror := cri.Repository{Registry: "docker.io", Name: "mirror/nginx"}
	found, err := c.Stored(t.Context(), cri.Search{
		Manifests: []cri.Repository{nginx, mirror, {Registry: "ghcr.io", Name: "library/nginx"}},
		Blobs:     []string{"sha256:there", "sha256:absent", `sha256:"`, ""},
	})
	if err != nil || len(found.Manifests) != 2 || len(found.Manifests[nginx]) != 2 || len(found.Manifests[mirror]) != 2 {
		t.Errorf("got manifests %v, %v", found.Manifests, err)
	}
	if diff := cmp.Diff(map[string]bool{"sha256:there": true}, found.Blobs); diff != "" {
		t.Errorf("blobs (-want +got):\n%s", diff)
	}
	if calls := s.Calls()["/containerd.services.content.v1.Content/List"]; calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
	if _, err := c.Stored(t.Context(), cri.Search{Blobs: []string{""}}); err != nil || s.Calls()["/containerd.services.content.v1.Content/List"] != 1 {
		t.Errorf("nothing to look for: %v, %v", err, s.Calls())
	}
}

func TestHasSnapshot(t *testing.T) {
	_, c := start(t, critest.Config{
		Plugins:   []*introspection.Plugin{{Type: "io.containerd.snapshotter.v1", ID: "overlayfs"}},
		Snapshots: []string{"sha256:unpacked"},
	})
	for key, want := range map[string]bool{"sha256:unpacked": true, "sha256:absent": false} {
		if got, err := c.HasSnapshot(t.Context(), []string{"native", "overlayfs"}, key); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", key, got, err, want)
		}
	}
}

func TestIngests(t *testing.T) {
	status := func(ref string) *contentapi.Status { return &contentapi.Status{Ref: ref, Offset: 5, Total: 10} }
	full := status("layer-sha256:a")
	full.StartedAt, full.UpdatedAt = timestamppb.New(began), timestamppb.New(began.Add(time.Second))
	impossible := status("index-sha256:e")
	impossible.StartedAt = &timestamppb.Timestamp{Nanos: -1}
	tests := map[string]struct {
		status *contentapi.Status
		want   []cri.Ingest
	}{
		"layer":             {full, []cri.Ingest{{Kind: "layer", Digest: "sha256:a", Offset: 5, Total: 10, Started: began, Updated: began.Add(time.Second)}}},
		"named in an index": {status("manifest-v1-rc@sha256:b"), []cri.Ingest{{Kind: "manifest", Digest: "sha256:b", Offset: 5, Total: 10}}},
		"no times":          {impossible, []cri.Ingest{{Kind: "index", Digest: "sha256:e", Offset: 5, Total: 10}}},
		"nothing":           {&contentapi.Status{}, nil},
		"somebody else's":   {status("unpack-1234"), nil},
		"no kind":           {status("sha256:a"), nil},
		"only a dash":       {status("-"), nil},
		"name without end":  {status("layer-sha256:a@"), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := start(t, critest.Config{Ingests: []*contentapi.Status{tt.status}})
			got, _, err := c.Ingests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
