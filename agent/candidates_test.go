package agent

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

// With sources.auto off nothing is looked for, and no answer may say that it was not found.
func TestNothingIsLookedForWithoutAuto(t *testing.T) {
	cfg := Default()
	cfg.HostRoot = t.TempDir()
	cfg.Sources.Auto = false
	s := newSources(cfg, Node{}, nil, slog.New(slog.DiscardHandler))
	for _, c := range s.candidates() {
		if !strings.Contains(c.Detail, "sources.auto is false") {
			t.Errorf("candidate %s: got %q, want that it was not looked for", c.Name, c.Detail)
		}
	}
}

// Describing the sources takes time and memory in proportion to their number.
func TestCandidatesOfManySources(t *testing.T) {
	const n = 2000
	k := newKnown(t)
	k.sources.cfg.Sources.Auto = false
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); k.wg.Wait() }()
	for i := range n {
		f := SourceFile{Path: fmt.Sprintf("/x%d", i)}
		k.sources.cfg.Sources.Files = append(k.sources.cfg.Sources.Files, f)
		if err := k.follow(ctx, k.host.Path(f.Path), ""); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k.candidates()
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / n; got > 16<<10 {
		t.Errorf("got %d bytes allocated for each of %d sources, want at most 16 KiB", got, n)
	}
}
