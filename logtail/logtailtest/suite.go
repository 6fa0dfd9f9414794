package logtailtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pullcause/logtail"
)

// Log is a log under test: one that a source can read.
type Log interface {
	// Write appends whole lines and returns once a source can see them.
	Write(t testing.TB, lines ...string)
	// Rotate does what the log system does from time to time. Nothing is lost by it.
	Rotate(t testing.TB)
	// Source returns a new source of this log that is not yet running: at the first
	// start, reading all there is, if start is nil; else going on there. Its name is
	// always the same.
	Source(t testing.TB, start *logtail.Position, filter logtail.Filter) logtail.Source
}

// Suite checks that a source does as [logtail.Source] says. newLog makes an empty
// log for each test.
func Suite(t *testing.T, newLog func(t *testing.T) Log) {
	for name, test := range map[string]func(*testing.T, Log){
		"ReadsWhatIsThere":     readsWhatIsThere,
		"Follows":              follows,
		"FollowsRotation":      followsRotation,
		"PositionsGrow":        positionsGrow,
		"ResumesAtEnd":         resumesAtEnd,
		"ResumesAtPos":         resumesAtPos,
		"ResumesAtProgress":    resumesAtProgress,
		"ResumesAfterRotation": resumesAfterRotation,
		"Filters":              filters,
		"HandsOverWhatFollows": handsOverWhatFollows,
		"CountsWhatPasses":     countsWhatPasses,
		"TellsItsStatus":       tellsItsStatus,
		"StopsWithin":          stopsWithin,
		"StopsBeforeStart":     stopsBeforeStart,
	} {
		t.Run(name, func(t *testing.T) { test(t, newLog(t)) })
	}
}

// lines makes n lines that differ, the first one numbered from.
func lines(from, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`time="2026-01-02T15:04:05.%09dZ" level=info msg="line %d"`, from+i, from+i))
	}
	return all
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %d lines, want %d\n got %q\nwant %q", what, len(got), len(want), got, want)
	}
}

// stored is what becomes of a position in a checkpoint.
func stored(t *testing.T, p logtail.Position) *logtail.Position {
	t.Helper()
	text, err := json.Marshal(p)
	must(t, err)
	var q logtail.Position
	must(t, json.Unmarshal(text, &q))
	return &q
}

func readsWhatIsThere(t *testing.T, log Log) {
	log.Write(t, lines(0, 10)...)
	var r Recorder
	Start(t, log.Source(t, nil, nil), &r)
	expect(t, "all", r.Wait(t, 10), lines(0, 10))
}

func follows(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, lines(0, 1)...)
	Start(t, log.Source(t, nil, nil), &r)
	for i := range 5 {
		expect(t, "so far", r.Wait(t, i+1), lines(0, i+1))
		log.Write(t, lines(i+1, 1)...)
	}
}

func followsRotation(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, lines(0, 3)...)
	Start(t, log.Source(t, nil, nil), &r)
	for i := range 4 {
		r.Wait(t, 3*(i+1))
		log.Rotate(t)
		log.Write(t, lines(3*(i+1), 3)...)
	}
	expect(t, "over rotations", r.Wait(t, 15), lines(0, 15))
}

func positionsGrow(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, lines(0, 5)...)
	s := log.Source(t, nil, nil)
	stop := Start(t, s, &r)
	r.Wait(t, 5)
	log.Rotate(t)
	log.Write(t, lines(5, 5)...)
	r.Wait(t, 10)
	stop()
	var last logtail.Position
	for i, rec := range r.Records() {
		if rec.Source != s.Name() || rec.Pos.Source != s.Name() || rec.End.Source != s.Name() {
			t.Errorf("record %d: got sources %q, %q, %q, want %q", i, rec.Source, rec.Pos.Source, rec.End.Source, s.Name())
		}
		if i > 0 && rec.Pos.Before(last) || !rec.Pos.Before(rec.End) {
			t.Errorf("record %d: got %v to %v after %v, want each to begin where or after the last ended", i, rec.Pos, rec.End, last)
		}
		if rec.Observed.IsZero() {
			t.Errorf("record %d: got no time of observation", i)
		}
		last = rec.End
	}
	var at logtail.Position
	for i, p := range r.AllProgress() {
		if i > 0 && p.Pos.Before(at) {
			t.Errorf("progress %d: got %v after %v, want none to go back", i, p.Pos, at)
		}
		at = p.Pos
	}
}

// readThree reads 6 lines and returns the third record.
func readThree(t *testing.T, log Log) logtail.Record {
	t.Helper()
	var r Recorder
	log.Write(t, lines(0, 6)...)
	stop := Start(t, log.Source(t, nil, nil), &r)
	r.Wait(t, 6)
	stop()
	return r.Records()[2]
}

func resumesAtEnd(t *testing.T, log Log) {
	third := readThree(t, log)
	log.Write(t, lines(6, 2)...)
	var r Recorder
	Start(t, log.Source(t, stored(t, third.End), nil), &r)
	expect(t, "from the end of the third", r.Wait(t, 5), lines(3, 5))
}

func resumesAtPos(t *testing.T, log Log) {
	third := readThree(t, log)
	var r Recorder
	Start(t, log.Source(t, stored(t, third.Pos), nil), &r)
	expect(t, "from the beginning of the third", r.Wait(t, 4), lines(2, 4))
	again := r.Records()[0]
	if again.Pos.Stream != third.Pos.Stream || again.Pos.Offset != third.Pos.Offset {
		t.Errorf("the third read again: got position %v, want the same as before, %v", again.Pos, third.Pos)
	}
}

func resumesAtProgress(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, lines(0, 6)...)
	stop := Start(t, log.Source(t, nil, nil), &r)
	r.Until(t, "progress of 6 lines", func() bool { n, _ := r.Passed(); return n == 6 })
	stop()
	log.Write(t, lines(6, 3)...)
	var again Recorder
	Start(t, log.Source(t, stored(t, *r.Position()), nil), &again)
	expect(t, "from the last progress", again.Wait(t, 3), lines(6, 3))
	if len(again.Losses()) > 0 {
		t.Errorf("got losses %+v, want none", again.Losses())
	}
}

func resumesAfterRotation(t *testing.T, log Log) {
	third := readThree(t, log)
	for i := range 3 {
		log.Rotate(t)
		log.Write(t, lines(6+2*i, 2)...)
	}
	var r Recorder
	Start(t, log.Source(t, stored(t, third.End), nil), &r)
	expect(t, "over three rotations while no one read", r.Wait(t, 9), lines(3, 9))
	if len(r.Losses()) > 0 {
		t.Errorf("got losses %+v, want none", r.Losses())
	}
}

// filter finds lines that hold "wanted".
func filter(block []byte) int { return bytes.Index(block, []byte("wanted")) }

func filters(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, "noise 1", "a wanted line", "noise 2", "wanted", "noise 3")
	Start(t, log.Source(t, nil, filter), &r)
	r.Wait(t, 2)
	log.Write(t, "noise 4", "the last one wanted")
	expect(t, "wanted lines", r.Wait(t, 3), []string{"a wanted line", "wanted", "the last one wanted"})
}

func handsOverWhatFollows(t *testing.T, log Log) {
	r := Recorder{More: func(rec logtail.Record) bool { return bytes.HasSuffix(rec.Body, []byte("<")) }}
	log.Write(t, "noise 1", "wanted err=<", "  part 1 <", "  part 2", "noise 2", "wanted again <")
	Start(t, log.Source(t, nil, filter), &r)
	r.Wait(t, 4)
	log.Rotate(t)
	log.Write(t, "  part 3", "noise 3", "wanted")
	expect(t, "wanted lines with what follows", r.Wait(t, 6),
		[]string{"wanted err=<", "  part 1 <", "  part 2", "wanted again <", "  part 3", "wanted"})
}

func countsWhatPasses(t *testing.T, log Log) {
	var r Recorder
	log.Write(t, lines(0, 50)...)
	s := log.Source(t, nil, filter)
	Start(t, s, &r)
	r.Until(t, "progress of 50 lines", func() bool { n, _ := r.Passed(); return n == 50 })
	if _, n := r.Passed(); n <= 0 {
		t.Errorf("got %d bytes passed, want more than 0", n)
	}
	if st := s.Status(); st.Lines != 50 || st.Position != *r.Position() {
		t.Errorf("status: got %d lines and position %v, want 50 and %v", st.Lines, st.Position, r.Position())
	}
	if r.Len() > 0 {
		t.Errorf("got records %q, want none", r.Lines())
	}
}

func tellsItsStatus(t *testing.T, log Log) {
	s := log.Source(t, nil, nil)
	if st := s.Status(); st.Name != s.Name() || st.State != logtail.StateStopped || st.Kind == "" {
		t.Errorf("status before Run: got %+v, want name %q, a kind and state %q", st, s.Name(), logtail.StateStopped)
	}
	var r Recorder
	log.Write(t, lines(0, 1)...)
	stop := Start(t, s, &r)
	r.Wait(t, 1)
	if st := s.Status(); st.State != logtail.StateReading || st.Error != "" {
		t.Errorf("status while reading: got %+v, want state %q and no error", st, logtail.StateReading)
	}
	stop()
	if st := s.Status(); st.State != logtail.StateStopped {
		t.Errorf("status after Run: got state %q, want %q", st.State, logtail.StateStopped)
	}
}

// stopsWithin stops a source from within its handler: no more than one more record
// may come, and none after Run returned.
func stopsWithin(t *testing.T, log Log) {
	log.Write(t, lines(0, 20)...)
	ctx, cancel := context.WithCancel(t.Context())
	r := Recorder{More: func(logtail.Record) bool { cancel(); return false }}
	if err := log.Source(t, nil, nil).Run(ctx, &r); err != nil {
		t.Errorf("Run: got error %v, want nil", err)
	}
	n := r.Len()
	log.Write(t, lines(20, 20)...)
	if n == 0 || r.Len() != n {
		t.Errorf("got %d records, then %d after Run returned; want some, and no more", n, r.Len())
	}
}

func stopsBeforeStart(t *testing.T, log Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var r Recorder
	if err := log.Source(t, nil, nil).Run(ctx, &r); err != nil {
		t.Errorf("Run: got error %v, want nil", err)
	}
}
