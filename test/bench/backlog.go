package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"pullcause/test/bench/nodelog"
	"pullcause/test/bench/tally"
)

// Targets of a backlog.
const (
	mostTimesRg     = 2.0  // CPU time of the agent, as a multiple of rg's, where failures are few
	mostBusySeconds = 3.5  // CPU seconds for a gigabyte, where they are many
	mostPeak        = 40.0 // resident MiB, where failures are few
	mostStorm       = 64.0 // resident MiB, where thousands of images fail
	// few is up to which share of failing lines the first target holds.
	few = 0.01
)

// phrases are the substrings by which agent/detect finds the lines worth a look,
// but for those of CRI-O and dockerd, which rg would take six times as long for.
func phrases() []string {
	return []string{
		"PullImage", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError", "InvalidImageName",
		"Failed to pull image", "failed to pull and unpack", "stop pulling image", "cancel pulling image",
		"trying next host", "fetch failed", "pull may not succeed", `"SyncLoop DELETE`, `"SyncLoop REMOVE`,
	}
}

// backlog measures how the agent goes through a log that is there already.
func (b *bench) backlog(ctx context.Context, part string, failing float64) error {
	path := filepath.Join(b.folder, part+".log")
	log, err := newBacklog(path, nodelog.Config{Seed: b.seed, Failing: failing}, int64(b.size), time.Now())
	if err != nil {
		return err
	}
	defer os.Remove(path) //nolint:errcheck // the folder goes too, unless it was given
	b.report.begin(part, fmt.Sprintf("Backlog: %.0f MiB, %.2f million lines, %.1f %% of them of %d failed pulls; median of %d",
		float64(log.bytes)/mib, float64(log.lines)/1e6, 100*failing, len(log.causes), b.rounds))

	var rg, cpu, wall []time.Duration
	var peak float64
	var check tally.Check
	for round := range b.rounds {
		r, err := b.ripgrep(ctx, log)
		if err != nil {
			return err
		}
		run, err := b.readBacklog(ctx, log, fmt.Sprintf("%s-%d", part, round))
		if err != nil {
			return err
		}
		rg, cpu, wall = append(rg, r), append(cpu, run.cpu), append(wall, run.wall)
		peak, check = max(peak, run.peak), add(check, run.check)
	}
	b.reportBacklog(log, failing, median(rg), median(cpu), median(wall))
	most := mostPeak
	if failing > few {
		most = mostStorm
	}
	b.report.hold("peak resident memory", peak, most, "MiB", "")
	b.reportCheck(check)
	return nil
}

func (b *bench) reportBacklog(log backlog, failing float64, rg, cpu, wall time.Duration) {
	gb := float64(log.bytes) / 1e9
	b.report.tell("rg -c with the same phrases", rg.Seconds()/gb, "CPU-s/GB", "")
	if failing <= few {
		b.report.tell("agent", cpu.Seconds()/gb, "CPU-s/GB", "")
		b.report.hold("agent, as a multiple of rg", float64(cpu)/float64(rg), mostTimesRg, "x", "")
	} else {
		b.report.hold("agent", cpu.Seconds()/gb, mostBusySeconds, "CPU-s/GB", "")
	}
	b.report.tell("agent, start to last record", float64(log.bytes)/1e6/wall.Seconds(), "MB/s", "")
}

func (b *bench) reportCheck(c tally.Check) {
	b.report.none("failures that never arrived", c.Wanted-c.Arrived, fmt.Sprintf("of %d in all runs", c.Wanted))
	b.report.none("records that came twice", c.Twice, "")
	b.report.none("failures told under several uids", c.Split, "")
	b.report.none("records of no failure", c.False, "")
	b.report.none("failures with another cause", c.Misjudged, strings.Join(c.Samples, "; "))
}

func add(a, b tally.Check) tally.Check {
	a.Wanted, a.Arrived = a.Wanted+b.Wanted, a.Arrived+b.Arrived
	a.Twice, a.Split, a.False, a.Misjudged = a.Twice+b.Twice, a.Split+b.Split, a.False+b.False, a.Misjudged+b.Misjudged
	a.Samples = append(a.Samples, b.Samples...)
	return a
}

// ripgrep is the CPU time that rg needs to count the lines with a phrase.
func (b *bench) ripgrep(ctx context.Context, log backlog) (time.Duration, error) {
	if err := warm(log.path); err != nil {
		return 0, err
	}
	args := []string{"--count", "--fixed-strings", "--no-config"}
	for _, p := range phrases() {
		args = append(args, "-e", p)
	}
	cmd := exec.CommandContext(ctx, "rg", append(args, log.path)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("run rg: %w: %s (apt-get install ripgrep)", err, out.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// warm reads a file, so that all who follow find it in memory.
func warm(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}

// passage is how one agent went through a backlog.
type passage struct {
	cpu, wall time.Duration
	peak      float64 // MiB
	check     tally.Check
}

// readBacklog lets a new agent read a log until all its failures have arrived.
func (b *bench) readBacklog(ctx context.Context, log backlog, name string) (run passage, err error) {
	if err := warm(log.path); err != nil {
		return run, err
	}
	s, err := b.open(log.path)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	profiled := b.profiled(s, name)
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(log.bytes/1e7)*time.Second)
	defer cancel()
	waitErr := s.tally.Wait(ctx, len(log.causes))
	run.wall = time.Since(s.agent.Started())
	if run.cpu, err = s.agent.CPU(); err != nil {
		return run, err
	}
	// What comes twice would come now.
	if err := sleep(ctx, 1500*time.Millisecond); err != nil && waitErr == nil {
		return run, err
	}
	_, peak, err := s.agent.Memory()
	run.peak = float64(peak) / mib
	run.check = s.tally.Check(log.causes)
	if len(run.check.Missing) > 0 {
		waitErr = nil // the figures tell
	}
	return run, errors.Join(err, waitErr, profiled())
}
