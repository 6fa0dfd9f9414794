package file

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/watch"
)

const (
	// maxPast is how many files that were read are remembered.
	maxPast = 32
	// telling is how much of a head is enough to take two files for copies of one
	// another if they also have in common what was read last.
	telling = 32
)

// past remembers files that were read, so that none is read twice.
type past struct {
	files []pastFile
}

type pastFile struct {
	id   fileID
	head []byte
	tail tail
	off  int64
}

func (p *past) add(s *stream, off int64) {
	p.files = append(p.files, pastFile{s.id, s.head, s.tail, off})
	if n := len(p.files) - maxPast; n > 0 {
		p.files = slices.Delete(p.files, 0, n)
	}
}

// read says how far a file, or the one that it is a copy of, was read.
func (p *past) read(s *stream) int64 {
	for _, f := range slices.Backward(p.files) {
		if (f.id == s.id || len(f.head) >= telling) && bytes.HasPrefix(s.head, f.head) && s.has(f.tail) {
			return f.off
		}
	}
	return 0
}

// successor opens the file that comes after one that was last written to at the
// given time: the oldest of the rotated files that came later (one between), else
// the one that the path names. It is nil if there is none.
func (f *follower) successor(id fileID, written time.Time) (next *stream, between bool, err error) {
	// The path first: whatever is rotated from now on is this one or comes later.
	named, err := openStream(f.cfg.Root, f.cfg.Path)
	found, listErr := f.siblings()
	if listErr != nil {
		f.complain(listErr)
	}
	f.listed = slices.Clone(found)
	later := append(f.older.later(found, named, written), f.packedSince(written)...)
	slices.SortFunc(later, older)
	for _, s := range later {
		if s.size == 0 || s.id == id || named != nil && s.id == named.id {
			continue
		}
		if next := f.openUnread(s); next != nil {
			f.hold(named)
			return next, true, nil
		}
	}
	return named, false, err
}

// hold keeps open what the path names while an older file is still read: it may
// be removed before its turn comes. It may be called with nil.
func (f *follower) hold(s *stream) {
	if s == nil || f.held != nil {
		s.close()
		return
	}
	f.held = s
}

// orHeld takes the held file instead of the next one where the path has come to
// name another meanwhile, and there is text in it that was not read.
func (f *follower) orHeld(next *stream, between bool) (s *stream, mustRead bool) {
	held := f.held
	if between || held == nil || next != nil && next.id == held.id {
		return next, between
	}
	f.held = nil
	// As it is now: it may have been truncated since it was opened.
	now, err := held.restarted()
	if err != nil {
		held.close()
		return next, between
	}
	if i, err := now.stat(); err != nil || f.past.read(now) >= i.size {
		now.close()
		return next, between
	}
	next.close()
	return now, true
}

// letGo closes the held file.
func (f *follower) letGo() {
	f.held.close()
	f.held = nil
}

func (f *follower) siblings() ([]sibling, error) { return f.beside(isRotated) }

// beside lists what rotation made, of a kind that made tells by the names.
func (f *follower) beside(made func(base, name string) bool) ([]sibling, error) {
	dirs, _ := watch.Lookups(f.cfg.Root, f.cfg.Path)
	if f.cur != nil {
		dir, name := filepath.Split(f.cur.real)
		dir = filepath.Clean(dir)
		dirs[dir] = append(dirs[dir], name)
	}
	return f.cfg.Folders.siblings(dirs, made)
}

// countPacked counts as lost what was rotated after the file that is left, before the
// next one, and compressed before it was looked at.
func (f *follower) countPacked(left info, next *stream, between bool) {
	packed, err := f.beside(isPacked)
	if err != nil {
		f.complain(err)
	}
	lost := 0
	for _, s := range packed {
		if slices.Contains(f.unpacked, s.id) {
			continue // it is read
		}
		if s.id != left.id && !s.mtime.Before(left.mtime) && !s.isBeingPacked() && !(between && s.isAfter(next)) {
			lost++
		}
	}
	// If the file that is left is gone, it is one of them. lumberjack does not give it the
	// time that it had (v2.2.1 compressLogFile).
	if left.isRemoved() && !left.packed {
		lost--
	}
	for range lost {
		f.lost(logtail.LostRotation, 0, fmt.Sprintf("a rotated file of %s was compressed before it was read, and cannot be unpacked; have it compressed with gzip, or one rotation later", f.cfg.Path))
	}
}

// openUnread opens a rotated file unless all of it was read.
func (f *follower) openUnread(s sibling) *stream {
	if unpackable(s.path) {
		return f.unpackUnread(s)
	}
	o, err := openStream(f.cfg.Root, s.path)
	if err != nil {
		return nil // gone meanwhile, or not for us
	}
	copied := f.cur != nil && o.copies(f.cur)
	if o.id != s.id || copied || f.past.read(o) >= s.size {
		o.close()
		return nil
	}
	return o
}

// truncated goes on after the current file was cut: first in the copy that was
// made of it, if there is one, then in what was written to it since.
func (f *follower) truncated(known int64) bool {
	unread := max(known, f.lines.end()) - f.lines.off
	f.log.Info("log file was truncated", "path", f.cur.file.Name(), "read", f.lines.off, "unread", unread)
	if c := f.search(f.lines.off, func(s *stream) bool { return s.copies(f.cur) }); c != nil {
		return f.adoptAt(c, f.lines.off)
	}
	if unread > 0 {
		f.lost(logtail.LostRotation, unread, fmt.Sprintf("%s was truncated before it was read to its end, and no copy of it was found; rotate by renaming instead of copying", f.cfg.Path))
	}
	s, err := f.cur.restarted()
	if err != nil {
		return f.fail(err)
	}
	return f.adoptAt(s, 0)
}

// filled opens the oldest copy that was made of a file since nothing, or no whole line,
// stood in it. Such a file looks the same after it was filled and truncated again.
func (f *follower) filled(id fileID, born, written int64) *stream {
	found, err := f.siblings()
	if err != nil {
		f.complain(err)
	}
	c := f.pick(f.older.later(found, nil, time.Unix(0, written)), func(o *stream, s sibling) bool {
		isNew := f.older.known && o.born != 0 || s.mtime.UnixNano() > written && (o.born == 0 || o.born > born)
		return isNew && o.id != id && s.size > f.past.read(o)
	})
	if c != nil {
		c.copied = true
	}
	return c
}

// search opens the newest rotated file that pleases match and has a line
// beginning at off.
func (f *follower) search(off int64, match func(*stream) bool) *stream {
	found, err := f.siblings()
	if err != nil {
		f.complain(err)
	}
	for _, s := range slices.Backward(found) {
		if s.size < off {
			continue
		}
		o, err := openStream(f.cfg.Root, s.path)
		if err != nil {
			continue
		}
		if match(o) && o.breaksAt(off) {
			o.copied = true
			return o
		}
		o.close()
	}
	return nil
}

// adopt makes a file the current one, from where it was read to before.
func (f *follower) adopt(s *stream) bool {
	return f.adoptAt(s, f.readBefore(s))
}

// readBefore says how far a file was read in this run; 0 for a new one.
func (f *follower) readBefore(s *stream) int64 {
	off := f.past.read(s)
	if i, err := s.stat(); err != nil || off > i.size {
		return 0
	}
	return off
}

// adoptAt makes a file the current one. It returns true: there may be something
// to read.
func (f *follower) adoptAt(s *stream, off int64) bool {
	f.gen++
	if err := s.begin(f.cfg.Name, f.gen, off); err != nil {
		s.close()
		f.complain(&fs.PathError{Op: "seek", Path: s.file.Name(), Err: err})
		return false
	}
	if f.held != nil && f.held.id == s.id {
		f.letGo()
	}
	rotated := f.cur != nil || f.last != nil
	if f.cur != nil && f.cur.file != s.file {
		f.leaveBehind(s)
	}
	s.older, s.hint = f.older.String(), ""
	f.log.Debug("reading", "path", s.real, "offset", off, "inode", s.id.ino)
	f.cur = s
	f.lines.reset(off)
	f.seen, f.settled, f.moved, f.last, f.start = info{}, false, time.Time{}, nil, nil
	f.whole, f.backoff, f.failure = true, 0, ""
	if f.watch != nil {
		f.watch.Release()
		f.watch.Renew()
	}
	f.src.update(func(st *logtail.Status) {
		st.State, st.Error = logtail.StateReading, ""
		if rotated {
			st.Rotations++
		}
	})
	f.advance(logtail.Progress{}, off, time.Now())
	return true
}
