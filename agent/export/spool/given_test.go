package spool_test

import (
	"errors"
	"strings"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// What the receiver has already when it is stored counts as given, also where some of it
// cannot be stored.
func TestAppendGiven(t *testing.T) {
	s := open(t, spool.Config{Dir: t.TempDir(), MaxBytes: 2000})
	bad := record(1)
	bad.Version = 2
	if err := s.Append([]export.Record{record(0), bad, record(2), record(3)}, 3); !errors.Is(err, spool.ErrDropped) {
		t.Errorf("got %v, want %v", err, spool.ErrDropped)
	}
	add(t, s, record(4))
	s.Ack(2) // 0 and the one that is not there
	s.Ack(1) // 2
	s.Ack(1) // no more were given
	same(t, "rest", drain(t, s), []int{3, 4})

	given := recordsOf(10, 20) // more than the bound
	if err := s.Append(given, len(given)-1); err != nil {
		t.Fatal(err)
	}
	s.Ack(len(given))
	same(t, "rest", drain(t, s), []int{29})

	if err := s.Append(recordsOf(40, 3), 2); err != nil {
		t.Fatal(err)
	}
	same(t, "given again", numbers(t, s.Next(1, 1, nil)), []int{40})
	s.Ack(2)
	same(t, "rest", drain(t, s), []int{41, 42})
}

// What waits is not acknowledged in place of what counts as given behind it.
func TestAppendGivenBehindOthers(t *testing.T) {
	for _, tt := range []struct {
		segment int64
		want    []int // of 0, 1 and 2, of which 1 is given
	}{
		{1, []int{0, 2}},
		{1 << 20, []int{0, 1, 2}}, // they share a segment: it comes again
	} {
		s := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: tt.segment})
		add(t, s, record(0))
		if err := s.Append(recordsOf(1, 2), 1); err != nil {
			t.Fatal(err)
		}
		s.Ack(1)
		same(t, "all", drain(t, s), tt.want)
	}
}

// What was given when the bound took it is lost if the receiver does not take it, and
// that is known when it is asked for again, or never will be.
func TestBoundTakesWhatIsGiven(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *spool.Spool)
		lost int64 // of four in two segments, of which three were given
	}{
		{"not yet known", func(*spool.Spool) {}, 1},
		{"acknowledged", func(s *spool.Spool) { s.Ack(3); s.Next(1, 1, nil) }, 1},
		{"acknowledged in part", func(s *spool.Spool) { s.Ack(1); s.Next(1, 1, nil); s.Next(1, 1, nil) }, 3},
		{"not acknowledged", func(s *spool.Spool) { s.Next(1, 1, nil); s.Ack(1); s.Next(1, 1, nil) }, 4},
		{"closed", func(s *spool.Spool) { same(t, "error", s.Close(), nil) }, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lost lossLog
			s := open(t, spool.Config{Dir: t.TempDir(), MaxBytes: 2000, SegmentBytes: 500, Lost: lost.add})
			var size int64
			for i := range 4 {
				add(t, s, record(i))
				size = s.Status().Bytes
			}
			same(t, "given", numbers(t, s.Next(3, 1<<20, nil)), span(0, 3))
			for i := 4; i < 14; i++ {
				add(t, s, record(i))
			}
			tt.end(s)
			same(t, "lost", lost.records(), map[string]int64{spool.ReasonFull: tt.lost})
			if bytes := lost.bytes(); bytes != size*tt.lost/4 {
				t.Errorf("got %d bytes of %d lost with %d of 4 records", bytes, size, tt.lost)
			}
		})
	}
}

// What the receiver has may be more than the bound. What of it is not stored is lost only
// if the receiver does not take it.
func TestBoundOfWhatIsGiven(t *testing.T) {
	huge := recordOf(1, strings.Repeat("x", 3000)) // alone exceeds the bound
	for _, tt := range []struct {
		name    string
		before  []export.Record // they wait
		records []export.Record
		given   int
		acked   int
		want    map[string]int64
		left    []int
	}{
		{"taken", nil, recordsOf(10, 20), 20, 20, map[string]int64{}, []int{}},
		{"taken in part", nil, recordsOf(10, 20), 20, 4, map[string]int64{spool.ReasonFull: 6}, span(20, 30)},
		{"not taken", nil, recordsOf(10, 20), 20, 0, map[string]int64{spool.ReasonFull: 10}, span(20, 30)},
		{"some were not given", nil, recordsOf(10, 20), 4, 4, map[string]int64{spool.ReasonFull: 6}, span(20, 30)},
		{"too large", nil, []export.Record{record(0), huge, record(2)}, 3, 3, map[string]int64{}, []int{}},
		{"too large, not taken", nil, []export.Record{record(0), huge, record(2)}, 3, 1, map[string]int64{spool.ReasonFull: 1}, []int{2}},
		{"all too large", nil, []export.Record{huge}, 1, 1, map[string]int64{}, []int{}},
		{"all too large, not taken", nil, []export.Record{huge}, 1, 0, map[string]int64{spool.ReasonFull: 1}, []int{}},
		{"behind others", recordsOf(0, 1), []export.Record{huge, record(2)}, 2, 2, map[string]int64{}, []int{0, 2}},
		{"behind others, not taken", recordsOf(0, 1), []export.Record{huge, record(2)}, 2, 0, map[string]int64{spool.ReasonFull: 1}, []int{0, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lost lossLog
			s := open(t, spool.Config{Dir: t.TempDir(), MaxBytes: 2000, Lost: lost.add})
			add(t, s, tt.before...)
			if err := s.Append(tt.records, tt.given); err != nil && !errors.Is(err, spool.ErrDropped) {
				t.Fatal(err)
			}
			s.Ack(tt.acked)
			same(t, "rest", drain(t, s), tt.left)
			same(t, "lost", lost.records(), tt.want)
		})
	}
}
