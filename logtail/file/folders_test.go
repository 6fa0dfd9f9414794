package file

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pullcause/logtail/logtailtest"
)

// A folder is listed once until it changes, and again for as long as a change may not show.
func TestFoldersListAgainAfterAChange(t *testing.T) {
	dir := t.TempDir()
	var f Folders
	expect := func(want ...string) {
		t.Helper()
		if got, err := f.list(dir); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	logtailtest.Append(t, filepath.Join(dir, "b"), "")
	expect("b")
	if len(f.listed) > 0 {
		t.Error("a folder that has just changed is remembered")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	expect("b")
	if len(f.listed) != 1 {
		t.Error("a folder that has not changed for an hour is not remembered")
	}
	logtailtest.Append(t, filepath.Join(dir, "a"), "")
	expect("a", "b")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.list(dir); !os.IsNotExist(err) {
		t.Errorf("got %v for a folder that is gone", err)
	}
}

func TestWithPrefix(t *testing.T) {
	names := []string{"a", "x", "x.log", "x.log.1", "x.log.2", "xylog", "z"}
	for prefix, want := range map[string][]string{
		"x.log": names[2:5], "": names, "zz": {}, "x": names[1:6], "A": {},
	} {
		if got := withPrefix(names, prefix); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
}
