package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/hostroot"
)

// errNotRegular is what opening a directory, pipe or device yields.
var errNotRegular = errors.New("not a regular file")

// stream is an open log file under whatever name it has now. The open file
// keeps its content reachable when it is renamed or removed.
type stream struct {
	file *os.File
	id   fileID
	born int64
	real string // its name, free of symlinks, when it was opened
	// head is the first bytes as seen so far, up to headLen, from headAt on. It is
	// compared after each read: when it differs, the file was truncated and filled
	// again. A hole at the beginning is no part of it: all holes look alike.
	head   []byte
	headAt int64
	fp     fingerprint
	tail   tail // of what was read, or of what stands before the place where that began
	// copied is set for a copy that a copying rotation made. Nobody writes to it.
	copied bool
	packed bool      // it was unpacked from a compressed file
	grown  time.Time // when something was read from it last, or when it was opened

	// The fields of its positions; hint is made when it is asked for.
	source     string
	name, hint string
	written    int64  // when it was written to last, as in hint
	older      string // its predecessors, as in hint
	gen        uint64
}

// openStream opens a regular file at its beginning.
func openStream(root hostroot.Root, path string) (*stream, error) {
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := newStream(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.real = path
	if real, err := root.Resolve(path); err == nil {
		s.real = real
	}
	return s, nil
}

func newStream(f *os.File) (*stream, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: f.Name(), Err: errNotRegular}
	}
	s := &stream{
		file: f, id: newInfo(fi).id, born: born(f), grown: time.Now(),
		head: make([]byte, 0, headLen), headAt: dataStart(f),
	}
	if _, err := s.intact(); err != nil {
		return nil, err
	}
	return s, nil
}

// close may be called on nil.
func (s *stream) close() {
	if s != nil {
		_ = s.file.Close() // only read from: nothing can be lost
	}
}

func (s *stream) stat() (info, error) {
	fi, err := s.file.Stat()
	if err != nil {
		return info{}, err
	}
	i := newInfo(fi)
	i.packed = s.packed
	return i, nil
}

// isEmpty reports whether there is no text in it, as far as can be told.
func (s *stream) isEmpty() bool {
	i, err := s.stat()
	return err != nil || i.size == 0
}

// restarted is the same file after it was truncated: a new stream.
func (s *stream) restarted() (*stream, error) {
	n, err := newStream(s.file)
	if err != nil {
		return nil, err
	}
	n.real = s.real
	return n, nil
}

// begin sets where to read, and whose positions it makes.
func (s *stream) begin(source string, gen uint64, off int64) error {
	if _, err := s.file.Seek(off, io.SeekStart); err != nil {
		return err
	}
	s.source, s.gen = source, gen
	i, err := s.stat()
	if err != nil {
		return err
	}
	before := make([]byte, min(off, tailLen))
	if _, err := s.file.ReadAt(before, off-int64(len(before))); err != nil {
		return err
	}
	s.noteTail(before, off)
	s.wrote(i.mtime)
	s.identify()
	return nil
}

// wrote notes when the file was written to last.
func (s *stream) wrote(at time.Time) {
	if ns := at.UnixNano(); ns != s.written {
		s.written, s.hint = ns, ""
	}
}

// noteTail notes what was read of it up to a place.
func (s *stream) noteTail(read []byte, end int64) {
	s.tail, s.hint = newTail(read, end), ""
}

func (s *stream) identify() {
	if s.fp.size == 0 {
		s.fp = newFingerprint(s.head)
	}
	s.name = s.fp.String()
}

// identifyWhole is for a file that ends before its first line does.
func (s *stream) identifyWhole() {
	if s.fp.size == 0 {
		s.fp = wholeFingerprint(s.head)
		s.name = s.fp.String()
	}
}

func (s *stream) pos(off int64) logtail.Position {
	if s.hint == "" {
		s.hint = hint{id: s.id, born: s.born, written: s.written, tail: s.tail}.String() + s.older
	}
	return logtail.Position{Source: s.source, Stream: s.name, Offset: off, Hint: s.hint, Generation: s.gen}
}

// intact reads the head again. It reports false if the file begins otherwise
// than before, and remembers more of the head as the file grows.
func (s *stream) intact() (bool, error) {
	var b [headLen]byte
	n, err := s.file.ReadAt(b[:], s.headAt)
	if len(s.head) == 0 && n > 0 && b[0] == 0 {
		n, err = s.skipHole(b[:])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the beginning of %s: %w", s.file.Name(), err)
	}
	if n < len(s.head) || !bytes.Equal(b[:len(s.head)], s.head) {
		return false, nil
	}
	if n > len(s.head) {
		s.head = append(s.head[:0], b[:n]...)
		s.identify()
	}
	return true, nil
}

// skipHole moves headAt to the first byte that is not NUL, and reads from there.
func (s *stream) skipHole(b []byte) (n int, err error) {
	buf := make([]byte, probeSize)
	for {
		n, err = s.file.ReadAt(buf, s.headAt)
		nuls := leadingNULs(buf[:n])
		s.headAt += int64(nuls)
		if nuls < n {
			return s.file.ReadAt(b, s.headAt)
		}
		if err != nil || n == 0 {
			return 0, err
		}
	}
}

// beginsWithHole reports whether the file system has stored nothing at its beginning.
func (s *stream) beginsWithHole() bool {
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return false
	}
	hole := dataStart(s.file) > 0
	_, err = s.file.Seek(at, io.SeekStart)
	return hole && err == nil
}

// holds reports whether this is the file of a stored place, or a copy of it.
func (s *stream) holds(p place) bool {
	i, err := s.stat()
	return err == nil && p.offset <= i.size && p.fp.fits(s.head) && s.has(p.hint.tail)
}

// has reports whether there is in this file what was read of another one.
func (s *stream) has(t tail) bool {
	b := make([]byte, t.size)
	_, err := s.file.ReadAt(b, t.end-int64(t.size))
	return t.size == 0 || err == nil && newTail(b, t.end) == t
}

// copies reports whether this file is a copy of another one, or that one itself.
func (s *stream) copies(o *stream) bool {
	return len(o.head) >= telling && bytes.HasPrefix(s.head, o.head) && s.has(o.tail)
}

// breaksAt reports whether a line begins at an offset: there is the end of the
// file or a newline (or a NUL) before it.
func (s *stream) breaksAt(off int64) bool {
	var b [1]byte
	if off == 0 {
		return true
	}
	if _, err := s.file.ReadAt(b[:], off-1); err != nil {
		return false
	}
	if b[0] == '\n' || b[0] == 0 {
		return true
	}
	i, err := s.stat()
	return err == nil && off == i.size
}
