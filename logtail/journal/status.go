package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pullcause/logtail"
)

// readTo is the number before which nothing of interest is left unread in the file
// that is written to; 0 if there is none. It holds after next returned nil.
func (r *reader) readTo() (sequence id128, read uint64) {
	for _, f := range slices.Backward(r.files) {
		if !f.finished && f.read > 0 {
			return f.head.sequence, f.read
		}
	}
	return id128{}, 0
}

// any reports whether there is or was a file to read.
func (r *reader) any() bool { return len(r.files) > 0 || len(r.done) > 0 }

// wrong lists what is there and cannot be read.
func (r *reader) wrong() []problem {
	var all []problem
	for _, p := range r.problems {
		if !errors.Is(p.err, fs.ErrNotExist) {
			all = append(all, p)
		}
	}
	for _, f := range r.refused {
		all = append(all, f.problem)
	}
	return all
}

// none says why no file at all was found.
func (f *follower) none() string {
	var whys []string
	for _, p := range f.reader.problems {
		whys = append(whys, p.String())
	}
	if len(whys) == 0 {
		return "no journal file in " + strings.Join(f.cfg.Roots, " or ") + ": the node's journal may be elsewhere (host_root), or have been moved"
	}
	return "no journal file; " + strings.Join(whys, "; ")
}

// tell takes the turn into the status, and logs what has gone wrong since the last.
func (f *follower) tell() {
	for i := range f.tallies {
		f.tallies[i].found = f.tallies[i].found || f.reader.present[i]
	}
	var wrong []string
	for _, p := range f.reader.wrong() {
		wrong = append(wrong, p.String())
	}
	if text := strings.Join(wrong, "; "); text != f.told {
		f.told = text
		if text != "" {
			f.log.Warn("some of the journal cannot be read", "problems", wrong)
		}
	}
	s := f.src
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastTurn = time.Now()
	s.status.Problems = wrong
	s.status.Wake = logtail.WakePoll
	if f.live {
		s.status.Wake = logtail.WakeInotify
	}
	s.status.Path = f.folders()
	s.status.Program = f.programs()
	s.behind = time.Time{}
	s.findings = findings{
		any: f.reader.any(), none: s.status.Error, wrong: wrong,
		problems: f.reader.problems, tallies: slices.Clone(f.tallies),
	}
}

// tellState takes into the status whether there is anything to read.
func (f *follower) tellState() {
	state, why := logtail.StateReading, ""
	if !f.reader.any() {
		state, why = logtail.StateWaiting, f.none()
	}
	f.src.update(func(st *logtail.Status) { st.State, st.Error = state, why })
}

// folders are those that hold files, or where they are looked for.
func (f *follower) folders() string {
	var dirs []string
	for dir := range f.reader.seen {
		if !slices.Contains(f.cfg.Roots, dir) {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		dirs = slices.Clone(f.cfg.Roots)
	}
	slices.Sort(dirs)
	return strings.Join(dirs, ", ")
}

// programs are the units and identifiers whose entries were read.
func (f *follower) programs() string {
	var names []string
	for i, c := range f.cfg.Follow {
		if f.tallies[i].entries > 0 {
			names = append(names, cmp.Or(c.Unit, c.Identifier))
		}
	}
	return strings.Join(names, ", ")
}

// rewatch watches the folders that hold files, and no others. It reports whether
// events come of all of them.
func (f *follower) rewatch() bool {
	if f.cfg.Watcher == nil {
		return false
	}
	for dir := range f.watches {
		if _, ok := f.reader.seen[dir]; !ok {
			f.watches[dir].Close()
			delete(f.watches, dir)
		}
	}
	live := len(f.reader.seen) > 0
	for _, dir := range slices.Sorted(maps.Keys(f.reader.seen)) {
		if slices.Contains(f.cfg.Roots, dir) {
			continue // a machine's folder appears there once; the poll finds it
		}
		if f.watches[dir] == nil {
			f.watches[dir] = f.cfg.Watcher.Path(f.cfg.Host, filepath.Join(dir, "system"), f.wake)
		}
		live = f.watches[dir].Refresh() && live
	}
	return live && len(f.watches) > 0
}

// arm asks for a wake-up when a file that is written to changes. It reports
// whether it had to.
func (f *follower) arm() (armed bool) {
	for _, file := range slices.Backward(f.reader.files) {
		w := f.watches[filepath.Dir(file.path)]
		osFile, ok := file.at.(*os.File)
		if w == nil || !ok || file.finished || w.IsArmed() {
			continue
		}
		armed = w.Arm(osFile) || armed
	}
	return armed
}
