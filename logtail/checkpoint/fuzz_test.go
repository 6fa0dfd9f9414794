package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail"
)

// nothing are entries that nobody keeps.
type nothing struct{}

func (nothing) Reset()           {}
func (nothing) Set([]byte) error { return nil }
func (nothing) Remove(string)    {}
func (nothing) Begin(bool)       {}
func (nothing) Next() []Change   { return nil }

// Whatever a file holds, reading it neither fails in another way than by an error nor
// yields what cannot be written and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"positions":[{"source":"file:/a","stream":"118-5d","offset":1,"hint":"fe00-1-2"}]}`))
	f.Add([]byte(`{"version":1,"journal":"X","positions":[],"incidents":[{"key":"x"},{}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"positions":null}`))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decode(bytes.NewReader(text), nothing{})
		if err != nil {
			return
		}
		s := &Store{dir: t.TempDir(), files: disk{}}
		if _, err := s.Save(got.positions, nothing{}); err != nil {
			t.Fatal(err)
		}
		back, err := Open(s.dir).Load(nothing{})
		if err != nil || !cmp.Equal(got.positions, back) {
			t.Errorf("got %v, %v after writing it again, want %v", back, err, got.positions)
		}
	})
}

// Nor does a journal.
func FuzzReplay(f *testing.F) {
	dir := f.TempDir()
	s := Open(dir)
	for offset := range int64(3) {
		if _, err := s.Save(map[string]logtail.Position{"a": {Stream: "s", Offset: offset}}, nothing{}); err != nil {
			f.Fatal(err)
		}
	}
	snapshot, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		f.Fatal(err)
	}
	first := bytes.IndexByte(text, '\n') + 1
	f.Add(text[first:])
	f.Add([]byte("00000000 ffffffff {}\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		dir := t.TempDir()
		for file, text := range map[string][]byte{name: snapshot, journalName: append(bytes.Clone(text[:first]), rest...)} {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := Open(dir).Load(nothing{}); err != nil || got == nil {
			t.Errorf("got %v, %v, want at least the snapshot", got, err)
		}
	})
}
