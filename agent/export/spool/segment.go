package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// segment is what is known of a segment. Spool.mu guards it.
type segment struct {
	first   int64 // number of its first record; its name
	size    int64 // of the file
	end     int64 // behind the last record that is stored
	off     int64 // behind the last one that is acknowledged
	records int64 // between the two
	oldest  time.Time
	// told is where damage was looked at already, damaged how much of that is to
	// be told.
	told, damaged int64
	unreadable    bool // from end on; nothing more must be written there
	gone          bool
}

const (
	ending = ".jsonl"
	digits = 20
	// maxNumber bounds the numbers of records, so that sums of them are numbers.
	maxNumber = 1e18
)

func fileName(first int64) string { return fmt.Sprintf("%0*d%s", digits, first, ending) }

// number is the first record's of the segment with that name.
func number(name string) (int64, bool) {
	if len(name) != digits+len(ending) || name[digits:] != ending {
		return 0, false
	}
	for _, c := range []byte(name[:digits]) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(name[:digits], 10, 64)
	return n, err == nil && n < maxNumber
}

func (s *Spool) path(first int64) string { return filepath.Join(s.cfg.Dir, fileName(first)) }

// seal makes the next Append begin a segment.
func (s *Spool) seal() error {
	f := s.file
	s.active, s.file = nil, nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// remove removes a segment's file. The caller takes it out of the list.
func (s *Spool) remove(seg *segment) error {
	err := s.cfg.Files.Remove(s.path(seg.first))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.errs[remove] = fmt.Errorf("remove segment of spool: %w", err)
		return s.errs[remove]
	}
	s.errs[remove] = nil
	if s.active == seg {
		//nolint:errcheck // all that it holds is synced, and not wanted any more
		s.seal()
	}
	seg.gone = true
	s.size -= seg.size
	return nil
}

// tidy removes the segments that are done with. It begins with the oldest and
// stops at the first that is not, or that cannot be removed and is tried again next
// time, since names tell how many records are in the segment before.
func (s *Spool) tidy() {
	n := 0
	for _, seg := range s.segments {
		if seg.records > 0 || seg == s.busy || s.remove(seg) != nil {
			break
		}
		n++
	}
	s.segments = slices.Delete(s.segments, 0, n)
}

// makeRoom removes the oldest segments until more bytes are within the bound. Like
// tidy it leaves no gap.
func (s *Spool) makeRoom(more int64) (losses []Loss, err error) {
	for len(s.segments) > 0 && s.size+more > s.cfg.MaxBytes {
		seg := s.segments[0]
		if err := s.remove(seg); err != nil {
			return losses, err
		}
		s.segments = slices.Delete(s.segments, 0, 1)
		given, end := s.givenOf(seg)
		losses = s.pushedOut(losses, seg, seg.records-given, seg.end-end)
		seg.records, seg.end = given, end // of these it is not known yet: see takeBack
	}
	return losses, nil
}

// givenOf is how many records of a segment were given, and where the last of them ends.
func (s *Spool) givenOf(seg *segment) (n, end int64) {
	end = seg.off
	for _, m := range s.given {
		if m.seg == seg {
			n++
			end = m.end
		}
	}
	return n, end
}

// takeBack forgets what was given and not acknowledged; Next gives it again. What the
// bound has taken of it, or was never stored, is lost only now.
func (s *Spool) takeBack() (losses []Loss) {
	for _, m := range s.given {
		losses = addLoss(losses, m.lost)
		if seg := m.seg; seg.gone {
			losses = s.pushedOut(losses, seg, seg.records, seg.end-seg.off)
			seg.records = 0
		}
	}
	s.given = s.given[:0]
	return losses
}

// pushedOut adds the loss of records of a segment that the bound took.
func (s *Spool) pushedOut(losses []Loss, seg *segment, records, bytes int64) []Loss {
	return addLoss(losses, Loss{
		Reason: ReasonFull, Records: records, Bytes: bytes,
		Detail: fmt.Sprintf("the oldest segment, %s, was removed to keep to %d bytes", fileName(seg.first), s.cfg.MaxBytes),
	})
}

// addLoss adds a loss, if it is one, to the last where that says the same.
func addLoss(losses []Loss, l Loss) []Loss {
	if l.Records <= 0 {
		return losses
	}
	if n := len(losses); n > 0 && losses[n-1].Reason == l.Reason && losses[n-1].Detail == l.Detail {
		losses[n-1].Records += l.Records
		losses[n-1].Bytes += l.Bytes
		return losses
	}
	return append(losses, l)
}
