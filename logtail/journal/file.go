package journal

import (
	"errors"
	"io"
	"os"
	"time"
)

// file is one journal file that is open, and how far its entries of interest
// were read.
type file struct {
	path string
	root int // which of the roots it lies in
	at   io.ReaderAt
	info os.FileInfo // to know it again under another name

	head     header
	data     content
	codecs   *decompressor
	unpacked []byte
	fields   fieldCache
	// tableChecked is set once it is known whether the hash table leads anywhere.
	tableChecked bool

	matches []match // not to be changed
	chains  []*link // one for each match
	next    entry   // first of all chains, if pending
	pending bool
	placed  bool // seek has been called for

	// final is set once nothing will be added any more, finished once the file was
	// looked at since. grown is when something was added last, as far as seen.
	final, finished bool
	grown           time.Time
	// limit is the number of the last entry that may be handed over. The entry that
	// is being written may hang in one chain and not yet in another.
	limit uint64
	// read is the number before which all entries of interest were handed over.
	read uint64
	// steady is set when the last entry was counted in all chains that it is in.
	steady bool
}

// link is the chain of one match in a file.
type link struct {
	chain  *chain // nil if no entry fits yet
	data   uint64 // its DATA object
	broken bool   // its further entries cannot be found
}

// newFile returns a file; readHeader and count have to be called before all else.
func newFile(at io.ReaderAt, size func() (int64, error), matches []match, codecs *decompressor) *file {
	f := &file{at: at, matches: matches, codecs: codecs, chains: make([]*link, len(matches))}
	f.data.at, f.data.size = at, size
	for i := range f.chains {
		f.chains[i] = &link{}
	}
	return f
}

// readHeader reads the header. It reports whether anything was added since.
func (f *file) readHeader() (changed bool, err error) {
	var b [headerSize]byte
	n, err := f.at.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	h, err := parseHeader(b[:n])
	if err != nil {
		return false, err
	}
	changed = h.entries != f.head.entries || h.tailSeqnum != f.head.tailSeqnum || h.state != f.head.state || h.headSeqnum != f.head.headSeqnum
	f.head = h
	f.limit = h.tailSeqnum
	f.data.end = 0 // it is asked for when it is needed
	f.data.forget()
	return changed, nil
}

// gone reports whether the file was removed: journald fills those with zeros.
func (f *file) gone() bool {
	var b [8]byte
	_, err := f.at.ReadAt(b[:], 0)
	return err != nil || string(b[:]) != string(signature)
}

// count looks for entries that have been added: in this order, since journald
// writes in the other one. Each error is of one match, whose further entries
// cannot be found.
func (f *file) count() (errs []error) {
	f.pending = false // what has been linked since may come before it
	for i, l := range f.chains {
		if l.broken {
			continue
		}
		if err := f.countOne(l, f.matches[i].payload); err != nil {
			l.broken = true
			errs = append(errs, err)
		}
	}
	return errs
}

func (f *file) countOne(l *link, payload []byte) (err error) {
	if l.data == 0 {
		if l.data, err = f.find(payload); l.data == 0 || err != nil {
			return err
		}
		l.chain, err = f.newChain(l.data)
		return err
	}
	return f.recount(l.chain, l.data)
}

// seek goes, in all chains, to the first entry that is not before a place.
func (f *file) seek(before func(*entry) bool) (errs []error) {
	f.pending = false
	for _, l := range f.chains {
		if l.chain == nil || l.broken {
			continue
		}
		if err := l.chain.seek(before); err != nil {
			l.broken = true
			errs = append(errs, err)
		}
	}
	return errs
}

// peek finds the next entry: the first one of all chains. It reports whether there
// is one that may be handed over; errs are of entries and chains that are passed
// over.
func (f *file) peek() (ok bool, errs []error) {
	for !f.pending {
		place := uint64(0)
		for _, l := range f.chains {
			if l.chain == nil || l.broken {
				continue
			}
			at, err := l.chain.peek()
			if err != nil {
				l.broken = true
				errs = append(errs, err)
				continue
			}
			if at != 0 && (place == 0 || at < place) {
				place = at
			}
		}
		if place == 0 {
			return false, errs
		}
		if err := f.entry(place, &f.next); err != nil {
			errs = append(errs, err)
			f.pass(place)
			continue
		}
		f.pending = true
	}
	return f.finished || f.next.seqnum <= f.limit, errs
}

// pass passes the entry at a place in all chains that have it.
func (f *file) pass(place uint64) {
	for _, l := range f.chains {
		if l.chain == nil || l.broken {
			continue
		}
		if at, err := l.chain.peek(); err == nil && at == place {
			l.chain.take(place)
		}
	}
}

// advance passes the entry that peek found.
func (f *file) advance() {
	f.read = max(f.read, f.next.seqnum+1)
	f.pass(f.next.off)
	f.pending = false
}

// exhausted takes notice that all that may be handed over was.
func (f *file) exhausted() {
	end := f.limit
	if f.finished || f.steady {
		end++
	}
	f.read = max(f.read, end)
}

// saved is where a file's chains are.
type saved []chain

func (f *file) save() saved {
	var s saved
	for _, l := range f.chains {
		if l.chain != nil {
			s = append(s, *l.chain)
		}
	}
	return s
}

// restore goes back to where save was called.
func (f *file) restore(s saved) {
	f.pending = false
	for _, l := range f.chains {
		if l.chain != nil {
			*l.chain = s[0]
			s = s[1:]
		}
	}
}

// countBetween is how many entries of any kind are behind lo and before hi, by
// number and by time.
func (f *file) countBetween(lo, hi end) (uint64, error) {
	all := &chain{file: f, head: f.head.array, total: f.head.entries}
	if err := all.seek(func(e *entry) bool { return e.seqnum < lo.next || e.realtime < lo.time }); err != nil {
		return 0, err
	}
	from := all.taken
	if err := all.seek(func(e *entry) bool { return e.seqnum < hi.next && e.realtime <= hi.time }); err != nil {
		return 0, err
	}
	return all.taken - min(all.taken, from), nil
}

// close closes the file, if it is one of the file system.
func (f *file) close() {
	if c, ok := f.at.(io.Closer); ok {
		_ = c.Close() // it was only read
	}
}
