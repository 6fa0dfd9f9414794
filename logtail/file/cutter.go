package file

import (
	"bytes"
	"slices"

	"pullcause/logtail"
)

// blockSize is how much is read at once: large enough that the cost of a call
// vanishes, small enough to stay in the processor's cache.
const blockSize = 512 << 10

// minRoom is the smallest buffer: for a line now and then.
const minRoom = 4 << 10

// piece is a stretch of a file that is ready to be looked at.
type piece struct {
	// text is whole lines with their newlines; or, if cut is not 0, the
	// beginning of one line that is too long, without its newline.
	text []byte
	// off is where text begins in the file, end the place behind it.
	off, end int64
	// cut is how many bytes of a line that is too long are not in text.
	cut int64
	// nuls is how many NUL bytes stood before it.
	nuls int64
}

// cutter turns what is read from a file into pieces of whole lines. It knows
// nothing of files: ask for [cutter.room], fill it, say how much with
// [cutter.add], and take pieces with [cutter.next] until there is none.
type cutter struct {
	block, max int // blockSize and logtail.MaxLine but in tests

	buf     []byte
	start   int   // of what is not yet taken
	scanned int   // there is no newline between start and here
	off     int64 // place in the file of buf[start]
	long    bool  // buf is the first max bytes of a line that is too long
	cut     int64 // so many bytes of that line were left out so far
	nuls    int64 // NUL bytes that were left out before buf[start]
}

func newCutter(block int) *cutter {
	return &cutter{block: block, max: logtail.MaxLine}
}

// reset begins anew at an offset, keeping the buffer.
func (c *cutter) reset(off int64) {
	*c = cutter{block: c.block, max: c.max, buf: c.buf[:0], off: off}
}

// end is the place in the file behind all that was read.
func (c *cutter) end() int64 {
	return c.off + int64(len(c.buf)-c.start) + c.cut
}

// room is where to put what stands at [cutter.end]; about unread bytes are expected to. It
// is never empty, and what next returned is no longer valid.
func (c *cutter) room(unread int64) []byte {
	c.compact()
	// One byte more shows that the end was reached.
	want := min(max(int64(len(c.buf))+unread+1, minRoom), int64(c.block))
	if int64(cap(c.buf)) < want {
		c.buf = append(make([]byte, 0, want), c.buf...)
	}
	if len(c.buf) == cap(c.buf) {
		c.grow()
	}
	return c.buf[len(c.buf):cap(c.buf)]
}

func (c *cutter) compact() {
	if c.start == 0 {
		return
	}
	n := copy(c.buf, c.buf[c.start:])
	c.buf = c.buf[:n]
	c.scanned = max(c.scanned-c.start, 0)
	c.start = 0
}

// grow makes room behind a line that fills the buffer, or drops the rest of it.
func (c *cutter) grow() {
	limit := c.max + c.block
	if cap(c.buf) < limit {
		size := min(max(2*cap(c.buf), c.block), limit)
		c.buf = append(make([]byte, 0, size), c.buf...)
		return
	}
	c.long = true
	c.skip(len(c.buf))
}

// skip leaves out what stands between the first max bytes of a line that is too
// long and end.
func (c *cutter) skip(end int) {
	c.cut += int64(end - c.max)
	c.buf = append(c.buf[:c.max], c.buf[end:]...)
	c.scanned = c.max
}

// add takes over the n bytes that were put into room.
func (c *cutter) add(n int) {
	c.buf = c.buf[:len(c.buf)+n]
}

// next returns what is ready: all whole lines at once. It is valid until room.
func (c *cutter) next() (p piece, ok bool) {
	if c.long {
		return c.nextLong()
	}
	c.trim()
	i := bytes.LastIndexByte(c.buf[c.scanned:], '\n')
	if i < 0 {
		c.scanned = len(c.buf)
		return piece{}, false
	}
	text := c.buf[c.start : c.scanned+i+1]
	return c.take(text, len(text), 0), true
}

func (c *cutter) nextLong() (p piece, ok bool) {
	i := bytes.IndexByte(c.buf[c.max:], '\n')
	if i < 0 {
		c.skip(len(c.buf))
		return piece{}, false
	}
	return c.take(c.buf[:c.max], c.max+i+1, c.cut+int64(i)), true
}

// take makes a piece of the first n bytes.
func (c *cutter) take(text []byte, n int, cut int64) piece {
	p := piece{text: text, off: c.off, end: c.off + int64(n) + c.cut, cut: cut, nuls: c.nuls}
	c.start += n
	c.scanned = c.start
	c.off = p.end
	c.long, c.cut, c.nuls = false, 0, 0
	return p
}

// trim leaves out NUL bytes at the beginning of a line. A writer that did not
// open its file for appending leaves a hole of them after a truncation.
func (c *cutter) trim() {
	n := leadingNULs(c.buf[c.start:])
	c.start += n
	c.scanned = max(c.scanned, c.start)
	c.off += int64(n)
	c.nuls += int64(n)
}

func leadingNULs(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return len(b)
}

// rest returns what stands behind the last newline, if anything: the file will
// not grow any more. The newline that it lacks is not counted in cut.
func (c *cutter) rest() (p piece, ok bool) {
	if !c.long {
		c.trim()
	}
	n := len(c.buf) - c.start
	if n == 0 {
		p.nuls, c.nuls = c.nuls, 0
		return p, false
	}
	return c.take(c.buf[c.start:], n, c.cut), true
}

// skipNULs leaves out NUL bytes that are not read. There must be no unfinished line.
func (c *cutter) skipNULs(n int64) {
	c.off += n
	c.nuls += n
}

// idle gives back the memory that a long line took once nothing is in it.
func (c *cutter) idle() {
	if cap(c.buf) > c.block && len(c.buf)-c.start < c.block {
		c.buf = append(make([]byte, 0, c.block), c.buf[c.start:]...)
		c.scanned = max(c.scanned-c.start, 0)
		c.start = 0
	}
}

// release gives back the buffer while nothing comes. What is kept of it is an unfinished line.
func (c *cutter) release() {
	rest := c.buf[c.start:]
	if cap(c.buf) < minRoom || len(rest) > cap(c.buf)/2 {
		return
	}
	c.scanned = max(c.scanned-c.start, 0)
	c.start = 0
	c.buf = slices.Clip(append([]byte(nil), rest...))
}
