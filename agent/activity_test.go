package agent

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/logtail"
)

// failedPull is what containerd v2.4.2 writes of a pull that failed (internal/cri/instrument).
func failedPull(tag string) string {
	return fmt.Sprintf(`time="2026-11-24T10:00:00.200000000Z" level=error msg="PullImage \"registry.example.com/team/app:%[1]s\" failed" error="failed to pull and unpack image \"registry.example.com/team/app:%[1]s\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[1]s: 403 Forbidden"`+"\n", tag)
}

// onceSource hands over one line, and then hangs as where a file system does.
type onceSource struct {
	line    string
	started time.Time
}

func (s *onceSource) Name() string { return "file:/x.log" }

func (s *onceSource) Run(ctx context.Context, h logtail.Handler) error {
	h.Handle(logtail.Record{Source: s.Name(), Program: "containerd", Observed: s.started, Body: []byte(s.line)})
	<-ctx.Done()
	return nil
}

func (s *onceSource) Status() logtail.Status {
	return logtail.Status{Name: s.Name(), Kind: "file", State: logtail.StateReading, LastTurn: s.started}
}

// stuckLoops are the names of the loops that /healthz complains of.
func stuckLoops(loops []debug.Loop) (names []string) {
	for _, l := range loops {
		if time.Since(l.LastTurn) > l.MaxAge {
			names = append(names, l.Name)
		}
	}
	return names
}

// A source that waits for a slow receiver is alive: a restart would not make that faster. One
// that cannot go on for itself is not.
func TestWaitingSourceIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, log := Default(), slog.New(slog.DiscardHandler)
		p := newPipeline(cfg, Node{}, nil, nil, log)
		for range maxWaiting {
			p.waiting.push(enrichItem{attempt: &attempt.Attempt{}}) // gather does not run
		}
		s := newSources(cfg, Node{}, nil, log)
		ctx, stop := context.WithCancel(t.Context())
		s.handle = func(src logtail.Source) logtail.Handler { return &handler{ctx: ctx, source: src.Name(), pipe: p} }
		src := &onceSource{line: failedPull("v1"), started: time.Now()}
		s.launch(ctx, src)
		time.Sleep(10 * time.Minute)
		if got := stuckLoops(s.loops(time.Now())); len(got) > 0 {
			t.Errorf("while it waits for room: %q are called stuck", got)
		}
		p.waiting.take()
		synctest.Wait()
		if got := stuckLoops(s.loops(time.Now())); len(got) > 0 {
			t.Errorf("just after it waited: %q are called stuck", got)
		}
		time.Sleep(10 * time.Minute)
		if got := stuckLoops(s.loops(time.Now())); len(got) != 1 {
			t.Errorf("while its log hangs: %q are called stuck, want the source", got)
		}
		stop()
		s.wg.Wait()
	})
}
