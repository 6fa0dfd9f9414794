package logtailtest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Append writes text to the end of a file, making it if need be, and closes it.
func Append(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, err)
	must(t, f.Close())
}

// Rename gives a file the name path-000001 (or 2, and so on, whichever is free), as
// a rotation does before the program opens a new file. It returns the name.
func Rename(t testing.TB, path string) string {
	t.Helper()
	to := free(t, path)
	must(t, os.Rename(path, to))
	return to
}

// RenameCreate renames a file and makes an empty one in its place: logrotate's create.
func RenameCreate(t testing.TB, path string) string {
	t.Helper()
	to := Rename(t, path)
	Append(t, path, "")
	return to
}

// Shift does as logrotate with numbers: .1 becomes .2 and so on up to keep, the last
// one goes, and the file becomes .1. An empty one takes its place.
func Shift(t testing.TB, path string, keep int) {
	t.Helper()
	name := func(n int) string { return fmt.Sprintf("%s.%d", path, n) }
	if _, err := os.Stat(name(keep)); err == nil {
		must(t, os.Remove(name(keep)))
	}
	for n := keep - 1; n > 0; n-- {
		if _, err := os.Stat(name(n)); err == nil {
			must(t, os.Rename(name(n), name(n+1)))
		}
	}
	must(t, os.Rename(path, name(1)))
	Append(t, path, "")
}

// Copy copies a file to path-000001 (or 2, and so on) and returns that name.
func Copy(t testing.TB, path string) string {
	t.Helper()
	in, err := os.Open(path)
	must(t, err)
	to := free(t, path)
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, err)
	must(t, out.Close())
	must(t, in.Close())
	return to
}

// CopyTruncate copies a file and empties it: logrotate's copytruncate.
func CopyTruncate(t testing.TB, path string) string {
	t.Helper()
	to := Copy(t, path)
	must(t, os.Truncate(path, 0))
	return to
}

// DeleteCreate removes a file and makes an empty one in its place.
func DeleteCreate(t testing.TB, path string) {
	t.Helper()
	must(t, os.Remove(path))
	Append(t, path, "")
}

// SymlinkSwap makes link point to target, at once and without a gap.
func SymlinkSwap(t testing.TB, link, target string) {
	t.Helper()
	tmp := filepath.Join(filepath.Dir(link), ".swap-"+filepath.Base(link))
	must(t, os.Symlink(target, tmp))
	must(t, os.Rename(tmp, link))
}

func free(t testing.TB, path string) string {
	t.Helper()
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%06d", path, n)
		if _, err := os.Lstat(name); os.IsNotExist(err) {
			return name
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
