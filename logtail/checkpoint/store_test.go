package checkpoint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// entries are what is stored beside the positions; nil are none.
type entries map[string]string

func (e entries) Reset() { clear(e) }

func (e entries) Set(value []byte) error {
	var v struct{ ID string }
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	if e != nil {
		e[v.ID] = string(value)
	}
	return nil
}

func (e entries) Remove(id string) { delete(e, id) }

// changes are those that a save writes: all or some of them.
type changes struct {
	all, some []checkpoint.Change
	next      []checkpoint.Change
}

func (c *changes) Begin(all bool) {
	c.next = c.some
	if all {
		c.next = c.all
	}
}

func (c *changes) Next() []checkpoint.Change {
	n := min(len(c.next), 3)
	some := c.next[:n]
	c.next = c.next[n:]
	return some
}

func saveWith(t *testing.T, s *checkpoint.Store, p positions, c *changes) (shed int) {
	t.Helper()
	shed, err := s.Save(p, c)
	if err != nil {
		t.Fatal(err)
	}
	return shed
}

func save(t *testing.T, s *checkpoint.Store, p positions) {
	t.Helper()
	saveWith(t, s, p, &changes{})
}

func load(t *testing.T, dir string, want positions) {
	t.Helper()
	got, err := checkpoint.Open(dir).Load(entries{})
	if err != nil {
		t.Errorf("Load: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
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

const golden = `{"version":1,"journal":"ID","positions":[` +
	`{"source":"file:/a","stream":"118-5d41402abc4b2a76","offset":1,"hint":"fe00-1-2"},` +
	`{"source":"file:/b","stream":"118-5d41402abc4b2a76","offset":2,"hint":"fe00-1-2"}],"incidents":[]}` + "\n"

func TestStoreForm(t *testing.T) {
	dir := t.TempDir()
	save(t, checkpoint.Open(dir), positions{"file:/b": place("file:/b", 2), "file:/a": place("file:/a", 1)})
	got, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`"journal":"[A-Z0-9]{26}"`).ReplaceAllString(string(got), `"journal":"ID"`)
	if diff := cmp.Diff(golden, text); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

// written is when and how long the files of a store are.
func written(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(f.Name(), info.Size(), info.ModTime()))
	}
	return strings.Join(all, "\n")
}

func TestStoreSkipsTheSame(t *testing.T) {
	dir := t.TempDir()
	s := checkpoint.Open(dir)
	p := positions{"a": place("a", 1)}
	save(t, s, p)
	before := written(t, dir)
	save(t, s, p)
	again := checkpoint.Open(dir) // it knows what is there once it has loaded
	if _, err := again.Load(entries{}); err != nil {
		t.Fatal(err)
	}
	save(t, again, p)
	if diff := cmp.Diff(before, written(t, dir)); diff != "" {
		t.Errorf("the same was written again (-before +after):\n%s", diff)
	}
	p["a"] = place("a", 2)
	save(t, again, p)
	load(t, dir, p)
}

// Somebody removes the folder, or the journal, of an agent that runs.
func TestStoreIsRemoved(t *testing.T) {
	for _, gone := range []string{"", "state.journal"} {
		dir := filepath.Join(t.TempDir(), "state")
		s := checkpoint.Open(dir)
		save(t, s, positions{"a": place("a", 1)})
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		save(t, s, positions{"a": place("a", 2)})
		load(t, dir, positions{"a": place("a", 2)})
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
		"empty":                    {func(p string) error { return os.Truncate(p, 0) }, 1, "unexpected EOF; using what was stored before that"},
		"cut":                      {func(p string) error { return os.Truncate(p, 40) }, 1, "unexpected EOF"},
		"zeros":                    {func(p string) error { return os.WriteFile(p, make([]byte, 300), 0o600) }, 1, "invalid character"},
		"another version":          {replace(`"version":1`, `"version":9`), 1, "got version 9, want 1"},
		"an offset below 0":        {replace(`"offset":2`, `"offset":-2`), 1, "no offset below 0"},
		"huge":                     {func(p string) error { return os.Truncate(p, 34<<20) }, 1, "more than 34603008 bytes"},
		"a directory in its place": {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, 1, "got a directory, want a regular file"},
		"both damaged": {func(p string) error {
			return errors.Join(os.Truncate(p, 0), os.Truncate(p+".bak", 0))
		}, 0, "starting as if for the first time"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := checkpoint.Open(dir)
			save(t, s, positions{"a": place("a", 1)})
			s = checkpoint.Open(dir) // or it would only add to the journal
			if err := os.Remove(filepath.Join(dir, "state.journal")); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load(entries{}); err != nil {
				t.Fatal(err)
			}
			save(t, s, positions{"a": place("a", 2)})
			if err := c.damage(filepath.Join(dir, "state.json")); err != nil {
				t.Fatal(err)
			}
			again := checkpoint.Open(dir)
			got, err := again.Load(entries{})
			if got == nil || got["a"].Offset != c.want {
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
			if c.want == 2 {
				return // it was added to the journal
			}
			// A crash of that save between its renames.
			if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
				t.Fatal(err)
			}
			if got, _ := checkpoint.Open(dir).Load(entries{}); got["a"].Offset != c.want {
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
	if _, err := checkpoint.Open(dir).Save(positions{"a": place("a", 2)}, &changes{}); err == nil || !strings.HasPrefix(err.Error(), "write checkpoint: ") {
		t.Errorf("Save: got error %v, want one that says so", err)
	}
	load(t, dir, positions{"a": place("a", 1)})
}
