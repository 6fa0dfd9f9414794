package enrich

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail/checkpoint"
)

// names are what is there.
func names(list ...string) map[string]int {
	present := map[string]int{}
	for n, name := range list {
		present[name] = n
	}
	return present
}

func TestRemovedNames(t *testing.T) {
	r := remembering(t, "")
	r.update(names("a", "b", "c"), noon)
	r.update(names("c"), noon.Add(time.Minute))
	r.update(names(), noon.Add(2*time.Minute))
	want := []Removed{{"c", noon.Add(2 * time.Minute)}, {"a", noon.Add(time.Minute)}, {"b", noon.Add(time.Minute)}}
	if diff := cmp.Diff(want, r.list()); diff != "" {
		t.Errorf("the last one first (-want +got):\n%s", diff)
	}
	if !r.at("a").Equal(noon.Add(time.Minute)) || !r.at("never").IsZero() {
		t.Errorf("got %s and %s", r.at("a"), r.at("never"))
	}
	r.update(names(), noon.Add(time.Hour))
	if !r.at("a").Equal(noon.Add(time.Minute)) {
		t.Errorf("it went at %s: a later look is not when it went", r.at("a"))
	}
	r.update(names("a"), noon.Add(time.Hour))
	if !r.at("a").IsZero() || len(r.list()) != 2 {
		t.Errorf("it came back and is among those that are gone: %v", r.list())
	}
	r.update(names(), noon.Add(2*time.Hour))
	if !r.at("a").Equal(noon.Add(2 * time.Hour)) {
		t.Errorf("it came back and went again: got %s", r.at("a"))
	}
}

// A node that builds images makes any number of names.
func TestRemovedIsBounded(t *testing.T) {
	r := remembering(t, "")
	for turn := range 4 {
		var list []string
		for n := range 1500 {
			list = append(list, fmt.Sprintf("r.test/app:%d-%d", turn, n))
		}
		r.update(names(list...), noon.Add(time.Duration(turn)*time.Hour))
	}
	r.update(names("r.test/the-last-one"), noon.Add(9*time.Hour))
	r.update(names(), noon.Add(10*time.Hour))
	got := r.list()
	if len(got) != maxRemoved || maxRemoved != 1000 {
		t.Fatalf("got %d names, want 1000", len(got))
	}
	if got[0].Name != "r.test/the-last-one" || got[1].At.Before(noon.Add(9*time.Hour)) || got[999].At.Before(noon.Add(9*time.Hour)) {
		t.Errorf("got %v and %v at the ends: the oldest are to be forgotten", got[0], got[999])
	}
}

func TestNamesAreBounded(t *testing.T) {
	r := remembering(t, t.TempDir())
	var list []string
	for n := range maxNames + 500 {
		list = append(list, fmt.Sprintf("r.test/app:%04d", n))
	}
	r.update(names(list...), noon)
	if len(r.names) != maxNames || maxNames != 4000 {
		t.Errorf("got %d names, want 4000", len(r.names))
	}
	if r.update(names(list...), noon) {
		t.Error("the same again is a change: the file would be written after each look")
	}
	if text := r.encode(); len(text) > maxMemory/2 {
		t.Errorf("got %d bytes, want half of what is read at most", len(text))
	}
	// There is room again for others once some went.
	r.update(names(list[maxNames:]...), noon.Add(time.Hour))
	for _, name := range list[maxNames:] {
		if !r.names[name] {
			t.Fatalf("%s is not remembered", name)
		}
	}
}

// save writes what is remembered as the enricher does.
func save(t *testing.T, r *removed) {
	t.Helper()
	text := r.encode()
	if text == nil {
		t.Fatal("nothing to write")
	}
	if err := checkpoint.ReplaceFile(r.path, text); err != nil {
		t.Fatal(err)
	}
	r.saved = text
}

// Images that go while the agent is away are missed when it is back.
func TestRemovedOverARestart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	before := remembering(t, folder)
	before.update(names("a", "b", "c"), noon)
	before.update(names("b", "c"), noon.Add(time.Minute))
	save(t, before)
	if before.encode() != nil {
		t.Error("what is in the file is to be written once more")
	}
	after := remembering(t, folder)
	if after.encode() != nil {
		t.Error("what was read is to be written again")
	}
	if diff := cmp.Diff(before.list(), after.list()); diff != "" {
		t.Errorf("removed (-before +after):\n%s", diff)
	}
	if !after.update(names("c", "d"), noon.Add(time.Hour)) {
		t.Error("no change")
	}
	if !after.at("b").Equal(noon.Add(time.Hour)) || !after.at("c").IsZero() || !after.at("a").Equal(noon.Add(time.Minute)) {
		t.Errorf("got %v", after.list())
	}
	save(t, after)
}

func TestNothingIsStoredWithoutAFolder(t *testing.T) {
	r := remembering(t, "")
	r.update(names("a"), noon)
	if text := r.encode(); text != nil {
		t.Errorf("got %s", text)
	}
}

// The form of the file is for later versions too.
func TestMemoryForm(t *testing.T) {
	r := remembering(t, t.TempDir())
	r.update(names("b", "a"), noon)
	r.update(names("b"), noon.Add(time.Minute))
	const want = `{"version":1,"names":["b"],"removed":[{"name":"a","removed_at":"2026-11-24T12:01:00Z"}]}`
	if got := string(r.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever is in the file, the agent runs: it says so and begins anew.
func TestMemoryThatCannotBeUsed(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"cut off", `{"version":1,"names":["a`, "read remembered images"},
		{"empty", "", "read remembered images"},
		{"something else", `["a"]`, "read remembered images"},
		{"a time that is none", `{"version":1,"removed":[{"name":"a","removed_at":"yesterday"}]}`, "read remembered images"},
		{"of a later version", `{"version":2,"names":["a"]}`, "got version 2, want 1"},
		{"of no version", `{"names":["a"]}`, "got version 0, want 1"},
		{"too large", `{"version":1,"names":["` + strings.Repeat("a", maxMemory) + `"]}`, "more than"},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, memoryFile), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := loadRemoved(folder)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), memoryFile) {
			t.Errorf("%s: got %v, want an error with %q and the file", tt.name, err, tt.want)
		}
		if r == nil || len(r.names) != 0 || len(r.gone) != 0 {
			t.Errorf("%s: got %+v, want an empty memory", tt.name, r)
			continue
		}
		r.update(names("b"), noon)
		save(t, r) // and the next run can use it
		if again := remembering(t, folder); !again.names["b"] {
			t.Errorf("%s: not written over", tt.name)
		}
	}
}

// A file that somebody made larger than we do is read up to our bounds.
func TestMemoryIsBoundedWhenRead(t *testing.T) {
	folder := t.TempDir()
	var list, gone []string
	for n := range maxNames + 10 {
		list = append(list, fmt.Sprintf(`"n%d"`, n))
	}
	for n := range maxRemoved + 10 {
		gone = append(gone, fmt.Sprintf(`{"name":"g%d","removed_at":"2026-11-24T12:00:00Z"}`, n))
	}
	text := `{"version":1,"names":[` + strings.Join(list, ",") + `],"removed":[` + strings.Join(gone, ",") + `]}`
	if err := os.WriteFile(filepath.Join(folder, memoryFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := remembering(t, folder); len(r.names) != maxNames || len(r.gone) != maxRemoved {
		t.Errorf("got %d names and %d removed, want %d and %d", len(r.names), len(r.gone), maxNames, maxRemoved)
	}
}
