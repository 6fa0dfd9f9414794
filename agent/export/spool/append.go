package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"pullcause/agent/export"
)

// Append stores records. When it returns nil they survive a crash of the
// machine; when it fails none of them counts as stored and they should be
// appended again, later. Only what wraps [ErrDropped] is final. Where the bound
// is hit, the oldest go first, and those of records that alone are too many.
//
// The first of them may be with the receiver already: so many count as given by
// Next, which has given nothing else and must not be called meanwhile. Those that
// cannot be stored are lost only if it does not take them.
func (s *Spool) Append(records []export.Record, given int) error {
	s.writing.Lock()
	losses, err := s.append(records, given)
	s.writing.Unlock()
	s.tell(losses)
	return err
}

// batch is what one Append writes.
type batch struct {
	lines   []byte
	records int64
	oldest  time.Time
	given   []mark // those that count as given, by their ends in lines
	lost    []Loss // of the others
	dropped error  // why some can never be stored
}

func (s *Spool) append(records []export.Record, given int) ([]Loss, error) {
	defer s.coder.reset()
	b := s.encode(records, given)
	if b.records == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.give(&segment{}, b)
		return b.lost, b.dropped
	}
	losses, err := s.store(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs[write] = err
	if err != nil {
		return losses, err
	}
	s.appends++
	return append(losses, b.lost...), b.dropped
}

// encode makes lines of records, without those that can never be stored.
func (s *Spool) encode(records []export.Record, given int) batch {
	var b batch
	marks := make([]mark, len(records))
	for i := range records {
		lost, err := s.encodeOne(&records[i])
		if err != nil {
			b.dropped = errors.Join(b.dropped, err)
		}
		marks[i] = mark{end: int64(len(s.coder.lines)), time: records[i].Time, lost: lost}
	}
	b.lines = s.trim(marks)
	b.given = marks[:min(given, len(marks))]
	for _, m := range marks[len(b.given):] {
		b.lost = addLoss(b.lost, m.lost)
	}
	for _, m := range slices.Backward(marks) {
		if m.stored() {
			b.records++
			b.oldest = m.time
		}
	}
	return b
}

// encodeOne adds the line of a record, or says why it can never be stored.
func (s *Spool) encodeOne(r *export.Record) (Loss, error) {
	start := len(s.coder.lines)
	if err := s.coder.appendLine(r); err != nil {
		err = fmt.Errorf("write spool: record %q: %w; %w", r.UID, err, ErrDropped)
		return Loss{Reason: ReasonCorrupt, Records: 1, Detail: err.Error()}, err
	}
	size := int64(len(s.coder.lines) - start)
	if size <= s.cfg.MaxBytes {
		return Loss{}, nil
	}
	s.coder.lines = s.coder.lines[:start]
	err := fmt.Errorf("write spool: record %q: got %d bytes, more than the spool may hold, which is %d; %w",
		r.UID, size, s.cfg.MaxBytes, ErrDropped)
	return Loss{Reason: ReasonFull, Records: 1, Bytes: size, Detail: err.Error()}, err
}

// trim takes away the oldest records of a batch that alone exceeds the bound, and
// returns the lines that are left.
func (s *Spool) trim(marks []mark) []byte {
	lines, begin := s.coder.lines, int64(0)
	lost := Loss{
		Reason: ReasonFull, Records: 1,
		Detail: fmt.Sprintf("the oldest of %d records that came together were not stored to keep to %d bytes", len(marks), s.cfg.MaxBytes),
	}
	for i := range marks {
		m := &marks[i]
		if m.stored() && int64(len(lines))-begin > s.cfg.MaxBytes {
			lost.Bytes = m.end - begin
			m.lost, begin = lost, m.end
		}
		m.end -= begin
	}
	return lines[begin:]
}

// store writes a batch to the active segment, or begins one.
func (s *Spool) store(b batch) ([]Loss, error) {
	seg, f, losses, err := s.target(int64(len(b.lines)))
	if err != nil {
		return losses, err
	}
	fresh := f == nil
	if fresh {
		if f, err = s.create(seg); err != nil {
			return losses, fmt.Errorf("write spool: %w", err)
		}
	}
	n, err := f.Write(b.lines)
	if err == nil && n < len(b.lines) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil && fresh {
		err = s.cfg.Files.SyncDir(s.cfg.Dir)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = nil
	if err == nil && !seg.unreadable {
		s.grown(seg, f, b)
		return losses, nil
	}
	if err == nil {
		err = errors.New("the disk does not give back what was written before; a new segment is begun")
	}
	s.abandon(seg, f, int64(n))
	return losses, fmt.Errorf("write spool %s: %w", s.path(seg.first), err)
}

// target makes room for a number of bytes and returns the segment that they go
// to; if it has no file yet it is to be created.
func (s *Spool) target(more int64) (*segment, File, []Loss, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, nil, ErrClosed
	}
	s.tidy()
	losses, err := s.makeRoom(more)
	if err != nil {
		return nil, nil, losses, fmt.Errorf("write spool: %w", err)
	}
	if s.active != nil && (s.active.unreadable || s.active.size+more > s.cfg.SegmentBytes) {
		if err := s.seal(); err != nil {
			s.errs[write] = err
		}
	}
	if s.active == nil {
		if s.next >= maxNumber {
			return nil, nil, losses, fmt.Errorf("write spool: no numbers are left; remove the files in %s", s.cfg.Dir)
		}
		return &segment{first: s.next}, nil, losses, nil
	}
	s.busy = s.active
	return s.active, s.file, losses, nil
}

// create makes a segment's file.
func (s *Spool) create(seg *segment) (File, error) {
	path := s.path(seg.first)
	if s.leftover {
		if err := s.cfg.Files.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			s.leftover = false
		}
	}
	f, err := s.cfg.Files.Create(path)
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the folder
		if err := s.cfg.Files.MakeDir(s.cfg.Dir); err != nil {
			return nil, err
		}
		f, err = s.cfg.Files.Create(path)
	}
	if errors.Is(err, fs.ErrExist) && !s.leftover {
		return nil, fmt.Errorf("%w: does another process use this folder?", err)
	}
	return f, err
}

// grown takes in what was stored.
func (s *Spool) grown(seg *segment, f File, b batch) {
	size := int64(len(b.lines))
	s.syncs++
	if s.active != seg {
		s.syncs++ // of the folder
		s.segments = append(s.segments, seg)
		s.active, s.file = seg, f
	}
	if seg.records == 0 {
		seg.oldest = b.oldest
	}
	s.give(seg, b)
	seg.size += size
	seg.end = seg.size
	seg.records += b.records
	s.size += size
	s.next += b.records
}

// give makes the first records of a batch those that were given. A segment is acknowledged
// from its beginning: where others wait before them, they stand nowhere as one that is not
// stored, and come again.
func (s *Spool) give(seg *segment, b batch) {
	if len(b.given) == 0 {
		return
	}
	nowhere := &segment{}
	again := seg.records > 0
	s.given = s.given[:0]
	for _, m := range b.given {
		if m.seg = seg; again || !m.stored() {
			m.seg = nowhere
		}
		m.end += seg.size
		s.given = append(s.given, m)
	}
}

// abandon leaves a segment as it was before a write of n bytes that failed. If
// they cannot be cut off, they stand behind its end, where nobody reads.
func (s *Spool) abandon(seg *segment, f File, n int64) {
	cut := f.Truncate(seg.size) == nil
	if s.active != seg { // it is new
		f.Close()
		s.leftover = s.cfg.Files.Remove(s.path(seg.first)) != nil
		return
	}
	//nolint:errcheck // what it holds is synced but for what is not wanted
	s.seal()
	if !cut {
		seg.size += n
		s.size += n
	}
	s.tidy()
}
