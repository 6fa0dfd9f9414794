package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// fail concludes a failed pull with an error of some size.
func (s *street) fail(i, size int) {
	s.pipeline.mu.Lock()
	defer s.pipeline.mu.Unlock()
	image := fmt.Sprintf("r.example.com/team/app%d:1", i)
	s.conclude(enrichItem{attempt: &attempt.Attempt{
		UID: fmt.Sprintf("%032d", i), Ref: image, Image: image, Registry: "r.example.com", Program: detect.Containerd, End: time.Now(), Whole: true,
		Failure: &detect.Failure{Text: strings.Repeat("<p>no</p>", size/9+1)[:size]},
	}}, enrich.Facts{}, time.Now())
}

// keeper stores the state of a street in a folder.
func (s *street) keeper(dir string) *positions {
	p := &positions{store: checkpoint.Open(dir), pipe: s.pipeline, log: s.log, moved: make(chan struct{}, 1), passed: make(chan struct{}, 1)}
	p.load(func(string) bool { return true })
	s.moved = p.note
	return p
}

// storedAt is the position that another process would find, and how many incidents.
func storedAt(t *testing.T, dir string) (offset int64, incidents int) {
	t.Helper()
	saved := &savedIncidents{most: 20_000}
	at, err := checkpoint.Open(dir).Load(saved)
	if err != nil {
		t.Fatal(err)
	}
	return at["file:/x"].Offset, len(saved.byID)
}

// A position is on the disk a second after its records are settled, also while thousands of
// incidents are open, and storing it costs what has changed.
func TestPositionIsStoredWithinASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		p := s.keeper(dir)
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		const open = 5000
		for i := range open {
			s.fail(i, 400)
			if i%200 == 0 {
				time.Sleep(10 * time.Millisecond) // the receiver is well
			}
		}
		reach := func(offset int64) {
			t.Helper()
			s.ledger.Reached(logtail.Position{Source: "file:/x", Stream: "s", Offset: offset})
			p.note()
			time.Sleep(time.Second)
			synctest.Wait()
			if got, incidents := storedAt(t, dir); got != offset || incidents != open {
				t.Errorf("after a second: got the position %d and %d incidents, want %d and %d", got, incidents, offset, open)
			}
		}
		reach(1000)
		before := journalSize(t, dir)
		for i := range int64(8) {
			s.fail(int(i), 400)
			reach(1001 + i)
		}
		if grown := journalSize(t, dir) - before; grown <= 0 || grown > 32<<10 {
			t.Errorf("the journal has grown by %d bytes for 8 positions and incidents, want some and at most 32 KiB", grown)
		}
		cancel()
		s.told("")
	})
}

func journalSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "state.journal"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A quiet node writes once in ten minutes.
func TestNoiseIsStoredSeldom(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		p := s.keeper(dir)
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		for second := range int64(3600) {
			s.ledger.Reached(logtail.Position{Source: "file:/x", Stream: "s", Offset: second})
			p.pass(100)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got, _ := storedAt(t, dir); got < 2990 {
			t.Errorf("got the position %d, want one of ten minutes ago at most", got)
		}
		// Each of six saves is one line of a hundred bytes or so.
		if got := journalSize(t, dir); got > 1200 {
			t.Errorf("the journal has %d bytes after an hour, want six lines", got)
		}
		cancel()
		s.told("")
	})
}

// 1,400 images fail with 60 KB of text each, 700 with HTML: the state is one that the next
// start accepts, with all incidents.
func TestStateOfLongErrorsIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		p := s.keeper(dir)
		const images = 1400
		for i := range images {
			s.fail(i, 60_000)
			if i%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		for range 2 {
			s.ledger.Reached(logtail.Position{Source: "file:/x", Stream: "s", Offset: 7})
			if !p.save() {
				t.Error("it cannot be stored")
			}
			if got, incidents := storedAt(t, dir); got != 7 || incidents != images {
				t.Errorf("got the position %d and %d incidents, want 7 and %d", got, incidents, images)
			}
			size := int64(0)
			for _, name := range []string{"state.json", "state.journal"} {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				size += info.Size()
			}
			if size > 24<<20 {
				t.Errorf("the state takes %d bytes, want at most 24 MiB", size)
			}
			again := newStreet(t)
			p = again.keeper(dir)
			if got := len(again.incidents.Open()); got != images {
				t.Errorf("the next start has %d incidents, want %d", got, images)
			}
			again.told("")
		}
		s.told("")
	})
}

// While the disk fails it is tried again, ever more seldom, and then all is stored.
func TestStateIsStoredOnceTheDiskWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		p := s.keeper(dir)
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		s.fail(1, 100)
		s.ledger.Reached(logtail.Position{Source: "file:/x", Stream: "s", Offset: 7})
		p.note()
		time.Sleep(10 * time.Minute)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * maxRetry)
		synctest.Wait()
		if got, incidents := storedAt(t, dir); got != 7 || incidents != 1 {
			t.Errorf("got the position %d and %d incidents, want 7 and 1", got, incidents)
		}
		cancel()
		s.told("")
	})
}

// An attempt that an earlier run has reported holds its lines back no longer than delivery
// takes: else runs of a few seconds would read the same lines for ever.
func TestShortRunsMakeProgress(t *testing.T) {
	dir := t.TempDir()
	for run, want := range []int64{10, 100} {
		synctest.Test(t, func(t *testing.T) {
			s := newStreet(t)
			p := s.keeper(dir)
			ctx, cancel := context.WithCancel(t.Context())
			go p.run(ctx)
			at := func(offset int64) logtail.Position {
				return logtail.Position{Source: "file:/x", Stream: "s", Offset: offset}
			}
			s.ledger.Reached(at(100))
			s.pipeline.mu.Lock()
			s.conclude(enrichItem{
				attempt: &attempt.Attempt{UID: "a", Ref: "r.example.com/app:1", End: time.Now()},
				hold:    s.hold(logtail.Spans{{First: at(10), Last: at(20)}}),
			}, enrich.Facts{}, time.Now())
			s.pipeline.mu.Unlock()
			time.Sleep(time.Second)
			synctest.Wait()
			if got, incidents := storedAt(t, dir); got != want || incidents != 1 {
				t.Errorf("run %d: got the position %d and %d incidents after a second, want %d and 1", run+1, got, incidents, want)
			}
			cancel()
			s.told("")
		})
	}
}
