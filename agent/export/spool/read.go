package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"pullcause/agent/export"
)

// mark is where a record stands that was given.
type mark struct {
	seg  *segment
	end  int64
	time time.Time
	lost Loss // that of one which is not stored, unless the receiver takes it
}

func (m *mark) stored() bool { return m.lost.Records == 0 }

// Next appends the oldest records that are not acknowledged to batch: at most
// that many records and bytes, but at least one if there is any. It gives the
// same again until Ack. If it gives none while Status tells of records, then the
// process has too many files open: call it again in a while.
func (s *Spool) Next(records int, bytes int64, batch []export.Record) []export.Record {
	s.reading.Lock()
	t := take{records: records, bytes: bytes, batch: batch, base: len(batch)}
	losses := s.gather(&t)
	s.reading.Unlock()
	s.tell(losses)
	return t.batch
}

// Ack says that the first n records that were given are done with. Those that the
// bound has removed meanwhile are among the n, so that no others are taken for
// them; they are not lost.
func (s *Spool) Ack(n int) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max(0, min(n, len(s.given)))
	for _, m := range s.given[:n] {
		m.seg.off = m.end
		m.seg.records--
		m.seg.oldest = m.time
	}
	s.given = slices.Delete(s.given, 0, n)
	if len(s.given) > 0 {
		s.given[0].seg.oldest = s.given[0].time
	}
	s.tidy()
}

// take is what Next has gathered and may gather.
type take struct {
	records int
	bytes   int64
	batch   []export.Record
	base    int // length of batch before
}

// full reports whether a record of that size is too much.
func (t *take) full(size int64) bool {
	n := len(t.batch) - t.base
	return n > 0 && (n >= t.records || size > t.bytes)
}

// view is a segment as it was when reading began, and what was read of it.
type view struct {
	seg           *segment
	off, end      int64
	records, told int64

	marks   []mark
	damaged int64
	torn    string // what is wrong, the first time
	whole   bool   // all was read
	err     error
}

func (s *Spool) gather(t *take) (losses []Loss) {
	s.mu.Lock()
	losses = s.takeBack()
	s.mu.Unlock()
	for after := int64(-1); ; {
		v, ok := s.look(after)
		if !ok {
			return losses
		}
		before := len(t.batch)
		s.readSegment(v, t)
		loss, then := s.settle(v)
		losses = append(losses, loss...)
		switch then {
		case dropped:
			clear(t.batch[before:])
			t.batch = t.batch[:before]
		case grown:
			if len(t.batch) > t.base {
				return losses
			}
			continue
		case enough:
			return losses
		}
		after = v.seg.first
	}
}

// look finds the oldest segment behind a record that holds any.
func (s *Spool) look(after int64) (*view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	for _, seg := range s.segments {
		if seg.first > after && seg.records > 0 {
			return &view{seg: seg, off: seg.off, end: seg.end, records: seg.records, told: seg.told}, true
		}
	}
	return nil, false
}

// readSegment reads records until t is full or the view ends.
func (s *Spool) readSegment(v *view, t *take) {
	f, err := s.cfg.Files.Open(s.path(v.seg.first))
	if err != nil {
		v.err = err
		return
	}
	defer f.Close()
	l := lines{src: f, off: v.off, end: v.end, limit: s.cfg.MaxBytes, buf: s.buf[:0]}
	for v.off < v.end {
		got, err := l.next()
		if errors.Is(err, io.EOF) { // the file is shorter than it was
			v.damaged += v.end - v.off
			break
		}
		if err != nil {
			v.err = err
			break
		}
		r, err := s.record(got)
		if err == nil && t.full(got.end-got.start) {
			s.keep(&l)
			return
		}
		v.off = got.end
		if err != nil {
			v.damage(got, err)
			continue
		}
		t.bytes -= got.end - got.start
		t.batch = append(t.batch, r)
		v.marks = append(v.marks, mark{seg: v.seg, end: got.end, time: r.Time})
	}
	v.whole = v.err == nil
	s.keep(&l)
}

var errDamaged = errors.New("checksum or length do not fit")

func (s *Spool) record(l line) (export.Record, error) {
	if l.text == nil {
		return export.Record{}, errDamaged
	}
	return s.decoder.decode(l.text)
}

func (v *view) damage(l line, err error) {
	if l.end <= v.told {
		return
	}
	v.told = l.end
	v.damaged += l.end - l.start
	if v.torn == "" {
		v.torn = fmt.Sprintf("at byte %d: %v", l.start, err)
	}
}

// outcome is what became of a segment while it was read.
type outcome int

const (
	done    outcome = iota // go on with the next one
	dropped                // the bound took it: what was read is none of the batch
	grown                  // what comes next is in it as well
	enough
)

// settle takes in what was read, unless the segment was removed meanwhile. Once
// all of it was read it is known how many of its records are lost.
func (s *Spool) settle(v *view) ([]Loss, outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := v.seg
	if seg.gone {
		return nil, dropped
	}
	s.errs[read] = nil
	if v.err != nil {
		s.errs[read] = fmt.Errorf("read spool: %w", v.err)
	}
	s.given = append(s.given, v.marks...)
	seg.told = v.told
	seg.damaged += v.damaged
	if !v.whole && (v.err == nil || scarce(v.err)) {
		return nil, enough
	}
	then := done
	if v.whole && seg.end > v.end {
		then = grown
	}
	lost := v.records - int64(len(v.marks))
	l := Loss{Reason: ReasonCorrupt, Records: lost, Bytes: seg.damaged}
	l.Detail = fmt.Sprintf("segment %s: %d records cannot be used (%s)", fileName(seg.first), lost, cmp.Or(v.torn, "it is shorter than it was"))
	if v.err != nil {
		lost = seg.records - int64(len(v.marks)) // with what was appended meanwhile
		l.Reason, l.Records = ReasonUnreadable, lost
		l.Bytes += seg.end - v.off
		l.Detail = fmt.Sprintf("segment %s: %d records cannot be read: %v", fileName(seg.first), lost, v.err)
		seg.end, seg.unreadable = v.off, true
	}
	seg.records -= lost
	seg.damaged = 0
	s.tidy()
	if lost <= 0 {
		return nil, then
	}
	return []Loss{l}, then
}

// keep keeps a buffer for the next time, unless it is large.
func (s *Spool) keep(l *lines) {
	s.buf = nil
	if cap(l.buf) <= maxIdle {
		s.buf = l.buf[:0]
	}
}

// scarce reports whether it is this process or machine that lacks something,
// and not the file that is bad.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}
