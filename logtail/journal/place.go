package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"pullcause/logtail"
)

// maxMoment bounds the entries of one moment that are searched for a known one.
const maxMoment = 10_000

// place goes to where reading of a file begins, which was not read before.
func (r *reader) place(f *file) {
	f.placed = true
	var errs []error
	switch {
	case r.origin == nil:
		if r.since > 0 {
			errs = f.seek(func(e *entry) bool { return e.realtime < r.since })
		}
	case f.head.sequence == r.origin.sequence:
		errs = f.seek(func(e *entry) bool { return e.seqnum < r.origin.next })
	default:
		errs = r.seekBehind(f, r.origin)
	}
	r.corrupted(f, errs)
}

// isBeforeStart reports whether a file that will not grow ends before the place
// where reading begins.
func (r *reader) isBeforeStart(f *file) bool {
	switch {
	case !f.final:
		return false
	case r.origin == nil:
		return f.head.tailTime < r.since
	}
	return f.head.sequence == r.origin.sequence && f.head.tailSeqnum < r.origin.next
}

// seekBehind goes behind a place in a file of another sequence. Of the entries of
// that very moment it passes those up to the one that is known.
func (r *reader) seekBehind(f *file, c *cursor) []error {
	errs := f.seek(c.mark.isAfter)
	if c.mark.seqnum == 0 || c.isBeforeMark() {
		return errs
	}
	start := f.save()
	for range maxMoment {
		ok, more := f.peek()
		errs = append(errs, more...)
		if !ok || !c.mark.sameMoment(&f.next) {
			break
		}
		known := f.next.xor == c.mark.xor
		f.advance()
		if known {
			return errs
		}
	}
	f.restore(start)
	return errs
}

// remember notes the entry that is handed over.
func (r *reader) remember(f *file) {
	if r.last == nil || r.lastRoot != f.root || !r.last.mark.sameMoment(&f.next) || len(r.moment) > maxMoment {
		r.moment = r.moment[:0]
	}
	c := behind(f.head.sequence, &f.next)
	r.last, r.lastRoot, r.moment = &c, f.root, append(r.moment, f.next.xor)
}

// isCopy reports whether the entry was read in another folder: journald copies the
// journal from /run to /var when that can be written to, and numbers the copies
// anew. They are the first ones that come from there.
func (r *reader) isCopy(f *file) bool {
	if r.last == nil || r.lastRoot == f.root || f.next.boot != r.last.mark.boot {
		return false
	}
	return r.last.mark.isAfter(&f.next) || r.last.mark.sameMoment(&f.next) && slices.Contains(r.moment, f.next.xor)
}

// heads are the headers of the files that are open, or were when account was called
// last, in their order.
func (r *reader) heads() []header {
	heads := slices.Clone(r.dropped)
	for _, f := range r.files {
		heads = append(heads, f.head)
	}
	slices.SortStableFunc(heads, byAge)
	return heads
}

// torn reports whether numbers are missing between two files.
func (r *reader) torn() bool {
	ends := maps.Clone(r.ends)
	for _, h := range r.heads() {
		if h.headSeqnum == 0 {
			continue
		}
		last, known := ends[h.sequence]
		if known && h.headSeqnum > last.next {
			return true
		}
		ends[h.sequence] = last.upTo(h)
	}
	return false
}

// account finds out which entries were removed before they were read: numbers
// between two files of a sequence that are in no file. It may count too many,
// since entries of any kind have numbers, but not too few.
func (r *reader) account() {
	if len(r.files) == 0 {
		return
	}
	known := maps.Clone(r.ends)
	heads := r.heads()
	for _, h := range heads {
		if h.headSeqnum == 0 {
			continue
		}
		last := r.ends[h.sequence]
		if _, ok := known[h.sequence]; ok && h.headSeqnum > last.next && !r.blind() {
			r.gap(last, end{h.headSeqnum, h.headTime})
		}
		r.ends[h.sequence] = last.upTo(h)
	}
	r.dropped = nil
	ofOrigin := func(h header) bool { return h.sequence == r.origin.sequence } // be it empty: journald emptied the rest
	if !r.accounted && r.origin != nil && !r.blind() && !slices.ContainsFunc(heads, ofOrigin) {
		r.lose(logtail.LostPosition, 1, "the journal that was read last is gone, and with it what was written to it after that; a journal in /run ends with the boot: Storage=persistent in journald.conf keeps it")
	}
	r.accounted = true
}

// blind reports whether there are files that cannot be opened: the numbers that
// are missing may be in them.
func (r *reader) blind() bool {
	return len(r.refused) > 0 || slices.ContainsFunc(r.problems, func(p problem) bool { return !errors.Is(p.err, fs.ErrNotExist) })
}

// gap reports that the numbers from lo up to hi are in no file of the system's.
func (r *reader) gap(lo, hi end) {
	missing := hi.next - lo.next
	for _, u := range r.users {
		missing -= min(missing, r.heldBy(u, lo, hi))
	}
	if missing > 0 {
		r.lose(logtail.LostVacuumed, missing, fmt.Sprintf("journald removed the entries %d to %d, or some of them, before they were read: raise SystemMaxUse or RuntimeMaxUse in journald.conf", lo.next, hi.next-1))
	}
}

// heldBy is how many of the missing entries a file of a user's has. journald counts
// all entries together; before systemd 254 it names the sequence of such a file
// otherwise all the same.
func (r *reader) heldBy(l found, lo, hi end) uint64 {
	held := newReader(roots{}, nil, func(logtail.Loss) {})
	if held.open(l) != nil {
		return 0
	}
	defer held.close()
	f := held.files[0]
	if f.head.tailSeqnum < lo.next || f.head.headSeqnum >= hi.next {
		return 0
	}
	n, err := f.countBetween(lo, hi)
	if err != nil {
		return 0
	}
	return n
}

// vanished takes notice that journald has removed a file that was not read to
// its end.
func (r *reader) vanished(f *file) {
	from := max(f.read, f.head.headSeqnum)
	if r.origin != nil && r.origin.sequence == f.head.sequence {
		from = max(from, r.origin.next)
	}
	if next := f.head.tailSeqnum + 1; from < next {
		r.lose(logtail.LostVacuumed, next-from, fmt.Sprintf("journald removed the entries %d to %d before they were read: raise SystemMaxUse or RuntimeMaxUse in journald.conf", from, next-1))
	}
	r.drop(f)
}
