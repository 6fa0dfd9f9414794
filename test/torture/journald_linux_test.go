package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pullcause/logtail/journal/journaltest"
)

// The two units that are followed, as journalctl is asked for them.
var followed = []string{"_SYSTEMD_UNIT=containerd.service", "_SYSTEMD_UNIT=kubelet.service"}

// journaldConfig has journald begin a new file about once a second by itself too,
// and remove none.
const journaldConfig = `
RuntimeMaxFileSize=4M
RuntimeMaxUse=1T
RuntimeKeepFree=1M
RuntimeMaxFiles=100000
`

func TestMain(m *testing.M) {
	journaltest.Child()
	os.Exit(m.Run())
}

// eachSystemd runs a test with the machine's systemd and, on CI, a newer one, side by side.
func eachSystemd(t *testing.T, test func(*testing.T, *journald)) {
	length, seed := settings(t)
	host, err := journaltest.Host()
	if err != nil {
		cannot(t, err)
	}
	if os.Geteuid() != 0 {
		cannot(t, journaltest.ErrNeedsRoot)
	}
	systemds := map[string]journaltest.Systemd{"Host": host}
	newer, err := journaltest.Newer(t.Context(), "../../bin")
	switch {
	case err == nil:
		systemds["Newer"] = newer
	case os.Getenv("CI") == "true":
		cannot(t, err)
	default:
		t.Logf("only with the machine's systemd: %v", err)
	}
	for name, s := range systemds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newJournald(t, s, length, seed))
		})
	}
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %v", why)
	}
	t.Skip(why)
}

// journald is a real one, what is written to it, and how often it is rotated.
type journald struct {
	*feeder

	systemd journaltest.Systemd
	// host is a folder that looks like the file system of a node.
	host      string
	daemon    *journaltest.Daemon
	length    time.Duration
	rng       *rand.Rand // not the feeder's
	rotations int
}

func newJournald(t *testing.T, s journaltest.Systemd, length time.Duration, seed uint64) *journald {
	t.Helper()
	j := &journald{systemd: s, host: t.TempDir(), length: length, rng: rand.New(rand.NewPCG(seed, 3))}
	var err error
	j.daemon, err = journaltest.Start(t.Context(), journaltest.Options{Systemd: s, Dir: j.host, Config: journaldConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.daemon.Stop(); err != nil {
			t.Error(err)
		}
	})
	if j.feeder, err = newFeeder(t.Context(), j.daemon, seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() }) // run has told what went wrong, if it came so far
	return j
}

// run feeds and rotates while another one works, until all is fed and stored.
// Whoever fails first ends the others.
func (j *journald) run(t *testing.T, other func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	fed, done := make(chan struct{}), make(chan error, 3)
	work := func(f func() error) {
		err := f()
		if err != nil {
			cancel(err)
		}
		done <- err
	}
	go work(func() error {
		defer close(fed)
		return j.feed(ctx, j.length)
	})
	go work(func() error { return j.rotate(ctx, fed) })
	go work(func() error { return other(ctx) })
	if err := errors.Join(<-done, <-done, <-done); err != nil {
		t.Fatal(err)
	}
	cancel(nil)
}

// rotate rotates each second until all is fed.
func (j *journald) rotate(ctx context.Context, fed <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-fed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := j.daemon.Rotate(ctx); err != nil {
			return fmt.Errorf("rotation %d: %w", j.rotations+1, err)
		}
		j.rotations++
	}
}

// read returns what journalctl says of the units that are followed. It must be what
// was written.
func (j *journald) read(t *testing.T) []journaltest.Line {
	t.Helper()
	lines, err := j.systemd.Read(t.Context(), j.daemon.Journal(), followed...)
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[string][]string)
	for _, l := range lines {
		unit := string(l.Values("_SYSTEMD_UNIT")[0])
		said[unit] = append(said[unit], string(l.Message))
	}
	for _, u := range []*unit{j.containerd, j.kubelet} {
		got := said[u.name]
		for i := range min(len(got), len(u.lines)) {
			if got[i] != u.lines[i] {
				t.Fatalf("line %d of %s: journalctl reads %q, written was %q", i, u.name, got[i], u.lines[i])
			}
		}
		if len(got) != len(u.lines) {
			t.Fatalf("journalctl reads %d lines of %s, %d were written", len(got), u.name, len(u.lines))
		}
	}
	return lines
}

// report tells what the journal had to bear.
func (j *journald) report(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(j.daemon.Journal(), j.daemon.MachineID(), "system*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("systemd %d: %d entries of containerd and %d of kubelet among %d others in %s; rotated %d times and %d times by itself",
		j.systemd.Version, len(j.containerd.lines), len(j.kubelet.lines), j.foreign.count, j.took.Round(time.Millisecond),
		j.rotations, len(files)-1-j.rotations)
}
