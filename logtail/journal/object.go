package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of objects that are read; journal-def.h has more.
const (
	typeData       = 1
	typeEntry      = 3
	typeEntryArray = 6
)

// The flags of a DATA object whose payload is compressed.
const (
	objectXZ   = 1
	objectLZ4  = 2
	objectZSTD = 4
)

const (
	objectHeader = 16
	dataHeader   = 64 // and 8 more in a compact file
	entryHeader  = 64
	arrayHeader  = 24
	bucketSize   = 16

	// maxItems bounds the fields of one entry; journald's limit is 1024.
	maxItems = 4096
	// maxChain bounds the objects of one hash bucket, maxArrays those of one chain.
	// journald begins a new file long before: it keeps buckets short, and each array
	// is twice as long as the one before.
	maxChain  = 10_000
	maxArrays = 1_000
)

// errObject is wrapped by what is wrong with the content of a file.
var errObject = errors.New("corrupt object")

func corrupt(off uint64, format string, args ...any) error {
	return fmt.Errorf("%w at %#x: %s", errObject, off, fmt.Sprintf(format, args...))
}

// Around an entry stand the objects that were written just before it, its text
// among them, and its items. One read of this much around it gets nearly all.
const (
	windowBefore = 2 << 10
	windowBehind = 1 << 10
)

// content reads objects. It holds what was read last.
type content struct {
	at   io.ReaderAt
	size func() (int64, error)
	end  uint64 // how long the file is, or was

	window  []byte // around an entry
	off     uint64 // of the window
	scratch []byte // of read
}

// read returns n bytes at off. They are valid until the next call.
func (c *content) read(off uint64, n int) ([]byte, error) {
	if err := c.reach(off, uint64(n)); err != nil {
		return nil, err
	}
	if off >= c.off && off+uint64(n) <= c.off+uint64(len(c.window)) {
		return c.window[off-c.off:][:n], nil
	}
	if cap(c.scratch) < n || cap(c.scratch) > maxScratch && n < maxScratch {
		c.scratch = make([]byte, max(n, 512))
	}
	return c.fill(c.scratch[:n], off)
}

// reach makes sure that the file has n bytes at off. It may have grown since it was
// looked at: what is linked now can lie in what was added.
func (c *content) reach(off, n uint64) error {
	for range 3 { // the first time the size is not known yet
		if off <= c.end && n <= c.end-off {
			return nil
		}
		size, err := c.size()
		if err != nil {
			return err
		}
		c.end = uint64(size)
	}
	return corrupt(off, "%d bytes reach beyond the end of the file at %#x", n, c.end)
}

// maxScratch is how much memory is kept from one read to the next.
const maxScratch = 64 << 10

// fill reads all of b. A file that ends early was truncated under our eyes.
func (c *content) fill(b []byte, off uint64) ([]byte, error) {
	n, err := c.at.ReadAt(b, int64(off))
	if n == len(b) {
		return b, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, corrupt(off, "the file ends after %d of %d bytes", n, len(b))
	}
	return nil, err
}

// look reads what stands around an entry. It may be less than the file had: journald
// cuts off what it did not need when it archives a file.
func (c *content) look(off uint64) error {
	if err := c.reach(off, entryHeader); err != nil {
		return err
	}
	begin := off - min(off, windowBefore)
	n := min(off+windowBehind, c.end) - begin
	if c.window == nil {
		c.window = make([]byte, 0, windowBefore+windowBehind)
	}
	c.window = c.window[:0]
	got, err := c.at.ReadAt(c.window[:n], int64(begin))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c.window, c.off = c.window[:got], begin
	return nil
}

// inWindow reports whether an object begins in what stands around the entry.
func (c *content) inWindow(off uint64) bool {
	return off >= c.off && off < c.off+uint64(len(c.window))
}

// forget drops what was read: it may have changed.
func (c *content) forget() { c.window = c.window[:0] }

// object checks the header of an object and returns its size and flags, having
// read n bytes of it, which must be at least 16.
func (c *content) object(off uint64, typ uint8, n int) (b []byte, size uint64, err error) {
	if off&7 != 0 || off < headerSize {
		return nil, 0, corrupt(off, "no object can lie there")
	}
	if b, err = c.read(off, n); err != nil {
		return nil, 0, err
	}
	if b[0] == 0 && c.inWindow(off) { // it was read before the object was written
		c.forget()
		if b, err = c.read(off, n); err != nil {
			return nil, 0, err
		}
	}
	size = binary.LittleEndian.Uint64(b[8:])
	if b[0] != typ {
		return nil, 0, corrupt(off, "got type %d, want %d", b[0], typ)
	}
	if size < uint64(n) {
		return nil, 0, corrupt(off, "got size %d, want %d at least", size, n)
	}
	return b, size, c.reach(off, size)
}
