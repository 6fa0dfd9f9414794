package enrich_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/cri"
	"pullcause/cri/critest"
)

// many are images with names of their own.
func many(n int) []cri.Image {
	list := make([]cri.Image, n)
	for i := range list {
		list[i] = cri.Image{ID: fmt.Sprint(i), Tags: []string{fmt.Sprintf("r.test/app:%d", i)}}
	}
	return list
}

// A list that is too long is cut and counted once; of what may be in the rest nothing is
// said: it is neither absent nor removed.
func TestLongListOfImages(t *testing.T) {
	t.Parallel()
	path := socket(t)
	s := serve(t, path, containerd(many(100)...))
	e, w, _ := enricher(t, at(path))
	settled(t, s)
	s.Set(func(cfg *critest.Config) { cfg.Images = append([]cri.Image{nginx}, many(11_000)...) })
	s.Publish("/images/create")
	until(t, "the long list", func() bool { return len(e.Images().Images) == 10_000 })
	lists := s.Calls()[listImages]
	s.Publish("/images/create")
	until(t, "another list", func() bool { return s.Calls()[listImages] > lists })
	w.mu.Lock()
	if !slices.Equal(w.cut, []string{"1001 images"}) {
		t.Errorf("got %q cut, want it told once", w.cut)
	}
	w.mu.Unlock()
	if removed := e.Images().Removed; len(removed) > 0 {
		t.Errorf("%d images are said to have been removed", len(removed))
	}
	if _, facts := e.Facts(t.Context(), failed(redis)); facts.Cache != nil {
		t.Errorf("got %+v of an image that may be on the node or not", facts.Cache)
	}
	if _, facts := e.Facts(t.Context(), failed(nginx)); facts.Cache == nil || !facts.Cache.Present {
		t.Errorf("got %+v of an image that is on the node", facts.Cache)
	}
}

// Events without end are left alone for a while, and images are listed all the same.
func TestFloodOfEvents(t *testing.T) {
	t.Parallel()
	path := socket(t)
	cfg := containerd(nginx)
	cfg.Flood = true
	s := serve(t, path, cfg)
	e, _, _ := enricher(t, at(path))
	until(t, "the images", func() bool { return has(e, nginx) })
	until(t, "the end of events", func() bool {
		return slices.ContainsFunc(e.State(t.Context()).Runtime.Features, func(f cri.Feature) bool { return f.Name == "events" && f.State == cri.StateFailing })
	})
	lists := s.Calls()[listImages]
	time.Sleep(2 * time.Second)
	if n := s.Calls()[listImages] - lists; n > 5 {
		t.Errorf("%d lists in 2 s", n)
	}
	if n := s.Calls()["/containerd.services.events.v1.Events/Subscribe"]; n != 1 {
		t.Errorf("asked for events %d times in 2 s", n)
	}
}

// The words of the runtime are shown without credentials.
func TestRuntimeErrorsAreRedacted(t *testing.T) {
	t.Parallel()
	path := socket(t)
	cfg := containerd(nginx)
	cfg.Refuse = map[string]codes.Code{"/runtime.v1.ImageService/ListImages": codes.Internal}
	cfg.RefuseText = "open https://bob:hunter2secret@r.test/v2/: "
	s := serve(t, path, cfg)
	e, _, _ := enricher(t, at(path))
	until(t, "a refusal", func() bool { return s.Calls()[listImages] > 0 })
	var f cri.Feature
	until(t, "the error", func() bool {
		all := e.State(t.Context()).Runtime.Features
		f = all[slices.IndexFunc(all, func(f cri.Feature) bool { return f.Name == "images" })]
		return f.Error != ""
	})
	if strings.Contains(f.Error, "hunter2secret") || !strings.Contains(f.Error, "r.test") {
		t.Errorf("got the error %q", f.Error)
	}
}
