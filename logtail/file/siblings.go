package file

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sibling is a file beside the log that a rotation may have made of it.
type sibling struct {
	path string
	info
}

// packings end the names of compressed files.
var packings = []string{".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".zip"}

// unpacked is the name of a file before it was compressed.
func unpacked(name string) (plain string, ok bool) {
	for _, ext := range packings {
		if plain, ok = strings.CutSuffix(name, ext); ok {
			return plain, true
		}
	}
	return name, false
}

// isPacked reports whether name is that of a rotated file that was compressed.
func isPacked(base, name string) bool {
	plain, ok := unpacked(name)
	return ok && isRotated(base, plain)
}

// isBeingPacked reports whether a compressed file is not all there yet.
func (s sibling) isBeingPacked() bool {
	plain, _ := unpacked(s.path)
	_, err := os.Lstat(plain)
	return err == nil
}

// isAfter reports whether a file was written to later than another one.
func (s sibling) isAfter(o *stream) bool {
	i, err := o.stat()
	return err == nil && s.mtime.After(i.mtime)
}

// isRotated reports whether name is one that rotation gives to the file base:
// "x.log.1", "x.log-20260102", "x.log.old", "x.log.20260102-150405" (kubelet),
// "x-2026-01-02T15-04-05.000.log" (lumberjack). Compressed files are none: what
// is in them cannot be continued at an offset.
func isRotated(base, name string) bool {
	if _, packed := unpacked(name); packed || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".swp") {
		return false
	}
	if mark, ok := strings.CutPrefix(name, base); ok {
		return isMark(mark)
	}
	ext := filepath.Ext(base)
	mark, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext))
	if !ok {
		return false
	}
	mark, ok = strings.CutSuffix(mark, ext)
	return ok && isMark(mark)
}

// isMark reports whether s is what a rotation adds to a name. It must be strict:
// "kube-proxy.log" is no rotated "kube.log".
func isMark(s string) bool {
	if len(s) < 2 || !strings.ContainsRune(".-_", rune(s[0])) {
		return s == "~"
	}
	s = s[1:]
	return s[0] >= '0' && s[0] <= '9' || slices.Contains([]string{"old", "bak", "prev"}, s)
}

// siblings lists the files that rotation made of any of the given names, by
// directory; the one that was written to longest ago comes first. made tells them by
// their names.
func (f *Folders) siblings(dirs map[string][]string, made func(base, name string) bool) ([]sibling, error) {
	// A rotation that is under way may hide a file from a single listing.
	var found []sibling
	for range 5 {
		again, err := f.rotated(dirs, made)
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(found, again, func(a, b sibling) bool { return a.id == b.id }) {
			return again, nil
		}
		found = again
	}
	return found, nil
}

func (f *Folders) rotated(dirs map[string][]string, made func(base, name string) bool) ([]sibling, error) {
	// All names count in all directories: the target of "x.log" may be "x-1.log"
	// there, and the one after it "x-2.log".
	bases := slices.Concat(slices.Collect(maps.Values(dirs))...)
	var found []sibling
	for dir := range dirs {
		names, err := f.list(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, name := range rotatedNames(names, bases, made) {
			path := filepath.Join(dir, name)
			if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() { // else it is gone meanwhile
				found = append(found, sibling{path, newInfo(fi)})
			}
		}
	}
	slices.SortFunc(found, older)
	return found, nil
}

// rotatedNames returns those of sorted names that rotation made of any of the bases.
func rotatedNames(names, bases []string, made func(base, name string) bool) []string {
	var found []string
	for _, base := range bases {
		for _, name := range withPrefix(names, strings.TrimSuffix(base, filepath.Ext(base))) {
			if made(base, name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}

// older orders by the last write. Within one tick of the file system's clock the
// names decide: of "x.log.2" and "x.log.1" the longer or greater number is older;
// of dates the smaller one is.
func older(a, b sibling) int {
	if c := a.mtime.Compare(b.mtime); c != 0 {
		return c
	}
	x, y := filepath.Ext(a.path), filepath.Ext(b.path)
	if isSmallNumber(x) && isSmallNumber(y) {
		return cmp.Or(cmp.Compare(len(y), len(x)), cmp.Compare(y, x))
	}
	return cmp.Compare(a.path, b.path)
}

// isSmallNumber tells ".12" from a date.
func isSmallNumber(ext string) bool {
	return len(ext) > 1 && len(ext) < 6 && strings.Trim(ext[1:], "0123456789") == ""
}
