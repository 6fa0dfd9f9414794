package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
)

// recover lists the segments and counts their records. Next checks each of them
// again, and decodes it.
func (s *Spool) recover() ([]Loss, error) {
	entries, err := s.list()
	if err != nil {
		return nil, err
	}
	s.next = 1
	for _, e := range entries {
		first, ok := number(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			s.segments = append(s.segments, &segment{first: first, size: info.Size()})
		} else {
			s.next = max(s.next, first+1) // the name is taken
		}
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	var losses []Loss
	for i, seg := range s.segments {
		got, err := s.scan(seg, s.storedIn(i))
		if err != nil {
			return nil, err
		}
		s.size += seg.size
		s.next = max(s.next, seg.first+got.valid+got.lost)
		losses = append(losses, got.told(seg)...)
	}
	s.dropEmpty()
	s.tidy()
	return losses, nil
}

// list reads the folder, and makes it if there is none.
func (s *Spool) list() ([]fs.DirEntry, error) {
	files := s.cfg.Files
	entries, err := files.ReadDir(s.cfg.Dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return entries, err
	}
	if err := files.MakeDir(s.cfg.Dir); err != nil {
		return nil, err
	}
	if err := files.SyncDir(filepath.Dir(s.cfg.Dir)); err != nil {
		return nil, err
	}
	return files.ReadDir(s.cfg.Dir)
}

// storedIn is how many records were stored in a segment, by the name of the next
// one; 0 if that is not known.
func (s *Spool) storedIn(i int) int64 {
	if i+1 == len(s.segments) {
		return 0
	}
	n := s.segments[i+1].first - s.segments[i].first
	if n > s.cfg.MaxBytes/minLine {
		return 0 // more than ever fit in: a name that is not ours
	}
	return n
}

// minLine is less than any record takes.
const minLine = 64

// dropEmpty removes the last segment if nothing was ever stored in it, since the
// next one has the same name.
func (s *Spool) dropEmpty() {
	n := len(s.segments)
	if n == 0 || s.segments[n-1].first < s.next {
		return
	}
	seg := s.segments[n-1]
	s.leftover = s.remove(seg) != nil
	if s.leftover {
		s.size -= seg.size
	}
	s.segments = s.segments[:n-1]
}

// found is what is in a segment.
type found struct {
	valid, lost int64 // records
	damaged     int64 // bytes
	err         error // why not all of it was read
}

// scan counts the records of a segment, of which so many were stored. It fails
// only if it should be tried again.
func (s *Spool) scan(seg *segment, stored int64) (found, error) {
	f, err := s.cfg.Files.Open(s.path(seg.first))
	if err != nil {
		return s.unread(seg, found{}, stored, err)
	}
	defer f.Close()
	l := lines{src: f, end: seg.size, limit: s.cfg.MaxBytes}
	var got found
	var unsure, unsureBytes int64 // damage that is none if nothing follows
	for stored == 0 || got.valid < stored {
		line, err := l.next()
		switch {
		case errors.Is(err, io.EOF):
			got.count(stored, unsure, unsureBytes)
			return got, nil
		case err != nil:
			return s.unread(seg, got, stored, err)
		case line.text == nil && line.torn:
			unsure++
			unsureBytes += line.end - line.start
		case line.text == nil:
			got.lost++
			got.damaged += line.end - line.start
		default:
			got.lost += unsure
			got.damaged += unsureBytes
			unsure, unsureBytes = 0, 0
			got.take(seg, line)
		}
	}
	got.count(stored, 0, 0)
	return got, nil
}

// take takes in a record of a segment.
func (got *found) take(seg *segment, l line) {
	if seg.oldest.IsZero() {
		if r, err := new(decoder).decode(l.text); err == nil {
			seg.oldest = r.Time
		}
	}
	got.valid++
	seg.records++
	seg.end = l.end
}

// count settles how many records are lost. If it is known how many were stored,
// those that are not there are, and nothing else; if not, the tail that looks
// like an unfinished write is none.
func (got *found) count(stored, unsure, bytes int64) {
	if stored == 0 {
		return
	}
	got.lost = stored - got.valid
	if unsure > 0 && got.lost > 0 {
		got.damaged += bytes
	}
}

// unread settles what is lost if the disk does not give back the rest.
func (s *Spool) unread(seg *segment, got found, stored int64, err error) (found, error) {
	if scarce(err) {
		return got, err
	}
	s.errs[read] = fmt.Errorf("read spool: %w", err)
	got.err = err
	got.damaged = seg.size - seg.end
	got.lost = stored - got.valid
	if stored == 0 {
		got.lost = 1 // at least; how many is written nowhere else
		if got.valid > 0 {
			got.lost = max(1, got.damaged/(seg.end/got.valid))
		}
	}
	seg.unreadable = true
	return got, nil
}

// told says what is lost in a segment.
func (got *found) told(seg *segment) []Loss {
	switch {
	case got.lost <= 0:
		return nil
	case got.err != nil:
		return []Loss{{
			Reason: ReasonUnreadable, Records: got.lost, Bytes: got.damaged,
			Detail: fmt.Sprintf("segment %s: %d records cannot be read: %v", fileName(seg.first), got.lost, got.err),
		}}
	}
	return []Loss{{
		Reason: ReasonCorrupt, Records: got.lost, Bytes: got.damaged,
		Detail: fmt.Sprintf("segment %s: %d of %d records cannot be used, checksum or length do not fit",
			fileName(seg.first), got.lost, got.lost+got.valid),
	}}
}
