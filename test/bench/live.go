package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pullcause/test/bench/nodelog"
)

// The live log, and its targets.
const (
	liveRate    = 2000 // lines in a second
	liveFailing = 0.01
	// liveQuiet is the share of the failures that only containerd tells of: the
	// agent waits for the kubelet's word on those.
	liveQuiet  = 0.25
	joinWindow = time.Second // the default of pulls.join_window

	mostP50      = 20.0 // ms
	mostP99      = 50.0 // ms
	mostLiveCost = 3.0  // CPU seconds for a million lines
)

// live measures how long after its last line was appended a failure arrives.
func (b *bench) live(ctx context.Context) (err error) {
	path := filepath.Join(b.folder, "live.log")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	s, err := b.open(path)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer func() { err = errors.Join(err, s.close(), f.Close()) }()
	if err := s.agent.Ready(ctx); err != nil {
		return err
	}
	length := 30 * time.Second
	if b.short {
		length = 10 * time.Second
	}
	b.report.begin("live", fmt.Sprintf("Live: %d lines in a second for %s, %.0f %% of them of failed pulls", liveRate, length, 100*liveFailing))
	profiled := b.profiled(s, "live")
	before, err := s.agent.CPU()
	if err != nil {
		return err
	}
	w := &liveWriter{file: f, log: nodelog.New(nodelog.Config{Seed: b.seed, Failing: liveFailing, Quiet: liveQuiet}), ended: map[string]written{}}
	if err := w.run(ctx, length); err != nil {
		return err
	}
	if err := sleep(ctx, joinWindow+500*time.Millisecond); err != nil {
		return err
	}
	after, err := s.agent.CPU()
	if err != nil {
		return err
	}
	b.reportLive(s, w, after-before)
	return profiled()
}

func (b *bench) reportLive(s *scene, w *liveWriter, cpu time.Duration) {
	var whole, quiet []time.Duration
	causes := make(map[string]string)
	for tag, at := range w.ended {
		causes[tag] = at.cause
		a, ok := s.tally.Get(tag)
		switch took := a.Received.Sub(at.time); {
		case !ok:
		case at.quiet:
			quiet = append(quiet, took-joinWindow)
		default:
			whole = append(whole, took)
		}
	}
	note := fmt.Sprintf("%d failures that kubelet and containerd tell of", len(whole))
	b.report.hold("append to received, p50", millis(quantile(whole, 0.5)), mostP50, "ms", note)
	b.report.hold("append to received, p99", millis(quantile(whole, 0.99)), mostP99, "ms", "")
	note = fmt.Sprintf("%d failures that only containerd tells of", len(quiet))
	b.report.hold("beyond the join window, p50", millis(quantile(quiet, 0.5)), mostP50, "ms", note)
	b.report.hold("beyond the join window, p99", millis(quantile(quiet, 0.99)), mostP99, "ms", "")
	b.report.hold("agent, per million lines", cpu.Seconds()/float64(w.log.Lines())*1e6, mostLiveCost, "CPU-s", "")
	b.reportCheck(s.tally.Check(causes))
}

// written is when the last line of a pull was appended, and what it tells.
type written struct {
	time  time.Time
	cause string
	quiet bool
}

// liveWriter appends lines one by one, as the programs of a node do.
type liveWriter struct {
	file  *os.File
	log   *nodelog.Log
	ended map[string]written // by tag
	buf   []byte
}

// run appends for a while, and then until the pulls under way have ended.
func (w *liveWriter) run(ctx context.Context, length time.Duration) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		past := time.Since(start)
		if past >= length {
			w.log.Stop()
			if w.log.Pending() == 0 {
				return nil
			}
		}
		for due := int(past.Seconds() * liveRate); n < due; n++ {
			if err := w.append(); err != nil {
				return err
			}
		}
	}
}

func (w *liveWriter) append() error {
	now := time.Now()
	var pull *nodelog.Pull
	var last bool
	w.buf, pull, last = w.log.Next(w.buf[:0], now)
	if last {
		w.ended[pull.Tag] = written{time: now, cause: pull.Cause, quiet: pull.Quiet}
	}
	if _, err := w.file.Write(w.buf); err != nil {
		return fmt.Errorf("append to the live log: %w", err)
	}
	return nil
}
