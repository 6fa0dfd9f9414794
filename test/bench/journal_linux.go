package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/logtail"
	"pullcause/logtail/journal"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/watch"
	"pullcause/test/bench/agentproc"
)

// Targets of the journal: what others write must not cost much, and reading less
// than journalctl's.
const (
	mostOfOthers     = 2.0 // times
	mostOfJournalctl = 1.0 // times
)

// beWriter makes this process one of those that write to a journal, if it is to be.
func beWriter() { journaltest.Child() }

// followed is the unit that is read.
const followed = "containerd.service"

// journal compares what reading a journal costs: without entries of others and among
// a thousand times as many, from the files and while they are written; and all of it
// with journalctl.
func (b *bench) journal(ctx context.Context) error {
	systemd, err := journaltest.Host()
	if err != nil {
		return fmt.Errorf("%w; leave the part out with -only", err)
	}
	all := 1_000_000
	if b.short {
		all = 100_000
	}
	ours := all / 1000
	b.report.begin("journal", fmt.Sprintf("Journal: %d entries of a unit, alone and among %d of others", ours, all))
	for _, live := range []bool{false, true} {
		var alone, among cost
		if alone, err = b.readAmong(ctx, systemd, ours, 0, live); err != nil {
			return err
		}
		if among, err = b.readAmong(ctx, systemd, ours, all, live); err != nil {
			return err
		}
		name := map[bool]string{false: "archived", true: "followed"}[live]
		b.report.hold(name+", CPU", among.CPU/alone.CPU, mostOfOthers, "times", fmt.Sprintf("%.0f ms against %.0f ms", among.CPU, alone.CPU))
		b.report.hold(name+", reads", among.Reads/alone.Reads, mostOfOthers, "times", fmt.Sprintf("%.0f against %.0f", among.Reads, alone.Reads))
	}
	return b.readEverything(ctx, systemd, all)
}

// idleJournal measures an agent that rests beside a journal of many files.
func (b *bench) idleJournal(ctx context.Context, length time.Duration, most float64) (err error) {
	systemd, err := journaltest.Host()
	if err != nil {
		return fmt.Errorf("%w; leave the part out with -only", err)
	}
	root := filepath.Join(b.folder, "idle-node")
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	node, err := openNode(ctx, systemd, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.close()) }()
	const archived, each = 50, 1000
	for range archived {
		if err := node.write(ctx, each, each, 0); err != nil {
			return err
		}
		if err := node.Rotate(ctx); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(node.ours, failedPull+"\n"); err != nil {
		return err
	}
	s, err := b.openAgent(agentproc.Config{HostRoot: root})
	if err != nil {
		return err
	}
	return errors.Join(b.rest(ctx, s, fmt.Sprintf("journal of %d files", archived), 1, length, most), s.close())
}

// failedPull is one record, as containerd 2.4.2 writes it.
const failedPull = `time="2026-11-24T10:00:00.000000000Z" level=error msg="PullImage \"registry.example/idle:1\" failed" error="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/idle:1\": failed to resolve reference \"registry.example/idle:1\": registry.example/idle:1: not found"`

// readAmong writes a journal and reads it, as it is written if live, else afterwards.
func (b *bench) readAmong(ctx context.Context, s journaltest.Systemd, ours, others int, live bool) (c cost, err error) {
	dir := filepath.Join(b.folder, "journal")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	node, err := openNode(ctx, s, dir)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, node.close()) }()
	if !live {
		if err := node.write(ctx, ours, others, 0); err != nil {
			return c, err
		}
		return readJournal(ctx, node.Journal(), ours)
	}
	var read error
	var reading sync.WaitGroup
	reading.Go(func() { c, read = readJournal(ctx, node.Journal(), ours) })
	// As fast as the one among others can be written: both take as long.
	const pause = 10 * time.Millisecond
	written := node.write(ctx, ours, others, pause)
	reading.Wait()
	return c, errors.Join(written, read)
}

// readEverything reads a journal of one unit's entries, and has journalctl do so.
func (b *bench) readEverything(ctx context.Context, s journaltest.Systemd, n int) (err error) {
	dir := filepath.Join(b.folder, "journal")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	node, err := openNode(ctx, s, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.close()) }()
	if err := node.write(ctx, n, 0, 0); err != nil {
		return err
	}
	c, err := readJournal(ctx, node.Journal(), n)
	if err != nil {
		return err
	}
	journalctl := exec.CommandContext(ctx, "journalctl", "--directory", node.Journal(), "--output=json", "--quiet", "_SYSTEMD_UNIT="+followed)
	var lines lineCounter
	journalctl.Stdout = &lines
	if err := journalctl.Run(); err != nil {
		return fmt.Errorf("journalctl: %w", err)
	}
	if int(lines) < n {
		return fmt.Errorf("journalctl printed %d of %d entries", lines, n)
	}
	state := journalctl.ProcessState
	theirs := millis(state.UserTime() + state.SystemTime())
	b.report.hold(fmt.Sprintf("all of %d entries, CPU", n), c.CPU/theirs, mostOfJournalctl, "times", fmt.Sprintf("%.0f ms against journalctl -o json's %.0f ms; resident at most %.0f MiB", c.CPU, theirs, c.Memory))
	return nil
}

type lineCounter int

func (c *lineCounter) Write(b []byte) (int, error) {
	*c += lineCounter(bytes.Count(b, []byte{'\n'}))
	return len(b), nil
}

// node is a journald with a unit that is read and one that is not.
type node struct {
	*journaltest.Daemon

	ours, others *journaltest.Writer
}

func openNode(ctx context.Context, s journaltest.Systemd, dir string) (*node, error) {
	d, err := journaltest.Start(ctx, journaltest.Options{Systemd: s, Dir: dir, Config: "RuntimeMaxUse=16G\nRuntimeMaxFiles=1000\n"})
	if err != nil {
		return nil, err
	}
	n := &node{Daemon: d}
	if n.ours, err = d.Writer(ctx, "containerd", followed); err == nil {
		n.others, err = d.Writer(ctx, "noise", "noise.service")
	}
	return n, err
}

// write has n lines of the unit written, each with its share of the others'.
func (n *node) write(ctx context.Context, ours, others int, pause time.Duration) error {
	const line = `time="2026-11-24T10:00:00.000000000Z" level=info msg="RemoveContainer for \"9f3b\" returns successfully"`
	step := max(ours/1000, 1)
	for i := 0; i < ours && ctx.Err() == nil; i += step {
		if _, err := io.WriteString(n.others, strings.Repeat("what a unit writes that nobody asked for, of about this length\n", others/ours*step)); err != nil {
			return err
		}
		if _, err := io.WriteString(n.ours, strings.Repeat(line+"\n", step)); err != nil {
			return err
		}
		if pause > 0 {
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
	}
	return n.Sync(ctx)
}

func (n *node) close() error {
	return errors.Join(n.ours.Close(), n.others.Close(), n.Stop())
}

// cost is what reading a journal took.
type cost struct {
	CPU    float64 `json:"cpu_ms"`
	Reads  float64 `json:"reads"`  // system calls
	Memory float64 `json:"memory"` // resident at most, in MiB
}

// readJournal has another process read a number of entries.
func readJournal(ctx context.Context, dir string, n int) (c cost, err error) {
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	cmd := exec.CommandContext(ctx, self, "read", dir, strconv.Itoa(n))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("read the journal: %w", err)
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("read the journal: %w", err)
	}
	return c, nil
}

// runRead is the process: it follows the journal until it has n entries and prints
// what that took.
func runRead(ctx context.Context, args []string, out io.Writer) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	watcher := watch.New(nil)
	defer watcher.Close() //nolint:errcheck // the process ends
	source, err := journal.New(journal.Config{
		Roots: []string{args[0]}, Lookback: -1, Watcher: watcher,
		Follow: []journal.Candidate{{Unit: followed}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := reads()
	h := &counter{left: n, enough: cancel}
	if err := source.Run(ctx, h); err != nil {
		return err
	}
	if h.left > 0 || h.lost > 0 {
		return fmt.Errorf("%d entries have not come, %d losses were reported", h.left, h.lost)
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(cost{
		CPU:    float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6,
		Reads:  reads() - before,
		Memory: float64(usage.Maxrss) / 1024,
	})
}

// reads is how many read system calls this process has made.
func reads() float64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return math.NaN()
	}
	_, rest, _ := strings.Cut(string(text), "syscr: ")
	count, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(count, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// counter counts the entries that are still to come.
type counter struct {
	left, lost int
	enough     func()
}

// Handle implements [logtail.Handler].
func (c *counter) Handle(logtail.Record) bool {
	if c.left--; c.left == 0 {
		c.enough()
	}
	return false
}

// Progress implements [logtail.Handler].
func (*counter) Progress(logtail.Progress) {}

// Lost implements [logtail.Handler].
func (c *counter) Lost(logtail.Loss) { c.lost++ }
