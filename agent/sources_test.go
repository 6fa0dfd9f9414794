package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// known is a folder in which known logs are looked for.
type known struct {
	logtailtest.Recorder
	t    *testing.T
	root string
	*sources
}

func newKnown(t *testing.T) *known {
	k := &known{t: t, root: t.TempDir()}
	cfg := Default()
	cfg.HostRoot = k.root
	cfg.Sources.Lookback = Lookback{}
	cfg.Sources.Poll = Duration(10 * time.Millisecond)
	k.sources = newSources(cfg, Node{}, nil, slog.New(slog.DiscardHandler))
	k.handle = func(logtail.Source) logtail.Handler { return &k.Recorder }
	return k
}

// look discovers what is there; at the end of the test it is read no more.
func (k *known) look() {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	k.t.Cleanup(func() { cancel(); k.wg.Wait() })
	if err := k.discover(ctx); err != nil {
		k.t.Fatal(err)
	}
}

func (k *known) write(name, tag string) {
	path := filepath.Join(k.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		k.t.Fatal(err)
	}
	logtailtest.Append(k.t, path, pulls(tag)+"\n")
}

func pulls(tag string) string {
	return `time="2026-11-24T10:00:00.000000000Z" level=info msg="PullImage \"registry.example.com/team/app:` + tag + `\""`
}

// The look-back is for what was there before the agent: a log that comes to be while it
// runs is read whole.
func TestLaterLogIsReadWhole(t *testing.T) {
	k := newKnown(t)
	k.write("var/log/crio.log", "v1")
	k.look()
	k.Until(t, "progress in the log that was there", func() bool { return len(k.AllProgress()) > 0 })
	k.write("var/log/containerd.log", "v2")
	k.look()
	if got, want := k.Wait(t, 1), []string{pulls("v2")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two known names of one file are one log.
func TestLinkToAFollowedLogIsNotFollowed(t *testing.T) {
	k := newKnown(t)
	k.write("var/log/containerd/containerd.log", "v1")
	if err := os.Symlink("containerd/containerd.log", filepath.Join(k.root, "var", "log", "containerd.log")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k.look()
		if got := k.status(); len(got) != 1 {
			t.Errorf("%d sources of one file: %+v", len(got), got)
		}
	}
}
