package file

import (
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxFolders bounds the folders whose names are remembered.
const maxFolders = 64

// Folders remembers the names in folders until they change, for all sources that follow
// files in them: without it, thousands of logs in one folder would each list all of it.
// The zero value is ready.
type Folders struct {
	mu     sync.Mutex
	listed map[string]listing
}

type listing struct {
	names   []string  // sorted
	changed time.Time // the folder's mtime
}

// list returns the names in a folder, sorted. The caller must not change them.
func (f *Folders) list(dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.listed[dir]; ok && l.changed.Equal(info.ModTime()) {
		return l.names, nil
	}
	names, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	// Within one tick of its clock a folder may change again and look the same.
	if time.Since(info.ModTime()) > clockTick {
		if f.listed == nil || len(f.listed) >= maxFolders {
			f.listed = make(map[string]listing)
		}
		f.listed[dir] = listing{names, info.ModTime()}
	}
	return names, nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// withPrefix returns those of sorted names that begin with a prefix.
func withPrefix(names []string, prefix string) []string {
	from, _ := slices.BinarySearch(names, prefix)
	n := 0
	for from+n < len(names) && strings.HasPrefix(names[from+n], prefix) {
		n++
	}
	return names[from : from+n]
}
