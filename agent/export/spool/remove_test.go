package spool_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"pullcause/agent/export/spool"
)

// refuse makes a disk keep one file.
func refuse(disk *memFS, name string) {
	disk.fail = func(action, path string) error {
		if action == "remove" && strings.HasSuffix(path, name) {
			return syscall.EIO
		}
		return nil
	}
}

// A segment that cannot be removed is followed by all others that there were: a gap
// behind it would look, at the next start, as if records of it were damaged.
func TestNoGapBehindWhatCannotBeRemoved(t *testing.T) {
	for _, tt := range []struct {
		name   string
		file   string
		remove func(s *spool.Spool) error
		lost   map[string]int64
		left   []int
	}{
		{"acknowledged", segment1, func(s *spool.Spool) error {
			s.Ack(len(s.Next(12, 1<<20, nil)))
			return nil
		}, map[string]int64{}, span(0, 15)},
		{"over the bound", segment1, func(s *spool.Spool) error {
			return s.Append(recordsOf(15, 15), 0)
		}, map[string]int64{}, span(0, 15)},
		{"the second one over the bound", segment2, func(s *spool.Spool) error {
			return s.Append(recordsOf(15, 15), 0)
		}, map[string]int64{spool.ReasonFull: 5}, span(5, 15)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := newMemFS()
			var lost lossLog
			cfg := spool.Config{Dir: "spool", MaxBytes: 4000, SegmentBytes: 1000, Files: disk, Lost: lost.add}
			s := open(t, cfg)
			for i := range 15 {
				add(t, s, record(i))
			}
			refuse(disk, tt.file)
			if err := tt.remove(s); err != nil && !errors.Is(err, syscall.EIO) {
				t.Error(err)
			}
			if st := s.Status(); st.Err == "" {
				t.Errorf("got status %+v, want that a segment cannot be removed", st)
			}
			disk.fail = nil
			same(t, "found at the next start", drain(t, open(t, cfg)), tt.left)
			same(t, "lost", lost.records(), tt.lost)
		})
	}
}

// What cannot be made room for is not stored.
func TestBoundThatCannotBeKept(t *testing.T) {
	disk := newMemFS()
	s := open(t, spool.Config{Dir: "spool", MaxBytes: 2000, SegmentBytes: 500, Files: disk})
	for i := range 10 {
		add(t, s, record(i))
	}
	refuse(disk, segment1)
	if err := s.Append(recordsOf(10, 1), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want %v", err, syscall.EIO)
	}
	if st := s.Status(); st.Bytes > 2000 || st.Records != 10 {
		t.Errorf("got status %+v, want what there was", st)
	}
	disk.fail = nil
	add(t, s, record(10))
	same(t, "records", drain(t, s), span(2, 11))
}
