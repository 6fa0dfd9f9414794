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

// idle measures an agent whose log has fallen silent.
func (b *bench) idle(ctx context.Context) (err error) {
	path := filepath.Join(b.folder, "idle.log")
	log, err := newBacklog(path, nodelog.Config{Seed: b.seed, Failing: 0.01}, 1<<20, time.Now())
	if err != nil {
		return err
	}
	s, err := b.open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.tally.Wait(ctx, len(log.causes)); err != nil {
		return err
	}
	length, most := time.Minute, mostIdleCPU
	if b.short {
		length, most = 10*time.Second, mostIdleCPU/6
	}
	b.report.begin("idle", fmt.Sprintf("Idle: nothing is written for %s", length))
	// Connections and what was put off at the start settle first.
	if err := sleep(ctx, 5*time.Second); err != nil {
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
	now, _, err := s.agent.Memory()
	if err != nil {
		return err
	}
	b.report.tell("agent, until then", millis(before), "CPU-ms", "start, 1 MiB of log and its records")
	b.report.hold("agent", millis(after-before), most, "CPU-ms", "")
	b.report.hold("resident memory", float64(now)/mib, mostIdleMemory, "MiB", "")
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
