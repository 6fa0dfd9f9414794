package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"sync"

	"pullcause/logtail"
)

const (
	version     = 1
	name        = "state.json"
	journalName = "state.journal"
)

// Bounds of what is written, and so of what is read, in bytes.
const (
	maxEntry     = 128 << 10 // one entry
	maxEntries   = 24 << 20  // the entries of a snapshot together
	maxPositions = 8 << 20   // the positions of a snapshot together
	maxSnapshot  = maxEntries + maxPositions + 1<<20
	maxJournal   = 24 << 20
	// minJournal is how large a journal may become in any case before a snapshot takes its
	// place. A larger one may become as large as its snapshot: so all snapshots together
	// cost no more than what was appended.
	minJournal = 1 << 20
)

// Store keeps positions, and entries that are known from there, in a directory: a
// snapshot, state.json, and what has changed since in state.journal. The snapshot before
// is kept with the ending .bak. A Store may be used by several goroutines, but not by two
// processes.
//
// The snapshot is one JSON object. A journal belongs to the snapshot that names it and
// holds a change a line: the CRC-32C of the JSON and its length in hex, and the JSON:
//
//	cut -d' ' -f3- state.journal | jq .
type Store struct {
	dir   string
	files files

	mu       sync.Mutex
	good     bool    // the snapshot can be read: we did, or wrote it
	journal  journal // of the snapshot; its file is nil if the next Save writes a snapshot
	snapshot int64   // size of the snapshot
	stored   map[string]logtail.Position
}

// Open returns the store in a directory. It touches no file.
func Open(dir string) *Store {
	return &Store{dir: dir, files: disk{}}
}

// Entries receive what a Load finds beside the positions.
type Entries interface {
	// Reset forgets what was set.
	Reset()
	// Set takes an entry, in place of what had its id. An error makes the file one that
	// cannot be used.
	Set(value []byte) error
	Remove(id string)
}

// Changes are the entries that a Save writes.
type Changes interface {
	// Begin is called first: all says that Next is to return every entry, those that
	// matter most first; else those that changed since the last Save.
	Begin(all bool)
	// Next returns some of them, and none at the end.
	Next() []Change
}

// Change is an entry as it is now. Value is JSON; nil if the entry is gone.
type Change struct {
	ID    string
	Value []byte
}

// Load returns what was stored. If the snapshot cannot be used, it returns the one before,
// or nothing, and an error that says so: log it and go on. Where nothing was ever stored
// there is no error.
func (s *Store) Load(entries Entries) (map[string]logtail.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, err := s.read(name, entries)
	if err == nil {
		s.good = true
		s.replay(&got, entries)
		s.stored = maps.Clone(got.positions)
		return got.positions, nil
	}
	got, bakErr := s.read(name+".bak", entries)
	switch {
	case bakErr == nil:
		s.replay(&got, entries)
		s.journal.close() // the next Save writes a snapshot
		if errors.Is(err, fs.ErrNotExist) {
			return got.positions, nil // a crash between the two renames of Save
		}
		return got.positions, fmt.Errorf("%w; using what was stored before that", err)
	case errors.Is(err, fs.ErrNotExist) && errors.Is(bakErr, fs.ErrNotExist):
		return map[string]logtail.Position{}, nil
	}
	entries.Reset()
	return map[string]logtail.Position{}, fmt.Errorf("%w; and %w; starting as if for the first time", err, bakErr)
}

// Save stores positions and the entries that changed. When it returns nil they survive a
// crash of the machine; when it fails, what was stored before does. It writes nothing if
// nothing changed. A crash within it leaves the positions of before or all of it; entries
// may be newer than the positions, never older.
//
// What Load would not accept is not written: shed is how many entries were left out, of a
// snapshot the last ones.
func (s *Store) Save(positions map[string]logtail.Position, changes Changes) (shed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal.file == nil || s.journal.size > max(minJournal, s.snapshot) {
		return s.replace(positions, changes)
	}
	if !s.files.present(filepath.Join(s.dir, journalName), s.journal.file) { // somebody removed it
		return s.replace(positions, changes)
	}
	shed, err = s.append(positions, changes)
	if errors.Is(err, errJournalFull) {
		return s.replace(positions, changes)
	}
	return shed, err
}

// append adds what changed to the journal.
func (s *Store) append(positions map[string]logtail.Position, changes Changes) (shed int, err error) {
	changes.Begin(false)
	for some := changes.Next(); err == nil && len(some) > 0; some = changes.Next() {
		var more int
		more, err = s.journal.changes(some)
		shed += more
	}
	moved, gone := s.difference(positions)
	if len(moved)+len(gone) > 0 || s.journal.buf.Len() > 0 {
		s.journal.commit(moved, gone)
	}
	if err == nil {
		err = s.journal.sync()
	}
	if err != nil {
		s.journal.close() // nobody knows what is in it: a snapshot is next
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	s.stored = maps.Clone(positions)
	return shed, nil
}

// difference is what has to be written to make the stored positions these.
func (s *Store) difference(positions map[string]logtail.Position) (moved []logtail.Position, gone []string) {
	for source, p := range positions {
		p.Source, p.Generation = source, 0
		if was, ok := s.stored[source]; !ok || !same(was, p) {
			moved = append(moved, p)
		}
	}
	for source := range s.stored {
		if _, ok := positions[source]; !ok {
			gone = append(gone, source)
		}
	}
	return moved, gone
}

// same reports whether two positions of a source are stored alike.
func same(a, b logtail.Position) bool {
	return a.Stream == b.Stream && a.Offset == b.Offset && a.Hint == b.Hint
}

// replace writes a snapshot in place of the one before, and begins a journal.
func (s *Store) replace(positions map[string]logtail.Position, changes Changes) (shed int, err error) {
	s.journal.close()
	id := newID()
	path := filepath.Join(s.dir, name)
	err = s.files.makeDir(s.dir)
	if err == nil {
		s.snapshot, shed, err = s.write(path+".tmp", id, positions, changes)
	}
	// One that cannot be read must not take the place of the good one before it.
	if err == nil && s.good {
		if err = s.files.rename(path, path+".bak"); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = s.files.rename(path+".tmp", path)
	}
	if err == nil {
		// Before the journal: with the new journal the old snapshot would be without its own.
		err = s.files.syncDir(s.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("write checkpoint: %w", err)
	}
	s.good, s.stored = true, maps.Clone(positions)
	s.journal = s.begin(id)
	return shed, nil
}
