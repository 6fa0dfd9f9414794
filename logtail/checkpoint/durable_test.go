package checkpoint_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pullcause/logtail/checkpoint"
)

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := checkpoint.ReadFile(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := checkpoint.ReplaceFile(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestReplaceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "by us", "names.json")
	put(t, path, "the first, which is longer")
	if got := content(t, path); got != "the first, which is longer" {
		t.Errorf("got %q", got)
	}
	put(t, path, "second")
	if got := content(t, path); got != "second" {
		t.Errorf("got %q: what was longer shows", got)
	}
	for name, mode := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): fs.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: got %v, %v; want %v, for names of images are nobody else's", name, info.Mode(), err, mode)
		}
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left beside it: %v", err)
	}
}

// A crash while the file was written leaves half of it beside.
func TestReplaceFileAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.json")
	put(t, path, "before")
	if err := os.WriteFile(path+".tmp", []byte(strings.Repeat("half of something long ", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "before" {
		t.Errorf("got %q", got)
	}
	put(t, path, "after")
	if got := content(t, path); got != "after" {
		t.Errorf("got %q, want nothing of what was left", got)
	}
}

// What cannot be written leaves what is there as it is.
func TestReplaceFileFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.json")
	put(t, path, "before")
	if err := os.Mkdir(path+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.ReplaceFile(path, []byte("after")); err == nil {
		t.Error("a file was written over a folder")
	}
	if got := content(t, path); got != "before" {
		t.Errorf("got %q", got)
	}
	if err := checkpoint.ReplaceFile(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("a folder was made of a file")
	}
}

func TestReadFileHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.json")
	put(t, path, "0123456789")
	if text, err := checkpoint.ReadFile(path, 10); err != nil || string(text) != "0123456789" {
		t.Errorf("as long as the limit: got %q, %v", text, err)
	}
	if _, err := checkpoint.ReadFile(path, 9); err == nil || !strings.Contains(err.Error(), "more than 9 bytes") || !strings.Contains(err.Error(), path) {
		t.Errorf("longer: got %v, want an error that names file and limit", err)
	}
	if _, err := checkpoint.ReadFile(path+"-none", 9); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: got %v, want one that can be told from others", err)
	}
}
