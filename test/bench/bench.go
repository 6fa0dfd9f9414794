package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
	"pullcause/test/bench/tally"
)

// bench runs the parts one after the other and prints their figures.
type bench struct {
	options
	report *report
	folder string // for logs and states
	states int    // folders made for states
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.folder = b.dir; b.folder == "" {
		if b.folder, err = os.MkdirTemp("", "pullcause-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"start", b.start},
		{"idle", b.idle},
		{"live", b.live},
		{"backlog", func(ctx context.Context) error { return b.backlog(ctx, "backlog", 0.001) }},
		{"journal", b.journal},
		{"busy", func(ctx context.Context) error { return b.backlog(ctx, "busy", 0.1) }},
	} {
		if !slices.Contains(b.only, part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// scene is an agent at work and the receiver that it sends to.
type scene struct {
	agent    *agentproc.Process
	tally    *tally.Tally
	receiver *otlptest.Receiver
}

// open starts a receiver, and an agent without a state that reads a log.
func (b *bench) open(log string) (*scene, error) {
	return b.openAgent(agentproc.Config{File: log})
}

// openAgent does so with an agent that cfg tells what to read.
func (b *bench) openAgent(cfg agentproc.Config) (*scene, error) {
	b.states++
	dir := filepath.Join(b.folder, fmt.Sprintf("agent-%d", b.states))
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &scene{tally: tally.New()}
	var err error
	if s.receiver, err = otlptest.ListenHTTP(otlptest.Config{OnRecord: s.tally.Add}); err != nil {
		return nil, err
	}
	cfg.Binary, cfg.Dir, cfg.Endpoint = b.agent, dir, s.receiver.URL()
	s.agent, err = agentproc.Start(cfg)
	if err != nil {
		s.receiver.Close()
		return nil, err
	}
	return s, nil
}

// close ends both. The receiver tells what was wrong with the agent's requests.
func (s *scene) close() error {
	err := s.agent.Stop()
	s.receiver.Close()
	return errors.Join(err, s.receiver.Problems())
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// median of an odd number of values; of an even number the upper one.
func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// quantile of values, 0 if there are none.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const mib = 1 << 20
