package cri_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"pullcause/cri"
	"pullcause/cri/critest"
)

// The lists of an answer, by their methods, and who asks for them.
var lists = map[string]func(context.Context, *cri.Client) (n, cut int, err error){
	"/runtime.v1.ImageService/ListImages": func(ctx context.Context, c *cri.Client) (int, int, error) {
		list, cut, err := c.Images(ctx)
		return len(list), cut, err
	},
	"/runtime.v1.RuntimeService/ListPodSandbox": func(ctx context.Context, c *cri.Client) (int, int, error) {
		list, cut, err := c.ReadySandboxes(ctx)
		return len(list), cut, err
	},
	"/runtime.v1.RuntimeService/ListContainers": func(ctx context.Context, c *cri.Client) (int, int, error) {
		list, cut, err := c.ReadySandboxes(ctx)
		return len(list), cut, err
	},
	"/containerd.services.content.v1.Content/ListStatuses": func(ctx context.Context, c *cri.Client) (int, int, error) {
		list, cut, err := c.Ingests(ctx)
		return len(list), cut, err
	},
}

// Eight million empty elements fit into an answer of 16 MiB. Decoded as they are, they
// take more than a gigabyte.
func TestEmptyElements(t *testing.T) {
	answer := bytes.Repeat([]byte{1<<3 | byte(protowire.BytesType), 0}, 8<<20-100)
	for method, ask := range lists {
		t.Run(filepath.Base(method), func(t *testing.T) {
			_, c := start(t, critest.Config{Encoded: map[string][]byte{method: answer}})
			before := allocated()
			n, cut, err := ask(t.Context(), c)
			if err != nil || cut < 7<<20 {
				t.Errorf("got %d elements, %d cut, %v", n, cut, err)
			}
			// The server is in this process too: it and the client each hold the message.
			if took := allocated() - before; took > 100<<20 {
				t.Errorf("allocated %d MiB for %d elements", took>>20, n)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// What is kept of a list is bounded by number and by size, and what is cut is counted.
func TestLongLists(t *testing.T) {
	images := func(n, name int) (list []cri.Image) {
		for i := range n {
			tag := fmt.Sprintf("r.test/app:%d", i)
			list = append(list, cri.Image{ID: fmt.Sprint(i), Tags: []string{tag + strings.Repeat("x", max(name-len(tag), 0))}})
		}
		return list
	}
	tests := map[string]struct {
		images    []cri.Image
		kept, cut int
	}{
		"as many as there may be":     {images(10_000, 0), 10_000, 0},
		"130,000":                     {images(130_000, 0), 10_000, 120_000},
		"names of 500 bytes":          {images(20_000, 500), 8324, 11_676},
		"a name of a megabyte":        {images(1, 1<<20), 0, 1},
		"a name of 600 bytes":         {images(1, 600), 1, 1},
		"an image with 600 names":     {[]cri.Image{{ID: "a", Tags: strings.Split(strings.Repeat("r.test/a:1,", 599)+"r.test/a:1", ",")}}, 1, 100},
		"nameless with 100,000 names": {[]cri.Image{{ID: "a", Tags: make([]string, 100_000)}}, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := start(t, critest.Config{Images: tt.images})
			got, cut, err := c.Images(t.Context())
			if err != nil || len(got) != tt.kept || cut != tt.cut {
				t.Errorf("got %d images, %d cut, %v; want %d and %d", len(got), cut, err, tt.kept, tt.cut)
			}
		})
	}
}

// A text that is only shown is cut.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("ü", 10_000)
	_, c := start(t, critest.Config{
		Version:   cri.Version{Name: long, Version: long},
		Sandboxes: []cri.Sandbox{{Namespace: long, Name: long, UID: long}},
		Images:    []cri.Image{{ID: long}},
	})
	v, err := c.Version(t.Context())
	if err != nil || len(v.Name) > 100 || len(v.Version) > 100 {
		t.Errorf("version: got %d and %d bytes, %v", len(v.Name), len(v.Version), err)
	}
	sandboxes, _, err := c.ReadySandboxes(t.Context())
	if err != nil || len(sandboxes) != 1 || len(sandboxes[0].Namespace+sandboxes[0].Name+sandboxes[0].UID) > 1000 {
		t.Errorf("sandboxes: got %.100v, %v", sandboxes, err)
	}
	images, _, err := c.Images(t.Context())
	if err != nil || len(images) != 1 || len(images[0].ID) > 200 {
		t.Errorf("images: got %.100v, %v", images, err)
	}
}

// An answer that no runtime gives is refused before it is read.
func TestOversizedAnswers(t *testing.T) {
	_, c := start(t, critest.Config{
		Version:    cri.Version{Name: "containerd", Version: strings.Repeat("2", 15<<20)},
		Filesystem: cri.Filesystem{Mountpoint: strings.Repeat("/x", 8<<20)},
		Images:     []cri.Image{{ID: "a", Tags: []string{"r.test/app:1"}}},
		Info:       map[string]string{"a": strings.Repeat(" ", 8<<20)},
	})
	for name, ask := range map[string]func() error{
		"version":          func() error { return questions["version"](t.Context(), c) },
		"image_filesystem": func() error { return questions["image_filesystem"](t.Context(), c) },
		"image_status":     func() error { _, err := c.ImageStatus(t.Context(), "r.test/app:1"); return err },
	} {
		before := allocated()
		if err := ask(); err == nil {
			t.Errorf("%s was answered", name)
		}
		if f := feature(t, c, name); f.State != cri.StateFailing || len(f.Error) > 500 {
			t.Errorf("%s: got %+v", name, f)
		}
		t.Logf("%s: %d MiB allocated, those of the server among them", name, (allocated()-before)>>20)
	}
}

// Events without end are not followed: they cost the runtime and us what nobody needs.
func TestFlood(t *testing.T) {
	_, c := start(t, critest.Config{Flood: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n := 0
	if err := c.WatchImages(ctx, func() { n++ }); !errors.Is(err, cri.ErrFlood) || n > 3000 {
		t.Errorf("got %d events, %v", n, err)
	}
	if f := feature(t, c, "events"); f.State != cri.StateFailing || !strings.Contains(f.Error, "more events") {
		t.Errorf("got %+v", f)
	}
}
