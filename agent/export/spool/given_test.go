package spool_test

import (
	"errors"
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
