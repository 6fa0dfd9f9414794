package hostroot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// host makes a node's file system, and a file beside it that no path may reach.
func host(t *testing.T, links map[string]string) Root {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "host")
	files := map[string]string{
		filepath.Join(dir, "data", "log"): "node", filepath.Join(dir, "etc", "passwd"): "node", filepath.Join(top, "secret"): "outside",
	}
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, []byte(text), 0o644))
	}
	for name, target := range links {
		name = filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.Symlink(target, name))
	}
	return New(dir)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Links of a node lead to the node's files, whichever way they are resolved.
func TestLinksStayBelowTheRoot(t *testing.T) {
	tests := map[string]struct {
		links map[string]string
		open  string
		real  string // empty: there is no such file
	}{
		"no link":                    {nil, "/data/log", "/data/log"},
		"absolute":                   {map[string]string{"var/log": "/data/log"}, "/var/log", "/data/log"},
		"absolute folder":            {map[string]string{"var/log": "/data"}, "/var/log/log", "/data/log"},
		"absolute behind a relative": {map[string]string{"a/b": "../c", "c": "/data/log"}, "/a/b", "/data/log"},
		"relative":                   {map[string]string{"a/b": "../data/log"}, "/a/b", "/data/log"},
		"relative beyond the root":   {map[string]string{"a": "../../../../../data/log"}, "/a", "/data/log"},
		"outside, relative":          {map[string]string{"a": "../secret"}, "/a", ""},
		"outside, asked for":         {nil, "/../secret", ""},
		"dangling":                   {map[string]string{"a": "/nowhere"}, "/a", ""},
		"circle":                     {map[string]string{"a": "/b", "b": "/a"}, "/a", ""},
		"through the kernel":         {map[string]string{"a": "/proc/self/root/secret"}, "/a", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := host(t, tt.links)
			path := r.Path(tt.open)
			if real, err := r.Resolve(path); tt.real == "" && err == nil || tt.real != "" && real != r.Path(tt.real) {
				t.Errorf("resolve: got %s, %v, want %q", real, err, tt.real)
			}
			rel, err := r.below(path)
			must(t, err)
			byKernel, err1 := r.Open(path)
			byWalk, err2 := r.openWalked(rel)
			check(t, "kernel", byKernel, err1, tt.real != "")
			check(t, "walk", byWalk, err2, tt.real != "")
			_, err1 = r.Stat(path)
			_, err2 = r.statWalked(rel)
			if (err1 == nil) != (tt.real != "") || (err2 == nil) != (tt.real != "") {
				t.Errorf("stat: got %v and %v, want a file: %t", err1, err2, tt.real != "")
			}
		})
	}
}

func check(t *testing.T, how string, f *os.File, err error, want bool) {
	t.Helper()
	if err != nil {
		if want {
			t.Errorf("%s: %v", how, err)
		}
		return
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if !want || string(text) != "node" {
		t.Errorf("%s: got %q, %v; want the node's file: %t", how, text, err, want)
	}
}

func TestPathsOutside(t *testing.T) {
	r := host(t, nil)
	for _, path := range []string{"/secret", r.dir + "ile/data", filepath.Dir(r.dir), r.dir + "/../secret"} {
		if f, err := r.Open(path); !errors.Is(err, errOutside) {
			t.Errorf("open %s: got %v, %v, want an error", path, f, err)
		}
	}
	if _, err := r.Stat(r.Path("/nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestOwnFileSystem(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("/etc", filepath.Join(dir, "etc")))
	for _, r := range []Root{{}, New("/")} {
		if got := r.Path("/var/log/x"); got != "/var/log/x" {
			t.Errorf("got %s", got)
		}
		if got, err := r.Resolve(filepath.Join(dir, "etc")); got != "/etc" {
			t.Errorf("got %s, %v, want /etc", got, err)
		}
	}
}

func TestPipeDoesNotBlock(t *testing.T) {
	r := host(t, nil)
	path := r.Path("/pipe")
	makePipe(t, path)
	f, err := r.Open(path)
	must(t, err)
	must(t, f.Close())
}
