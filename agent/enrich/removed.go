package enrich

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"pullcause/logtail/checkpoint"
)

// Removed is a name that an image of the node had.
type Removed struct {
	Name string    `json:"name"`
	At   time.Time `json:"removed_at"` // when that was seen
}

// The bounds of what is remembered: names that are there, so that those which go
// while the agent is away are missed, and names that went.
const (
	maxNames   = 4000
	maxRemoved = 1000
)

// removed remembers names of images, also over a restart, in a file of its own: images
// change seldom, and the positions beside it each second.
type removed struct {
	path  string // empty if nothing is stored
	names map[string]bool
	gone  map[string]time.Time
	saved []byte // what the file holds
}

// memoryForm is that of the file.
type memoryForm struct {
	Version int       `json:"version"`
	Names   []string  `json:"names"`
	Removed []Removed `json:"removed"`
}

const (
	memoryVersion = 1
	memoryFile    = "images.json"
	// maxMemory bounds what is read, in bytes: twice what could be written.
	maxMemory = 8 << 20
)

// loadRemoved reads what an earlier run remembered in a folder. What cannot be used is
// an error, beside an empty memory to go on with.
func loadRemoved(folder string) (*removed, error) {
	r := &removed{names: make(map[string]bool), gone: make(map[string]time.Time)}
	if folder == "" {
		return r, nil
	}
	r.path = filepath.Join(folder, memoryFile)
	text, err := checkpoint.ReadFile(r.path, maxMemory)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read remembered images: %w", err)
	}
	var form memoryForm
	if err := json.Unmarshal(text, &form); err != nil {
		return r, fmt.Errorf("read remembered images %s: %w", r.path, err)
	}
	if form.Version != memoryVersion {
		return r, fmt.Errorf("read remembered images %s: got version %d, want %d", r.path, form.Version, memoryVersion)
	}
	for _, name := range form.Names[:min(len(form.Names), maxNames)] {
		r.names[name] = true
	}
	for _, gone := range form.Removed[:min(len(form.Removed), maxRemoved)] {
		r.gone[gone.Name] = gone.At
	}
	r.saved = text
	return r, nil
}

// update compares the names that are there now with those before. It reports whether
// they differ.
func (r *removed) update(present map[string]int, now time.Time) (changed bool) {
	for name := range r.names {
		if _, ok := present[name]; !ok {
			delete(r.names, name)
			r.gone[name] = now
			changed = true
		}
	}
	for name := range present {
		if _, ok := r.gone[name]; ok {
			delete(r.gone, name)
			changed = true
		}
		if !r.names[name] && len(r.names) < maxNames {
			r.names[name] = true
			changed = true
		}
	}
	if len(r.gone) > maxRemoved {
		for _, oldest := range r.list()[maxRemoved:] {
			delete(r.gone, oldest.Name)
		}
	}
	return changed
}

// at is when a name went; zero if it did not.
func (r *removed) at(name string) time.Time { return r.gone[name] }

// list returns the names that went, the last one first.
func (r *removed) list() []Removed {
	list := make([]Removed, 0, len(r.gone))
	for _, name := range slices.Sorted(maps.Keys(r.gone)) {
		list = append(list, Removed{name, r.gone[name]})
	}
	slices.SortStableFunc(list, func(a, b Removed) int { return b.At.Compare(a.At) })
	return list
}

// encode is what the file should hold; nil if it does already, or there is none.
func (r *removed) encode() []byte {
	if r.path == "" {
		return nil
	}
	form := memoryForm{Version: memoryVersion, Names: slices.Sorted(maps.Keys(r.names)), Removed: r.list()}
	text, err := json.Marshal(form)
	if err != nil || bytes.Equal(text, r.saved) { // strings and times: it cannot fail
		return nil
	}
	return text
}
