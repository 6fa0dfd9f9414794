package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"pullcause/logtail"
)

// scan looks for files that have come, were renamed or were removed.
func (r *reader) scan() {
	listed, problems := r.list()
	r.problems, r.again, r.users = problems, false, nil
	r.forgetRemoved(listed)
	for _, l := range listed {
		if l.kind == others {
			r.users = append(r.users, l)
			continue
		}
		if i := slices.IndexFunc(r.files, func(f *file) bool { return os.SameFile(f.info, l.info) }); i >= 0 {
			r.files[i].path = l.path
			r.files[i].final = l.kind == closed
			continue
		}
		if r.isDone(l) {
			continue
		}
		if err := r.open(l); err != nil {
			r.refuse(l, err)
		}
	}
	r.sort()
}

// sort puts the files into their order.
func (r *reader) sort() {
	slices.SortStableFunc(r.files, func(a, b *file) int { return byAge(a.head, b.head) })
}

// byAge orders the files of one sequence by their numbers, others by time.
func byAge(a, b header) int {
	// One without an entry is the newest: 0 is less than none.
	if a.sequence == b.sequence {
		return cmp.Compare(a.headSeqnum-1, b.headSeqnum-1)
	}
	return cmp.Compare(a.headTime-1, b.headTime-1)
}

// forgetRemoved forgets files that exist no longer. One that is open is read to
// its end first.
func (r *reader) forgetRemoved(listed []found) {
	exists := func(info os.FileInfo) bool {
		return slices.ContainsFunc(listed, func(l found) bool { return os.SameFile(l.info, info) })
	}
	r.done = slices.DeleteFunc(r.done, func(info os.FileInfo) bool { return !exists(info) })
	r.refused = slices.DeleteFunc(r.refused, func(f refusal) bool { return !exists(f.info) })
	for _, f := range r.files {
		// journald notices within seconds that its file was removed, and begins another.
		f.final = f.final || !exists(f.info) && time.Since(f.grown) > removedGrace
	}
}

// removedGrace is how long a file that was removed is still looked at after the
// last entry.
const removedGrace = 10 * time.Second

func (r *reader) isDone(l found) bool {
	return slices.ContainsFunc(r.done, func(info os.FileInfo) bool { return os.SameFile(info, l.info) }) ||
		slices.ContainsFunc(r.refused, func(f refusal) bool { return os.SameFile(f.info, l.info) })
}

func (r *reader) open(l found) error {
	osFile, err := r.host.Open(l.path)
	if err != nil {
		return err
	}
	size := func() (int64, error) {
		info, err := osFile.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	f := newFile(osFile, size, r.matches, &r.codecs)
	f.path, f.root, f.final, f.grown = l.path, l.root, l.kind == closed, time.Now()
	if f.info, err = osFile.Stat(); err == nil {
		_, err = f.readHeader()
	}
	if err != nil {
		f.close()
		return err
	}
	if slices.Contains(r.doneIDs, f.head.fileID) {
		r.done = append(r.done, f.info) // it is back, or a copy
		f.close()
		return nil
	}
	r.files = append(r.files, f)
	return nil
}

// refuse notes that a file cannot be read.
func (r *reader) refuse(l found, err error) {
	var unsupported unsupportedError
	switch {
	case errors.Is(err, fs.ErrNotExist) || l.kind == active && (errors.Is(err, errEmpty) || errors.Is(err, errNoJournal)):
		r.again = true // it is being made, or was renamed meanwhile
	case errors.Is(err, fs.ErrPermission):
		r.again = true
		r.problems = append(r.problems, problem{l.path, err})
	case errors.As(err, &unsupported):
		r.refused = append(r.refused, refusal{problem{l.path, err}, l.info})
		r.lose(logtail.LostUnsupported, 1, l.path+": "+err.Error())
	default:
		if _, err := r.host.Stat(l.path); err != nil {
			return // it was removed as we looked
		}
		r.refused = append(r.refused, refusal{problem{l.path, err}, l.info})
		r.lose(logtail.LostCorrupt, 1, l.path+": "+err.Error())
	}
}
