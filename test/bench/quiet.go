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

// Targets of an idle agent and of the start.
const (
	mostIdleCPU    = 10.0  // ms in a minute
	mostIdleMemory = 20.0  // resident MiB
	mostStart      = 100.0 // ms to the first record of a backlog
)

// idle measures an agent whose log has fallen silent: a file, and a journal with
// many archived files.
func (b *bench) idle(ctx context.Context) error {
	path := filepath.Join(b.folder, "idle.log")
	log, err := newBacklog(path, nodelog.Config{Seed: b.seed, Failing: 0.01}, 1<<20, time.Now())
	if err != nil {
		return err
	}
	length, most := time.Minute, mostIdleCPU
	if b.short {
		length, most = 10*time.Second, mostIdleCPU/6
	}
	b.report.begin("idle", fmt.Sprintf("Idle: nothing is written for %s", length))
	s, err := b.open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(b.rest(ctx, s, "log file", len(log.causes), length, most), s.close()); err != nil {
		return err
	}
	return b.idleJournal(ctx, length, most)
}

// rest measures an agent that has sent its records and has nothing more to do.
func (b *bench) rest(ctx context.Context, s *scene, name string, records int, length time.Duration, most float64) error {
	if err := s.tally.Wait(ctx, records); err != nil {
		return err
	}
	// What the start needed is given back after 30 s.
	if err := sleep(ctx, 35*time.Second); err != nil {
		return err
	}
	before, err := s.agent.CPU()
	if err != nil {
		return err
	}
	if err := sleep(ctx, length); err != nil {
		return err
	}
	after, err := s.agent.CPU()
	if err != nil {
		return err
	}
	now, peak, err := s.agent.Memory()
	if err != nil {
		return err
	}
	b.report.tell(name+", until then", millis(before), "CPU-ms", "start, what was written and its records")
	b.report.hold(name, millis(after-before), most, "CPU-ms", "")
	b.report.hold(name+", resident memory", float64(now)/mib, mostIdleMemory, "MiB", fmt.Sprintf("at most %.0f before", float64(peak)/mib))
	return nil
}

// start measures how soon the first record of a backlog arrives.
func (b *bench) start(ctx context.Context) error {
	path := filepath.Join(b.folder, "start.log")
	log, err := newBacklog(path, nodelog.Config{Seed: b.seed, Failing: 0.01}, 64<<20, time.Now())
	if err != nil {
		return err
	}
	defer os.Remove(log.path) //nolint:errcheck // the folder goes too, unless it was given
	const rounds = 5
	b.report.begin("start", fmt.Sprintf("Start with a backlog of 64 MiB; median of %d", rounds))
	var first []time.Duration
	for range rounds {
		took, err := b.firstRecord(ctx, log.path)
		if err != nil {
			return err
		}
		first = append(first, took)
	}
	b.report.hold("start to first record", millis(median(first)), mostStart, "ms", "")
	return nil
}

func (b *bench) firstRecord(ctx context.Context, path string) (took time.Duration, err error) {
	if err := warm(path); err != nil {
		return 0, err
	}
	s, err := b.open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.tally.Wait(ctx, 1); err != nil {
		return 0, err
	}
	return time.Since(s.agent.Started()), nil
}
