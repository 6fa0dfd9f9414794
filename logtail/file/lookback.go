package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// probeSize is how much is read at each step of the search for a time.
const probeSize = 64 << 10

// lookBack says where to begin in a file that was there before us: at the first
// line that is not older than back, if lineTime can read the lines' times.
func (s *stream) lookBack(now time.Time, back time.Duration, lineTime func([]byte) (time.Time, bool)) (int64, error) {
	i, err := s.stat()
	if err != nil || back < 0 {
		return 0, err
	}
	end, err := lastBreak(s.file, i.size)
	if err != nil || back == 0 {
		return end, err
	}
	limit := now.Add(-back)
	if lineTime != nil {
		t := newTimeline(s.file, end, limit, lineTime)
		off, err := t.search()
		if err != nil || t.known {
			return off, err
		}
	}
	if i.mtime.Before(limit) {
		return end, nil
	}
	return 0, nil
}

// lastBreak is the place behind the last newline.
func lastBreak(r io.ReaderAt, size int64) (int64, error) {
	b := make([]byte, probeSize)
	for end := size; end > 0; {
		from := max(end-probeSize, 0)
		n, err := r.ReadAt(b[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("look for the place to begin: %w", err)
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// timeline searches a file whose lines are in the order of their times. Lines
// without a time (of a record of several lines) belong to the one before.
type timeline struct {
	file  io.ReaderAt
	size  int64 // up to here there are whole lines
	limit time.Time
	time  func([]byte) (time.Time, bool)
	known bool // a line with a time was seen
	buf   *bufio.Reader
}

func newTimeline(file io.ReaderAt, size int64, limit time.Time, lineTime func([]byte) (time.Time, bool)) *timeline {
	return &timeline{file: file, size: size, limit: limit, time: lineTime, buf: bufio.NewReaderSize(nil, probeSize)}
}

// search returns the offset of the first line that is not older than limit, by
// halving; size if all are older, or if neither the first nor the last lines have
// a time (known is false then).
func (t *timeline) search() (int64, error) {
	for _, from := range []int64{0, max(t.size-probeSize, 0)} {
		if _, err := t.probe(from, 0, min(from+probeSize, t.size)); err != nil {
			return 0, err
		}
	}
	lo, hi, found := int64(0), t.size, t.size
	for t.known && lo < hi {
		mid := lo + (hi-lo)/2
		if hi-lo <= probeSize/2 {
			mid = lo // near enough to go line by line
		}
		p, err := t.probe(mid, lo, hi)
		switch {
		case err != nil:
			return 0, err
		case p.ok && p.older:
			lo = p.next
		case p.ok:
			found, hi = p.line, mid
		default:
			hi = mid
		}
	}
	return found, nil
}

// probed is the first line with a time that was found.
type probed struct {
	ok         bool
	line, next int64 // where it and the next one begin
	older      bool
}

// probe looks for the first line with a time that begins at or after off and
// before hi. A line is known to begin at lo.
func (t *timeline) probe(off, lo, hi int64) (probed, error) {
	t.buf.Reset(io.NewSectionReader(t.file, off, t.size-off))
	if off != lo {
		_, n, err := t.line()
		if err != nil {
			return probed{}, err
		}
		off += n
	}
	for off < hi {
		line, n, err := t.line()
		if err != nil || n == 0 {
			return probed{}, err
		}
		if at, ok := t.time(line); ok {
			t.known = true
			return probed{ok: true, line: off, next: off + n, older: at.Before(t.limit)}, nil
		}
		off += n
	}
	return probed{}, nil
}

// line reads one line and says how long it is with its newline; of a line longer
// than the buffer it returns the last part.
func (t *timeline) line() (line []byte, n int64, err error) {
	for {
		line, err = t.buf.ReadSlice('\n')
		n += int64(len(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, n, fmt.Errorf("look for the place to begin: %w", err)
		}
		return bytes.TrimSuffix(line, []byte{'\n'}), n, nil
	}
}
