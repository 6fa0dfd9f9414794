package spool_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

func errorAs[E error](err error) (E, bool) { return errors.AsType[E](err) }

// crash is the state of a disk and what must be found on it.
type crash struct {
	disk, before *memFS
	stored       int // so many Appends of the scenario had returned nil
	acked        int
	begun        int
}

const inScenario = 24

// scenario appends and acknowledges, and keeps the disk after each action.
func scenario(t *testing.T) []crash {
	disk := newMemFS()
	var out []crash
	now := crash{before: disk.killed()}
	disk.after = func() {
		now.disk = disk.killed()
		out = append(out, now)
		now.before = now.disk
	}
	s := open(t, spool.Config{Dir: "spool", SegmentBytes: 1000, Files: disk})
	for n := 0; n < inScenario; {
		size := 1 + n%4
		now.begun = n + size
		add(t, s, recordsOf(n, size)...)
		n += size
		now.stored = n
		if n%3 == 0 {
			batch := s.Next(5, 1<<20, nil)
			now.acked += len(batch) // before, since segments go meanwhile
			s.Ack(len(batch))
		}
	}
	now.acked = now.begun
	drain(t, s)
	return out
}

// Whatever the moment, what was stored is there, in order, and none twice.
func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i, c := range scenario(t) {
		check(t, fmt.Sprint("kill -9 after action ", i), c, c.disk.killed())
		for range 10 {
			check(t, fmt.Sprint("kill -9 within action ", i), c, c.disk.cutting(c.before, rng))
			check(t, fmt.Sprint("power loss after action ", i), c, c.disk.unplugged(rng))
		}
	}
}

func check(t *testing.T, when string, c crash, disk *memFS) {
	t.Helper()
	var lost lossLog
	cfg := spool.Config{Dir: "spool", SegmentBytes: 1000, Files: disk, Lost: lost.add}
	s := open(t, cfg)
	got := numbers(t, s.Next(1000, 1<<20, nil))
	found(t, when, got, c.acked, c.stored, c.begun)
	add(t, s, record(900), record(901))
	s = open(t, cfg) // another kill -9
	add(t, s, record(902))
	same(t, when+", again", drain(t, s), append(got, 900, 901, 902))
	if len(lost) > 0 {
		t.Errorf("%s: got losses %+v, want none", when, lost)
	}
	if len(disk.files) > 0 {
		t.Errorf("%s: %d files are left", when, len(disk.files))
	}
	if t.Failed() {
		t.FailNow()
	}
}

// found checks records that were recovered: those from acked to stored must be
// there, more of those before and up to begun may be.
func found(t *testing.T, when string, got []int, acked, stored, begun int) {
	t.Helper()
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("%s: got %v, want them in order and none twice", when, got)
	}
	for n := acked; n < stored; n++ {
		if !slices.Contains(got, n) {
			t.Errorf("%s: got %v without %d, which was stored", when, got, n)
		}
	}
	if len(got) > 0 && got[len(got)-1] >= begun {
		t.Errorf("%s: got %v, want less than %d", when, got, begun)
	}
}

// faulty fails the n-th action, and so many after it.
type faulty struct {
	err        error
	from, many int
	seen       int
	only       string // actions of that name; all if empty
}

func (f *faulty) fail(action, _ string) error {
	if f.only != "" && action != f.only {
		return nil
	}
	f.seen++
	if f.seen > f.from && f.seen <= f.from+f.many {
		return f.err
	}
	return nil
}

// Whatever fails, and however long, once the disk is well again the spool is.
// What Append refuses is appended again, as by the agent.
func TestFaults(t *testing.T) {
	for _, err := range append(diskErrors, shortWrite{}, shortWrite{diskErrors[0]}) {
		for _, many := range []int{1, 2, 7, 30} {
			for from := range 120 {
				only := ""
				if _, ok := errorAs[shortWrite](err); ok {
					only = "write"
				}
				disk := newMemFS()
				f := &faulty{err: err, from: from, many: many, only: only}
				disk.fail, disk.cut = f.fail, func(n int) int { return n / 2 }
				faults(t, fmt.Sprintf("%v, %d times from action %d", err, many, from), disk)
			}
		}
	}
}

func faults(t *testing.T, what string, disk *memFS) {
	t.Helper()
	var lost lossLog
	cfg := spool.Config{Dir: "spool", SegmentBytes: 1000, Files: disk, Lost: lost.add}
	s := openAtLast(t, cfg)
	got := []int{}
	for n := 0; n < 20; n += 2 {
		for tries := 0; s.Append([]export.Record{record(n), record(n + 1)}, 0) != nil; tries++ {
			if tries > 100 {
				t.Fatalf("%s: Append does not recover: %s", what, s.Status().Err)
			}
		}
		if n%3 == 0 {
			batch := s.Next(4, 1<<20, nil)
			got = append(got, numbers(t, batch)...)
			s.Ack(len(batch))
		}
	}
	disk.fail = nil
	got = append(got, drain(t, s)...)
	found(t, what, got, 20, 20, 20)
	if sum := lost.records()[spool.ReasonUnreadable]; int64(len(got))+sum != 20 {
		t.Errorf("%s: got %v and lost %+v, which are not 20 together", what, got, lost)
	}
	add(t, s, record(20))
	same(t, what+": the next one", drain(t, s), []int{20})
	if st := s.Status(); st.Records != 0 || st.Bytes != 0 || st.Err != "" || len(disk.files) != 0 {
		t.Errorf("%s: got status %+v and %d files, want none", what, st, len(disk.files))
	}
	if t.Failed() {
		t.FailNow()
	}
}

func openAtLast(t *testing.T, cfg spool.Config) *spool.Spool {
	t.Helper()
	for range 100 {
		if s, err := spool.Open(cfg); err == nil {
			return s
		}
	}
	t.Fatal("Open does not recover")
	return nil
}
