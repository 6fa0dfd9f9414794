package file

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"pullcause/logtail"
)

// begin opens the file to start with. It reports false, and says why, if there
// is none yet. statErr is what looking at the path yielded.
func (f *follower) begin(statErr error) bool {
	s, off, err := f.first(statErr)
	if err != nil {
		f.await(err)
		return false
	}
	return f.adoptAt(s, off)
}

func (f *follower) first(statErr error) (*stream, int64, error) {
	switch {
	case f.start != nil:
		return f.resume(statErr)
	case f.last != nil:
		// It is closed, so another file may have its id by now.
		s, between, err := f.successor(fileID{}, f.last.mtime)
		s, between = f.orHeld(s, between)
		if s == nil {
			return nil, 0, err
		}
		f.countPacked(*f.last, s, between)
		if !between {
			f.older.setAll(f.listed)
		}
		return s, f.readBefore(s), nil
	case statErr != nil:
		if errors.Is(statErr, fs.ErrNotExist) {
			f.whole = true
		}
		return nil, 0, statErr
	}
	s, err := openStream(f.cfg.Root, f.cfg.Path)
	if err != nil {
		return nil, 0, err
	}
	f.noteOlder()
	if f.whole {
		return s, 0, nil
	}
	off, err := s.lookBack(time.Now(), f.cfg.Lookback, f.cfg.LineTime)
	if err != nil {
		s.close()
		return nil, 0, err
	}
	return s, off, nil
}

// resume finds the file of the stored position: under the path, else renamed,
// else as a copy. As long as the path names nothing it keeps looking.
func (f *follower) resume(statErr error) (*stream, int64, error) {
	p, err := newPlace(*f.start)
	if err != nil {
		return f.resumeLost(p, statErr, err.Error())
	}
	named, err := openStream(f.cfg.Root, f.cfg.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	f.older = parsePredecessors(f.start.Hint)
	if named != nil && p.maybe(named) && named.holds(p) {
		if p.fp.size == 0 {
			if c := f.filled(named.id, p.hint.born, p.hint.written); c != nil {
				named.close()
				return c, 0, nil
			}
		}
		if !f.older.known { // an earlier version stored the position
			f.noteOlder()
		}
		return named, p.offset, nil
	}
	named.close()
	if s := f.renamed(p); s != nil {
		return s, p.offset, nil
	}
	if p.fp.size >= telling {
		if s := f.search(p.offset, func(s *stream) bool { return s.holds(p) }); s != nil {
			return s, p.offset, nil
		}
	}
	if s := f.shortened(p); s != nil {
		return s, p.offset, nil
	}
	if s := f.compressed(p); s != nil {
		return s, p.offset, nil
	}
	return f.resumeLost(p, statErr, "its file was removed or truncated")
}

// noteOlder notes all rotated files as older than what the path names.
func (f *follower) noteOlder() {
	found, err := f.siblings()
	if err != nil {
		f.complain(err)
	}
	f.older.setAll(found)
}

// maybe reports whether a file can be the place's by its number and birth, or by its
// beginning alone if there is no hint. The device says little: it may have another number
// after the machine restarted.
func (p place) maybe(s *stream) bool {
	if p.hint.id == (fileID{}) {
		return p.fp.size >= telling
	}
	if s.born != p.hint.born && s.born != 0 && p.hint.born != 0 {
		return false
	}
	return s.id == p.hint.id || s.id.ino == p.hint.id.ino && p.fp.size > 0
}

// renamed opens the file of a place under the name that rotation gave it.
func (f *follower) renamed(p place) *stream {
	found, err := f.siblings()
	if err != nil {
		f.complain(err)
	}
	return f.pick(found, func(o *stream, _ sibling) bool { return p.maybe(o) && o.holds(p) })
}

// shortened opens the file of a place if its end is missing: a crash of the machine
// leaves our state and takes what was last written to the log. It may as well have been
// truncated and written to again; then hardly a line begins at the same offset.
func (f *follower) shortened(p place) *stream {
	s, err := openStream(f.cfg.Root, f.cfg.Path)
	if err != nil {
		return nil
	}
	i, err := s.stat()
	same := err == nil && p.hint.born != 0 && s.born == p.hint.born && p.maybe(s) && p.fp.fits(s.head)
	if same && p.offset > 0 && p.offset <= i.size && i.size < p.hint.tail.end && s.breaksAt(p.offset) {
		return s
	}
	s.close()
	return nil
}

// resumeLost goes on where the stored position is of no use: with the oldest file
// that was made after the lost one, else at the beginning of the current one.
func (f *follower) resumeLost(p place, statErr error, why string) (*stream, int64, error) {
	if statErr != nil {
		return nil, 0, statErr
	}
	s := f.bornAfter(p)
	if s == nil {
		var err error
		if s, err = openStream(f.cfg.Root, f.cfg.Path); err != nil {
			return nil, 0, err
		}
		f.noteOlder()
	}
	f.log.Warn("the stored position fits no file: going on at the beginning of another",
		"path", s.real, "why", why, "stream", f.start.Stream, "offset", f.start.Offset)
	f.lost(logtail.LostPosition, 0, fmt.Sprintf("the stored position in %s fits no file: %s; what was written before that is not known", f.cfg.Path, why))
	return s, 0, nil
}

// bornAfter opens the file that comes after that of a place: the same one, if it
// was truncated since, else the oldest rotated one that was made later. Copies that
// had been made of it before are known as predecessors, or are older by their last
// write. It is nil if there is none.
func (f *follower) bornAfter(p place) *stream {
	if p.hint.born == 0 && !f.older.known {
		return nil
	}
	found, err := f.siblings()
	if err != nil {
		f.complain(err)
	}
	same := func(o *stream, _ sibling) bool { return p.maybe(o) && o.born != 0 }
	if o := f.pick(append([]sibling{{path: f.cfg.Path}}, found...), same); o != nil {
		return o
	}
	named, _ := openStream(f.cfg.Root, f.cfg.Path) //nolint:errcheck // then it proves nothing
	defer named.close()
	written := time.Unix(0, p.hint.written)
	later := append(f.older.later(found, named, written), f.packedSince(written)...)
	slices.SortFunc(later, older)
	for _, s := range later {
		o := f.openUnread(s)
		if o != nil && s.size > 0 && (f.older.known || o.born > p.hint.born) {
			return o
		}
		o.close()
	}
	return nil
}

// pick opens the first of some files that pleases match.
func (f *follower) pick(files []sibling, match func(*stream, sibling) bool) *stream {
	for _, s := range files {
		o, err := openStream(f.cfg.Root, s.path)
		if err != nil {
			continue // gone meanwhile, or not for us
		}
		if match(o, s) {
			return o
		}
		o.close()
	}
	return nil
}

// fail gives up the current file after an error and goes on from there later.
func (f *follower) fail(err error) bool {
	pos := f.cur.pos(f.lines.off)
	f.release()
	f.start = &pos
	f.await(err)
	return false
}

// await says why there is nothing to read and slows down the attempts.
func (f *follower) await(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		f.backoff = 0
	} else {
		f.backoff = min(max(2*f.backoff, f.cfg.Poll), maxBackoff)
	}
	f.src.update(func(st *logtail.Status) { st.State = logtail.StateWaiting })
	f.complain(err)
}

// complain puts an error into the status, and into the log if it is a new one.
func (f *follower) complain(err error) {
	text := advice(err)
	f.src.update(func(st *logtail.Status) { st.Error = text })
	if text != f.failure {
		f.failure = text
		f.log.Warn("cannot read the log file", "error", text)
	}
}

// well takes back what complain said.
func (f *follower) well() {
	if f.failure != "" {
		f.failure = ""
		f.src.update(func(st *logtail.Status) { st.Error = "" })
	}
}

// advice is the error with what to do about it.
func advice(err error) string {
	text := err.Error()
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		text = p.Path + ": " + p.Err.Error() // the same whether stat or open failed
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return text + ": waiting for it to appear"
	case errors.Is(err, fs.ErrPermission):
		return text + ": run as root or as a member of the file's group, and let SELinux allow it"
	case errors.Is(err, errNotRegular):
		return text + ": give the path of the log file itself"
	}
	return text
}
