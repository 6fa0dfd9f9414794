package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// maxUnpacked bounds how much of one compressed file is unpacked, in bytes.
const maxUnpacked = 512 << 20

// unpackable reports whether a file can be unpacked, by its name: logrotate, the kubelet
// and lumberjack make gzip files unless they are told otherwise.
func unpackable(path string) bool { return strings.HasSuffix(path, ".gz") }

// packed lists the compressed files that rotation made and that are whole.
func (f *follower) packed() []sibling {
	found, err := f.beside(isPacked)
	if err != nil {
		f.complain(err)
	}
	return slices.DeleteFunc(found, func(s sibling) bool {
		return !unpackable(s.path) || s.isBeingPacked()
	})
}

// packedSince lists those that were written to at a time or later. Their own birth tells
// nothing: gzip makes a new file with the time of the old one.
func (f *follower) packedSince(written time.Time) []sibling {
	return slices.DeleteFunc(f.packed(), func(s sibling) bool { return s.mtime.Before(written) })
}

// noteUnpacked remembers a compressed file that is read, so that it is not counted as lost.
func (f *follower) noteUnpacked(id fileID) {
	f.unpacked = append(f.unpacked, id)
	if n := len(f.unpacked) - maxPast; n > 0 {
		f.unpacked = slices.Delete(f.unpacked, 0, n)
	}
}

// compressed opens the file of a place that was compressed since.
func (f *follower) compressed(p place) *stream {
	if p.fp.size < telling {
		return nil
	}
	for _, s := range slices.Backward(f.packed()) {
		head, err := f.packedHead(s.path)
		if err != nil || !p.fp.fits(head) {
			continue
		}
		// What stands before the place is needed only as far as it tells the file.
		o, err := f.unpack(s, max(min(p.offset, p.hint.tail.end)-tailLen, 0))
		if err != nil {
			f.log.Warn("cannot unpack a rotated file", "path", s.path, "error", err)
			continue
		}
		if o.holds(p) && o.breaksAt(p.offset) {
			if p.hint.born != 0 {
				o.born = p.hint.born // that of the file, not of what was unpacked of it
			}
			return o
		}
		o.close()
	}
	return nil
}

// unpackUnread opens a compressed file unless it was read before it was compressed, which
// its beginning tells.
func (f *follower) unpackUnread(s sibling) *stream {
	if slices.Contains(f.unpacked, s.id) {
		return nil
	}
	head, err := f.packedHead(s.path)
	if err != nil || len(head) < telling || f.cur != nil && bytes.HasPrefix(head, f.cur.head) || f.past.knows(head) {
		return nil
	}
	o, err := f.unpack(s, 0)
	if err != nil {
		f.log.Warn("cannot unpack a rotated file", "path", s.path, "error", err)
		return nil
	}
	return o
}

// knows reports whether a file that was read begins so.
func (p *past) knows(head []byte) bool {
	return slices.ContainsFunc(p.files, func(f pastFile) bool { return len(f.head) >= telling && bytes.HasPrefix(head, f.head) })
}

// packedHead returns the first bytes of what is in a compressed file.
func (f *follower) packedHead(path string) ([]byte, error) {
	r, closeFile, err := f.openPacked(path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:n], nil
}

func (f *follower) openPacked(path string) (r io.Reader, closeFile func(), err error) {
	s, err := openStream(f.cfg.Root, path)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		s.close()
		return nil, nil, err
	}
	gz, err := gzip.NewReader(s.file)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return gz, s.close, nil
}

// unpack writes what is in a compressed file to a temporary one that has no name, and
// returns that with the time of the last write. From its first bytes to from it has a hole.
func (f *follower) unpack(s sibling, from int64) (*stream, error) {
	r, closeFile, err := f.openPacked(s.path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	to, err := os.CreateTemp(f.cfg.Scratch, ".unpacked-*")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unpackTo(to, r, from), os.Chtimes(to.Name(), s.mtime, s.mtime), os.Remove(to.Name())); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	o, err := newStream(to)
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	o.real, o.packed, o.copied = strings.TrimSuffix(s.path, filepath.Ext(s.path)), true, true
	f.noteUnpacked(s.id)
	return o, nil
}

// unpackTo copies the first bytes, and what stands behind from.
func unpackTo(to *os.File, r io.Reader, from int64) error {
	if from > headLen {
		if _, err := io.CopyN(to, r, headLen); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, from-headLen); err != nil {
			return err
		}
		if _, err := to.Seek(from, io.SeekStart); err != nil {
			return err
		}
	}
	n, err := io.Copy(to, io.LimitReader(r, maxUnpacked))
	if err == nil && n == maxUnpacked {
		err = fmt.Errorf("got more than %d bytes that were not read", maxUnpacked)
	}
	return err
}
