package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"pullcause/logtail"
)

// newID names a journal.
func newID() string { return rand.Text() }

// state is what a file says beside the entries.
type state struct {
	journal   string // id of the journal that goes on from there; empty if none does
	positions map[string]logtail.Position
	size      int64
}

// write writes a snapshot to a file and waits until it is on the disk.
func (s *Store) write(path, id string, positions map[string]logtail.Position, changes Changes) (size int64, shed int, err error) {
	f, err := s.files.create(path)
	if err != nil {
		return 0, 0, err
	}
	w := &snapshotWriter{out: bufio.NewWriterSize(f, 64<<10)}
	w.head(id, positions)
	changes.Begin(true)
	for some := changes.Next(); w.err == nil && len(some) > 0; some = changes.Next() {
		w.entries(some)
	}
	w.text("]}\n")
	w.check(w.out.Flush())
	if w.err == nil {
		w.check(f.Sync())
	}
	return w.size, w.shed, errors.Join(w.err, f.Close())
}

// snapshotWriter writes a snapshot piece by piece: the whole may take as much memory as
// the agent is allowed.
type snapshotWriter struct {
	out     *bufio.Writer
	size    int64
	room    int64 // for entries
	written int   // entries
	shed    int   // entries that there was no room for
	err     error
}

func (w *snapshotWriter) check(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *snapshotWriter) text(s string) {
	n, err := w.out.WriteString(s)
	w.size += int64(n)
	w.check(err)
}

func (w *snapshotWriter) head(id string, positions map[string]logtail.Position) {
	w.room = maxEntries
	list, err := json.Marshal(listOf(positions))
	if err == nil && len(list) > maxPositions {
		err = fmt.Errorf("got positions of %d bytes, want at most %d", len(list), maxPositions)
	}
	w.check(err)
	w.text(fmt.Sprintf(`{"version":%d,"journal":%q,"positions":%s,"incidents":[`, version, id, list))
}

func (w *snapshotWriter) entries(some []Change) {
	for _, c := range some {
		size := int64(len(c.Value)) + int64(len(",\n"))
		switch {
		case c.Value == nil:
			continue
		case size > maxEntry || size > w.room:
			w.shed++
			continue
		}
		if w.written > 0 {
			w.text(",\n")
		}
		w.room -= size
		w.written++
		n, err := w.out.Write(c.Value)
		w.size += int64(n)
		w.check(err)
	}
}

// listOf is the positions by the names of their sources.
func listOf(positions map[string]logtail.Position) []logtail.Position {
	list := make([]logtail.Position, 0, len(positions))
	for _, source := range slices.Sorted(maps.Keys(positions)) {
		p := positions[source]
		p.Source = source
		list = append(list, p)
	}
	return list
}

// read reads a snapshot, one entry after the other.
func (s *Store) read(name string, entries Entries) (state, error) {
	entries.Reset()
	path := filepath.Join(s.dir, name)
	f, err := OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return state{}, fmt.Errorf("read checkpoint: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxSnapshot {
		return state{}, fmt.Errorf("read checkpoint %s: got more than %d bytes", path, maxSnapshot)
	}
	from := &counter{in: io.LimitReader(f, maxSnapshot)}
	st, err := decode(from, entries)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return state{}, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	st.size = from.n
	s.snapshot = st.size
	return st, nil
}

// counter counts what is read.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// decode reads the object of a snapshot field by field.
func decode(in io.Reader, entries Entries) (state, error) {
	st := state{positions: make(map[string]logtail.Position)}
	got := 0
	dec := json.NewDecoder(in)
	if err := delim(dec, '{'); err != nil {
		return st, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return st, err
		}
		switch key {
		case "version":
			err = dec.Decode(&got)
		case "journal":
			err = dec.Decode(&st.journal)
		case "positions":
			err = each(dec, st.add)
		case "incidents":
			err = each(dec, func(value json.RawMessage) error { return entries.Set(value) })
		default:
			err = dec.Decode(new(json.RawMessage))
		}
		if err != nil {
			return st, err
		}
	}
	if err := delim(dec, '}'); err != nil {
		return st, err
	}
	if got != version {
		return st, fmt.Errorf("got version %d, want %d: another release of this program wrote it", got, version)
	}
	rest, err := io.ReadAll(io.LimitReader(io.MultiReader(dec.Buffered(), in), 64))
	if err == nil && len(bytes.TrimSpace(rest)) > 0 {
		err = fmt.Errorf("got %q behind the object, want nothing", rest)
	}
	return st, err
}

// add takes a position that was read from a file.
func (st *state) add(p logtail.Position) error {
	if _, twice := st.positions[p.Source]; p.Source == "" || p.Offset < 0 || twice {
		return fmt.Errorf("got source %q at offset %d, want each source once and no offset below 0", p.Source, p.Offset)
	}
	st.positions[p.Source] = p
	return nil
}

func delim(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err == nil && got != want {
		err = fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// each calls visit with every element of an array; null is an empty one.
func each[T any](dec *json.Decoder, visit func(T) error) error {
	if got, err := dec.Token(); err != nil || got == nil {
		return err
	} else if got != json.Delim('[') {
		return fmt.Errorf("got %v, want [", got)
	}
	for dec.More() {
		var v T
		if err := dec.Decode(&v); err != nil {
			return err
		}
		if err := visit(v); err != nil {
			return err
		}
	}
	return delim(dec, ']')
}
