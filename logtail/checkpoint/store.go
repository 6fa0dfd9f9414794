package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"pullcause/logtail"
)

const (
	version = 1
	name    = "positions.json"
	// maxSize bounds what is read: a few sources need a few hundred bytes.
	maxSize = 1 << 20
)

// Store keeps positions in one file of a directory, and the ones before in
// another, with the ending .bak. It may be used by several goroutines, but not by
// two processes.
type Store struct {
	dir string

	mu    sync.Mutex
	saved []byte // what the file holds; nil if that is not known
}

// Open returns the store in a directory. It touches no file.
func Open(dir string) *Store {
	return &Store{dir: dir}
}

// state is the form of the file.
type state struct {
	Version   int                `json:"version"`
	Positions []logtail.Position `json:"positions"`
}

// Load returns the stored positions by the names of their sources. If the file
// cannot be used, it returns what was stored before, or nothing, and an error that
// says so: log it and go on. Where nothing was ever stored there is no error.
func (s *Store) Load() (map[string]logtail.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, positions, err := s.read(name)
	if err == nil {
		s.saved = text
		return positions, nil
	}
	_, positions, bakErr := s.read(name + ".bak")
	switch {
	case bakErr == nil && errors.Is(err, fs.ErrNotExist):
		return positions, nil // a crash between the two renames of Save
	case bakErr == nil:
		return positions, fmt.Errorf("%w; using the positions stored before those", err)
	case errors.Is(err, fs.ErrNotExist) && errors.Is(bakErr, fs.ErrNotExist):
		return map[string]logtail.Position{}, nil
	}
	return map[string]logtail.Position{}, fmt.Errorf("%w; and %w; starting as if for the first time", err, bakErr)
}

func (s *Store) read(name string) ([]byte, map[string]logtail.Position, error) {
	text, err := readFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	positions, err := decode(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read checkpoint %s: %w", filepath.Join(s.dir, name), err)
	}
	return text, positions, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: got more than %d bytes", path, maxSize)
	}
	return text, errors.Join(err, f.Close())
}

func encode(positions map[string]logtail.Position) ([]byte, error) {
	st := state{Version: version, Positions: []logtail.Position{}}
	for _, source := range slices.Sorted(maps.Keys(positions)) {
		p := positions[source]
		p.Source = source
		st.Positions = append(st.Positions, p)
	}
	text, err := json.MarshalIndent(st, "", "  ")
	return append(text, '\n'), err
}

func decode(text []byte) (map[string]logtail.Position, error) {
	var st state
	if err := json.Unmarshal(text, &st); err != nil {
		return nil, err
	}
	if st.Version != version {
		return nil, fmt.Errorf("got version %d, want %d: another release of this program wrote it", st.Version, version)
	}
	positions := make(map[string]logtail.Position, len(st.Positions))
	for _, p := range st.Positions {
		_, twice := positions[p.Source]
		if p.Source == "" || p.Offset < 0 || twice {
			return nil, fmt.Errorf("got source %q at offset %d, want each source once and no offset below 0", p.Source, p.Offset)
		}
		positions[p.Source] = p
	}
	return positions, nil
}

// Save stores positions by the names of their sources, in place of those stored
// before. When it returns nil they survive a crash of the machine; when it fails,
// what was stored before does. It writes nothing if they are the same as before.
func (s *Store) Save(positions map[string]logtail.Position) error {
	text, err := encode(positions)
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(text, s.saved) {
		return nil
	}
	s.saved = nil
	if err := s.write(text); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	s.saved = text
	return nil
}

func (s *Store) write(text []byte) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(s.dir, name)
	if err := writeFile(path+".tmp", text); err != nil {
		return err
	}
	if err := os.Rename(path, path+".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// writeFile writes a file and waits until it is on the disk.
func writeFile(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes renames in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
