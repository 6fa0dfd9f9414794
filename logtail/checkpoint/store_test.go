package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

type positions = map[string]logtail.Position

// place is a position as it comes back: without what is not stored.
func place(source string, offset int64) logtail.Position {
	return logtail.Position{Source: source, Stream: "118-5d41402abc4b2a76", Offset: offset, Hint: "fe00-1-2"}
}

func save(t *testing.T, s *checkpoint.Store, p positions) {
	t.Helper()
	if err := s.Save(checkpoint.State{Positions: p}); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, dir string, want positions) {
	t.Helper()
	got, err := checkpoint.Open(dir).Load()
	if err != nil {
		t.Errorf("Load: %v", err)
	}
	if diff := cmp.Diff(want, got.Positions); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by us")
	load(t, dir, positions{})
	s := checkpoint.Open(dir)
	first := positions{"file:/x": place("file:/x", 1), "journal": place("journal", 2)}
	save(t, s, first)
	load(t, dir, first)
	later := place("file:/x", 3)
	later.Generation = 7 // of this run only
	save(t, s, positions{"file:/x": later})
	load(t, dir, positions{"file:/x": place("file:/x", 3)})
	save(t, s, positions{})
	load(t, dir, positions{})
	if fi, err := os.Stat(filepath.Join(dir, "state.json")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: got %v, error %v, want 0600", fi.Mode(), err)
	}
}

const golden = `{"version":1,"positions":[` +
	`{"source":"file:/a","stream":"118-5d41402abc4b2a76","offset":1,"hint":"fe00-1-2"},` +
	`{"source":"file:/b","stream":"118-5d41402abc4b2a76","offset":2,"hint":"fe00-1-2"}]}` + "\n"

func TestStoreForm(t *testing.T) {
	dir := t.TempDir()
	save(t, checkpoint.Open(dir), positions{"file:/b": place("file:/b", 2), "file:/a": place("file:/a", 1)})
	got, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

// What is stored beside the positions comes back with them, or not at all.
func TestStoreIncidents(t *testing.T) {
	dir := t.TempDir()
	s := checkpoint.Open(dir)
	want := checkpoint.State{Positions: positions{"a": place("a", 1)}, Incidents: json.RawMessage(`[{"key":"x"}]`)}
	if err := s.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Open(dir).Load()
	var compact bytes.Buffer
	if err := errors.Join(err, json.Compact(&compact, got.Incidents)); err != nil {
		t.Fatal(err)
	}
	if got.Incidents = compact.Bytes(); !cmp.Equal(want, got) {
		t.Errorf("got %s at %v, want %s at %v", got.Incidents, got.Positions, want.Incidents, want.Positions)
	}
}

func TestStoreSkipsTheSame(t *testing.T) {
	dir := t.TempDir()
	s := checkpoint.Open(dir)
	p := positions{"a": place("a", 1)}
	save(t, s, p)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	save(t, s, p)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the same was saved again: got %v, want nothing to be written", err)
	}
	p["a"] = place("a", 2)
	save(t, s, p)
	load(t, dir, p)
	again := checkpoint.Open(dir) // it knows what is there once it has loaded
	if _, err := again.Load(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	save(t, again, p)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after what was loaded was saved: got %v, want nothing to be written", err)
	}
}

// Whatever a crash left behind, the agent starts.
func TestStoreDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(path string) error
		want   int64  // offset; the last save was 2, the one before 1
		err    string // in it
	}{
		"crash before the rename":  {func(p string) error { return os.WriteFile(p+".tmp", []byte("{"), 0o600) }, 2, ""},
		"crash between renames":    {os.Remove, 1, ""},
		"empty":                    {func(p string) error { return os.Truncate(p, 0) }, 1, "unexpected end of JSON input; using what was stored before that"},
		"cut":                      {func(p string) error { return os.Truncate(p, 40) }, 1, "unexpected end of JSON input"},
		"zeros":                    {func(p string) error { return os.WriteFile(p, make([]byte, 300), 0o600) }, 1, "invalid character"},
		"another version":          {replace(`"version":1`, `"version":9`), 1, "got version 9, want 1"},
		"an offset below 0":        {replace(`"offset":2`, `"offset":-2`), 1, "no offset below 0"},
		"huge":                     {func(p string) error { return os.Truncate(p, 65<<20) }, 1, "more than 67108864 bytes"},
		"a directory in its place": {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, 1, "got a directory, want a regular file"},
		"both damaged": {func(p string) error {
			return errors.Join(os.Truncate(p, 0), os.Truncate(p+".bak", 0))
		}, 0, "starting as if for the first time"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := checkpoint.Open(dir)
			save(t, s, positions{"a": place("a", 1)})
			save(t, s, positions{"a": place("a", 2)})
			if err := c.damage(filepath.Join(dir, "state.json")); err != nil {
				t.Fatal(err)
			}
			again := checkpoint.Open(dir)
			got, err := again.Load()
			if got.Positions == nil || got.Positions["a"].Offset != c.want {
				t.Errorf("Load: got %v, want offset %d", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("Load: got error %v, want %q", err, c.err)
			}
			if name == "a directory in its place" {
				return
			}
			save(t, again, positions{"a": place("a", 3)})
			load(t, dir, positions{"a": place("a", 3)})
			// A crash of that save between its renames.
			if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
				t.Fatal(err)
			}
			if got, _ := checkpoint.Open(dir).Load(); got.Positions["a"].Offset != c.want {
				t.Errorf("after a crash in Save: got %v, want offset %d as before", got, c.want)
			}
		})
	}
}

func replace(old, with string) func(string) error {
	return func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o600)
	}
}

// A failing save leaves what was there.
func TestStoreSaveFails(t *testing.T) {
	dir := t.TempDir()
	s := checkpoint.Open(dir)
	save(t, s, positions{"a": place("a", 1)})
	if err := os.Mkdir(filepath.Join(dir, "state.json.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(checkpoint.State{Positions: positions{"a": place("a", 2)}}); err == nil || !strings.HasPrefix(err.Error(), "write checkpoint: ") {
		t.Errorf("Save: got error %v, want one that says so", err)
	}
	load(t, dir, positions{"a": place("a", 1)})
}
