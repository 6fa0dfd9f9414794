package spool

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

const (
	chunk = 32 << 10
	// maxIdle bounds the memory that is kept for the next call.
	maxIdle = 1 << 20
)

// lines reads the lines of a segment. Its memory is that of the longest record,
// and each byte is looked at a few times at most, whatever the file holds.
type lines struct {
	src   io.ReaderAt
	off   int64 // where it stands in the file
	end   int64 // where to stop
	limit int64 // no record is longer
	buf   []byte
	pos   int // of off in buf
}

// line is a record's JSON, or a piece of a segment that is none.
type line struct {
	start, end int64
	text       []byte // JSON, valid until the next call; nil for damage
	// torn says that the damage looks like what an unfinished write leaves: no
	// line feed, or zeros.
	torn bool
}

// next returns io.EOF behind the last line, or the disk's error.
func (l *lines) next() (line, error) {
	if err := l.fill(maxHeader); err != nil {
		return line{}, err
	}
	if l.off == l.end {
		return line{}, io.EOF
	}
	h, ok := parseHeader(l.have())
	want := h.start + h.length + 1
	if !ok || want > l.limit || want > l.end-l.off {
		return l.skip()
	}
	feed, err := l.find('\n', int(want))
	if err != nil {
		return line{}, err
	}
	// Where the line feed itself is damaged the record before it is still good.
	if feed >= 0 && int64(feed) != want-1 || int64(len(l.have())) < want {
		return l.skip()
	}
	text := l.have()[h.start : want-1]
	if crc32.Checksum(text, castagnoli) != h.sum {
		return l.skip()
	}
	got := line{start: l.off, end: l.off + want, text: text}
	l.consume(int(want))
	return got, nil
}

// skip passes over all up to the next line feed.
func (l *lines) skip() (line, error) {
	got := line{start: l.off}
	for l.off < l.end {
		if err := l.fill(1); err != nil {
			return line{}, err
		}
		piece, fed := l.have(), false
		if i := bytes.IndexByte(piece, '\n'); i >= 0 {
			piece, fed = piece[:i+1], true
		}
		got.torn = got.torn || bytes.IndexByte(piece, 0) >= 0
		l.consume(len(piece))
		if fed {
			got.end = l.off
			return got, nil
		}
	}
	got.torn = true
	got.end = l.end
	return got, nil
}

// find returns where the first byte c is among the next n bytes, or -1, and has
// those in the buffer up to there.
func (l *lines) find(c byte, n int) (int, error) {
	for searched := 0; ; {
		b := l.have()
		b = b[:min(len(b), n)]
		if i := bytes.IndexByte(b[searched:], c); i >= 0 {
			return searched + i, nil
		}
		searched = len(b)
		if searched == n || l.off+int64(searched) == l.end {
			return -1, nil
		}
		if err := l.fill(searched + 1); err != nil {
			return 0, err
		}
	}
}

func (l *lines) have() []byte { return l.buf[l.pos:] }

func (l *lines) consume(n int) {
	l.pos += n
	l.off += int64(n)
}

// fill reads until there are n bytes in the buffer or all up to the end. A file
// that is shorter than expected ends where it does.
func (l *lines) fill(n int) error {
	for len(l.have()) < n && l.off+int64(len(l.have())) < l.end {
		l.grow()
		at := l.off + int64(len(l.have()))
		room := l.buf[len(l.buf):cap(l.buf)]
		room = room[:min(int64(len(room)), l.end-at)]
		got, err := l.src.ReadAt(room, at)
		l.buf = l.buf[:len(l.buf)+got]
		switch {
		case got > 0: // an error will come again
		case err == nil || errors.Is(err, io.EOF):
			l.end = at
		default:
			return err
		}
	}
	return nil
}

// grow makes room at the end of the buffer.
func (l *lines) grow() {
	if l.pos > 0 && len(l.have()) <= cap(l.buf)/2 {
		l.buf = l.buf[:copy(l.buf[:cap(l.buf)], l.have())]
		l.pos = 0
	}
	if len(l.buf) < cap(l.buf) {
		return
	}
	bigger := make([]byte, len(l.have()), max(chunk, 2*cap(l.buf)))
	copy(bigger, l.have())
	l.buf, l.pos = bigger, 0
}
