package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"pullcause/logtail"
)

const (
	version = 1
	name    = "state.json"
	// maxSize bounds what is read: a few sources need a few hundred bytes, a thousand
	// incidents a few MiB.
	maxSize = 64 << 20
)

// Store keeps a [State] in one file of a directory, and the one before in another,
// with the ending .bak. It may be used by several goroutines, but not by two
// processes.
type Store struct {
	dir string

	mu    sync.Mutex
	good  bool              // the file can be read: we did, or wrote it
	saved [sha256.Size]byte // of what the file holds; zero if that is not known
}

// Open returns the store in a directory. It touches no file.
func Open(dir string) *Store {
	return &Store{dir: dir}
}

// State is what is stored together: the places that each source was read to, and
// what is known from there.
type State struct {
	// Positions are by the names of their sources.
	Positions map[string]logtail.Position
	// Incidents is JSON, in the form of whoever knows them; nil if there are none.
	Incidents json.RawMessage
}

// form is that of the file.
type form struct {
	Version   int                `json:"version"`
	Positions []logtail.Position `json:"positions"`
	Incidents json.RawMessage    `json:"incidents,omitempty"`
}

// Load returns what was stored. If the file cannot be used, it returns what was
// stored before, or nothing, and an error that says so: log it and go on. Where
// nothing was ever stored there is no error.
func (s *Store) Load() (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, st, err := s.read(name)
	if err == nil {
		s.good, s.saved = true, sha256.Sum256(text)
		return st, nil
	}
	_, st, bakErr := s.read(name + ".bak")
	switch {
	case bakErr == nil && errors.Is(err, fs.ErrNotExist):
		return st, nil // a crash between the two renames of Save
	case bakErr == nil:
		return st, fmt.Errorf("%w; using what was stored before that", err)
	case errors.Is(err, fs.ErrNotExist) && errors.Is(bakErr, fs.ErrNotExist):
		return State{Positions: map[string]logtail.Position{}}, nil
	}
	return State{Positions: map[string]logtail.Position{}}, fmt.Errorf("%w; and %w; starting as if for the first time", err, bakErr)
}

func (s *Store) read(name string) ([]byte, State, error) {
	text, err := ReadFile(filepath.Join(s.dir, name), maxSize)
	if err != nil {
		return nil, State{}, fmt.Errorf("read checkpoint: %w", err)
	}
	st, err := decode(text)
	if err != nil {
		return nil, State{}, fmt.Errorf("read checkpoint %s: %w", filepath.Join(s.dir, name), err)
	}
	return text, st, nil
}

func encode(st State) ([]byte, error) {
	f := form{Version: version, Positions: []logtail.Position{}, Incidents: st.Incidents}
	for _, source := range slices.Sorted(maps.Keys(st.Positions)) {
		p := st.Positions[source]
		p.Source = source
		f.Positions = append(f.Positions, p)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text) // ends it with a newline
	err := encoder.Encode(f)
	return text.Bytes(), err
}

func decode(text []byte) (State, error) {
	var f form
	if err := json.Unmarshal(text, &f); err != nil {
		return State{}, err
	}
	if f.Version != version {
		return State{}, fmt.Errorf("got version %d, want %d: another release of this program wrote it", f.Version, version)
	}
	positions := make(map[string]logtail.Position, len(f.Positions))
	for _, p := range f.Positions {
		_, twice := positions[p.Source]
		if p.Source == "" || p.Offset < 0 || twice {
			return State{}, fmt.Errorf("got source %q at offset %d, want each source once and no offset below 0", p.Source, p.Offset)
		}
		positions[p.Source] = p
	}
	return State{Positions: positions, Incidents: f.Incidents}, nil
}

// Save stores a state in place of the one stored before. When it returns nil it
// survives a crash of the machine; when it fails, what was stored before does. It
// writes nothing if that is the same as before.
func (s *Store) Save(st State) error {
	text, err := encode(st)
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256(text)
	if sum == s.saved {
		return nil
	}
	s.saved = [sha256.Size]byte{}
	// One that cannot be read must not take the place of the good one before it.
	if err := replaceFile(filepath.Join(s.dir, name), text, s.good); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	s.good, s.saved = true, sum
	return nil
}
