package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
)

// host is the machine's own systemd.
func host(t *testing.T) journaltest.Systemd {
	t.Helper()
	s, err := journaltest.Host()
	if err != nil {
		cannot(t, err)
	}
	return s
}

// small keeps so little that a fast writer has journald remove what was not read.
const small = "RuntimeMaxUse=6M\nRuntimeMaxFileSize=1M\nRuntimeKeepFree=0\n"

// gate is a handler that can be held up, as one is whose receiver is away.
type gate struct {
	logtailtest.Recorder

	mu sync.Mutex // held = held up
}

func (g *gate) Handle(rec logtail.Record) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Recorder.Handle(rec)
}

func (g *gate) hold() { g.mu.Lock() }
func (g *gate) open() { g.mu.Unlock() }

// TestVacuumWhileReading has journald remove what is being read, again and again:
// what is reported as lost must be no less than what is missing.
func TestVacuumWhileReading(t *testing.T) {
	for _, s := range installations(t) {
		t.Run(fmt.Sprint("systemd ", s.Version), func(t *testing.T) {
			t.Parallel()
			log := newTestLog(t, s, newWatcher(t), small)
			noise := newWriter(t, log.daemon, "noise", "noise.service")
			var g gate
			src := log.Source(t, nil, nil)
			stop := logtailtest.Start(t, src, &g)
			const rounds, each = 8, 3000
			for round := range rounds {
				g.hold()
				log.Write(t, numbered(round*each, each)...)
				_, err := noise.Write([]byte(strings.Repeat(strings.Repeat("x", 200)+"\n", each)))
				must(t, err)
				must(t, log.daemon.Sync(t.Context()))
				g.open()
			}
			log.Write(t, "the end")
			g.Until(t, "the end", func() bool { return contains(g.Lines(), "the end") })
			stop()
			missing := int64(rounds*each - (g.Len() - 1))
			lost := g.Loss(logtail.LostVacuumed)
			t.Logf("%d of %d lines missing, %d entries reported as lost", missing, rounds*each, lost.Count)
			if missing == 0 {
				t.Error("nothing is missing: journald has removed nothing, and this tests nothing")
			}
			if lost.Count < missing || lost.Count > 2*rounds*each {
				t.Errorf("%d lines are missing, %d entries are reported as lost: want no fewer, and no more than were written", missing, lost.Count)
			}
			if n := g.Loss(logtail.LostCorrupt).Count; n > 0 {
				t.Errorf("%d entries reported as corrupt, want none: %s", n, g.Loss(logtail.LostCorrupt).Detail)
			}
			ordered(t, g.Lines())
		})
	}
}

// TestVacuumWhileAway has journald remove entries while nobody reads.
func TestVacuumWhileAway(t *testing.T) {
	t.Parallel()
	log := newTestLog(t, host(t), nil, small)
	log.Write(t, numbered(0, 10)...)
	var before logtailtest.Recorder
	stop := logtailtest.Start(t, log.Source(t, nil, nil), &before)
	before.Wait(t, 10)
	before.Until(t, "progress to the end", func() bool { return before.Position() != nil })
	stop()
	const n = 40_000
	log.Write(t, numbered(10, n)...)
	must(t, log.daemon.Sync(t.Context()))
	var after logtailtest.Recorder
	logtailtest.Start(t, log.Source(t, before.Position(), nil), &after)
	after.Until(t, "the last line", func() bool { return contains(after.Lines(), numbered(9+n, 1)[0]) })
	missing, lost := int64(n-after.Len()), after.Loss(logtail.LostVacuumed).Count
	t.Logf("%d of %d lines missing, %d entries reported as lost", missing, n, lost)
	if missing == 0 || lost < missing || lost > n+100 {
		t.Errorf("%d of %d lines are missing, %d entries are reported as lost", missing, n, lost)
	}
}

// TestNothingLost stops and goes on around rotations: no entry is missing, and none
// may be reported to be.
func TestNothingLost(t *testing.T) {
	t.Parallel()
	log := newTestLog(t, host(t), nil, "")
	var r logtailtest.Recorder
	var start *logtail.Position
	for i := range 5 {
		log.Write(t, numbered(10*i, 10)...)
		must(t, log.daemon.Sync(t.Context()))
		stop := logtailtest.Start(t, log.Source(t, start, nil), &r)
		r.Wait(t, 10*(i+1))
		log.Rotate(t)
		stop()
		start = r.Position()
		log.Rotate(t)
	}
	if losses := r.Losses(); len(losses) > 0 {
		t.Errorf("got losses %+v, want none", losses)
	}
	ordered(t, r.Lines())
}

// TestPermission has files that may not be read, then may.
func TestPermission(t *testing.T) {
	log := newTestLog(t, host(t), nil, "")
	log.Write(t, numbered(0, 5)...)
	log.Rotate(t)
	log.Write(t, numbered(5, 5)...)
	must(t, log.daemon.Sync(t.Context()))
	dir := filepath.Join(log.daemon.Journal(), log.daemon.MachineID())
	reachable(t, dir)
	archived, err := filepath.Glob(filepath.Join(dir, "system@*.journal"))
	if err != nil || len(archived) != 1 {
		t.Fatalf("got archived files %v, %v, want one", archived, err)
	}
	must(t, os.Chmod(filepath.Join(dir, "system.journal"), 0o644))
	must(t, os.Chmod(archived[0], 0o600))
	var r logtailtest.Recorder
	src, ok := log.Source(t, nil, nil).(*Source)
	if !ok {
		t.Fatal("not a *Source")
	}
	f := newFollower(src, &r)
	defer f.stop()
	asNobody(t, func() { f.turn(t.Context()) })
	if got := r.Lines(); len(got) != 5 {
		t.Errorf("got %q, want the 5 lines of the file that may be read", got)
	}
	want := archived[0] + ": permission denied: run as root, or as a member of the group systemd-journal"
	if st := src.Status(); len(st.Problems) != 1 || st.Problems[0] != want || st.State != logtail.StateReading {
		t.Errorf("got state %q and problems %q, want %q and %q", st.State, st.Problems, logtail.StateReading, want)
	}
	must(t, os.Chmod(archived[0], 0o644))
	asNobody(t, func() { f.turn(t.Context()) })
	if got := r.Lines(); len(got) != 10 {
		t.Errorf("got %q, want the other 5 lines too", got)
	}
	if st := src.Status(); len(st.Problems) > 0 {
		t.Errorf("got problems %q, want none any more", st.Problems)
	}
	if losses := r.Losses(); len(losses) > 0 {
		t.Errorf("got losses %+v, want none", losses)
	}
}

// TestNothingReadable has a journal of which nothing may be read.
func TestNothingReadable(t *testing.T) {
	root := t.TempDir()
	reachable(t, root)
	must(t, os.Mkdir(filepath.Join(root, strings.Repeat("a", 32)), 0)) // its owner may not read it either
	src := newSource(t, Config{Roots: []string{root, filepath.Join(root, "none")}, Follow: Known(), Poll: time.Hour})
	f := newFollower(src, &logtailtest.Recorder{})
	defer f.stop()
	asNobody(t, func() { f.turn(t.Context()) })
	st := src.Status()
	for _, want := range []string{"permission denied: run as root", filepath.Join(root, "none") + ": no such folder"} {
		if st.State != logtail.StateWaiting || !strings.Contains(st.Error, want) {
			t.Errorf("got state %q and error %q, want %q and %q", st.State, st.Error, logtail.StateWaiting, want)
		}
	}
}
