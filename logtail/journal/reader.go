package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"pullcause/logtail"
)

// reader reads the entries of interest of all files of a journal in their order.
//
// It works in turns. [reader.refresh] looks for files and takes notice of what was
// added to each; after it, [reader.next] goes through the entries until there are no
// more. Files are kept open until they are read to their end, whatever their name
// is then.
type reader struct {
	roots
	matches []match
	list    func() ([]found, []problem) // [roots.list]
	codecs  decompressor
	lost    func(logtail.Loss)

	// origin is where reading begins if it was begun before, else since is the time
	// to begin at, in µs since 1970. Both stay as they are while files are read: one
	// that could not be opened is read from there too.
	origin *cursor
	since  uint64

	files    []*file       // open, in their order
	done     []os.FileInfo // read to their end
	doneIDs  []id128       // likewise, of the last ones, whatever has become of them
	refused  []refusal
	present  []bool  // by match: an entry has it
	users    []found // files of others, which have numbers of the same sequence
	problems []problem
	again    bool // something could not be opened and may be later
	scanned  bool // the last refresh looked for files

	// ends is, by sequence, the place before which each entry was in a file that is or
	// was open, or is lost and counted; as of the last time that account was called.
	ends      map[id128]end
	dropped   []header // of the files that were open then and are not any more
	accounted bool

	last     *cursor // behind the entry read last; nil if none was
	lastRoot int
	moment   []uint64 // the xor of those of its moment
}

// end is a place in a sequence: the number of the next entry, and the time, in µs
// since 1970, of the last one.
type end struct{ next, time uint64 }

// upTo is the end with the entries of one more file.
func (e end) upTo(h header) end {
	if tail := (end{h.tailSeqnum + 1, h.tailTime}); tail.next > e.next {
		return tail
	}
	return e
}

// refusal is a file that cannot be read, and why.
type refusal struct {
	problem
	info os.FileInfo
}

func newReader(r roots, matches []match, lost func(logtail.Loss)) *reader {
	read := &reader{roots: r, matches: matches, lost: lost, present: make([]bool, len(matches)), ends: make(map[id128]end)}
	read.list = read.roots.list
	return read
}

// refresh takes notice of what is new.
func (r *reader) refresh(now time.Time) {
	if r.scanned = r.again || r.changed(now); r.scanned {
		r.scan()
	}
	r.updateAll()
	if r.scanned && r.torn() {
		// A file was renamed while the folder was listed: it was in neither place.
		r.scan()
		r.updateAll()
	}
	if r.scanned {
		r.account()
	}
}

// updateAll takes notice of what was added, in the newest file first: what journald
// wrote to a file before it began the next one is then seen before anything in that
// one is handed over.
func (r *reader) updateAll() {
	for _, f := range slices.Backward(slices.Clone(r.files)) {
		r.update(f)
	}
	r.sort()
}

func (r *reader) lose(reason string, n uint64, detail string) {
	r.lost(logtail.Loss{Reason: reason, Count: bounded(n), Detail: detail})
}

// update takes notice of what was added to a file.
func (r *reader) update(f *file) {
	if f.finished {
		return
	}
	final := f.final
	changed, err := f.readHeader()
	if err != nil {
		r.failed(f, err)
		return
	}
	if !f.placed && r.isBeforeStart(f) {
		f.placed, f.finished = true, true
		return
	}
	if changed {
		f.grown = time.Now()
	}
	// Even if nothing has changed since: the last entry may have been in the header's
	// count and not in its fields' yet, and a busy machine may let journald wait in
	// between.
	done := final || f.head.state == stateArchived
	if changed || !f.steady || done {
		if r.corrupted(f, f.count()) {
			return
		}
		for i, l := range f.chains {
			r.present[i] = r.present[i] || l.data != 0
		}
	}
	f.steady = !changed && time.Since(f.grown) > linkTime
	if !f.placed {
		r.place(f)
	}
	f.finished = done
}

// linkTime is more than journald needs to hang one entry into the chains of its
// fields.
const linkTime = time.Second

// next returns the file whose next entry is the first of all, with the entry in
// it; nil if there is none. Call advance when it has been read.
func (r *reader) next() *file {
	var first *file
	for i := 0; i < len(r.files); i++ {
		f := r.files[i]
		ok, errs := r.peek(f)
		if r.corrupted(f, errs) {
			i--
			continue
		}
		if ok && (first == nil || f.next.compare(&first.next, f.head.sequence == first.head.sequence) < 0) {
			first = f
		}
	}
	if first == nil {
		r.settle()
	}
	return first
}

// peek is the file's, without entries that were read in another folder.
func (r *reader) peek(f *file) (ok bool, errs []error) {
	for {
		ok, more := f.peek()
		errs = append(errs, more...)
		if !ok || !r.isCopy(f) {
			return ok, errs
		}
		f.advance()
	}
}

// advance passes the entry that next found.
func (r *reader) advance(f *file) {
	r.remember(f)
	f.advance()
}

// settle closes the files that are read to their end.
func (r *reader) settle() {
	for _, f := range slices.Clone(r.files) {
		f.exhausted()
		if f.finished {
			r.done = append(r.done, f.info)
			r.doneIDs = append(r.doneIDs[max(len(r.doneIDs)+1-maxDoneIDs, 0):], f.head.fileID)
			r.drop(f)
		}
	}
}

// maxDoneIDs bounds the files that are known to have been read. A node keeps some
// hundred at most.
const maxDoneIDs = 1024

func (r *reader) drop(f *file) {
	r.dropped = append(r.dropped, f.head)
	r.files = slices.DeleteFunc(r.files, func(g *file) bool { return g == f })
	f.close()
}

// corrupted counts what could not be read. It reports whether the file is gone as
// a whole.
func (r *reader) corrupted(f *file, errs []error) (gone bool) {
	if len(errs) == 0 {
		return false
	}
	if f.gone() {
		r.vanished(f)
		return true
	}
	for _, err := range errs {
		r.lose(logtail.LostCorrupt, 1, fmt.Sprintf("%s: %v", f.path, err))
	}
	return false
}

// failed gives up a file whose header cannot be read any more.
func (r *reader) failed(f *file, err error) {
	if errors.Is(err, errNoJournal) || errors.Is(err, errEmpty) {
		r.vanished(f)
		return
	}
	r.refused = append(r.refused, refusal{problem{f.path, err}, f.info})
	r.lose(logtail.LostCorrupt, 1, fmt.Sprintf("%s: %v", f.path, err))
	r.drop(f)
}

// close closes all files.
func (r *reader) close() {
	for _, f := range r.files {
		f.close()
	}
	r.files = nil
}
