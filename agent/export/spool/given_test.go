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
