package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pullcause/logtail/hostroot"
)

// kind is what a file's name says of it.
type kind uint8

const (
	active kind = iota // journald writes to it
	closed             // archived, or left behind by a journald that died
	others             // entries of users, in the same sequence
)

// found is a journal file that was seen in a folder.
type found struct {
	path string
	root int
	kind kind
	info os.FileInfo
}

// problem is why a folder or file is not read.
type problem struct {
	path string
	err  error
}

func (p problem) String() string {
	if errors.Is(p.err, fs.ErrPermission) {
		return p.path + ": permission denied: run as root, or as a member of the group systemd-journal"
	}
	if errors.Is(p.err, fs.ErrNotExist) {
		return p.path + ": no such folder"
	}
	return fmt.Sprintf("%s: %v", p.path, p.err)
}

// roots are the folders below which a machine's journal lies, in one folder for
// each machine id.
type roots struct {
	host    hostroot.Root
	dirs    []string
	machine string // id of the machine whose journal is read; empty = of all
	// copied is set for folders that nobody writes to: they may hold files of any
	// name, and hold them directly.
	copied bool

	seen map[string]time.Time // folders, and when they were changed last
}

// clockTick is the coarsest step in which file systems count time.
const clockTick = 2 * time.Second

// changed reports whether a folder may have changed since list.
func (r *roots) changed(now time.Time) bool {
	for dir, at := range r.seen {
		info, err := r.host.Stat(dir)
		if err != nil && at.IsZero() {
			continue
		}
		if err != nil || !info.ModTime().Equal(at) || now.Sub(at) < clockTick {
			return true
		}
	}
	return r.seen == nil
}

// list finds the journal files.
func (r *roots) list() (files []found, problems []problem) {
	r.seen = make(map[string]time.Time)
	own := false
	var dirs []found
	for i, root := range r.dirs {
		names, err := r.readDir(root)
		if err != nil {
			problems = append(problems, problem{root, err})
			continue
		}
		if r.copied {
			dirs = append(dirs, found{path: root, root: i})
		}
		for _, entry := range names {
			if _, err := parseID(entry.Name()); err != nil {
				continue
			}
			own = own || entry.Name() == r.machine
			dirs = append(dirs, found{path: filepath.Join(root, entry.Name()), root: i})
		}
	}
	for _, dir := range dirs {
		if own && filepath.Base(dir.path) != r.machine {
			continue // of another machine: copied here, or of an image
		}
		in, err := r.listDir(dir)
		if err != nil {
			problems = append(problems, problem{dir.path, err})
		}
		files = append(files, in...)
	}
	return files, problems
}

// Present reports whether one of the folders holds something, or cannot be looked into.
func Present(host hostroot.Root, dirs []string) bool {
	for _, dir := range dirs {
		names, err := host.ReadDir(dir)
		if err == nil && len(names) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// readDir reads a folder and notes when it was changed.
func (r *roots) readDir(dir string) ([]fs.DirEntry, error) {
	r.seen[dir] = time.Time{}
	info, err := r.host.Stat(dir)
	if err != nil {
		return nil, err
	}
	names, err := r.host.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	r.seen[dir] = info.ModTime()
	return names, nil
}

func (r *roots) listDir(dir found) (files []found, err error) {
	names, err := r.readDir(dir.path)
	if err != nil {
		return nil, err
	}
	for _, entry := range names {
		kind, ok := kindOf(entry.Name())
		if !ok {
			continue
		}
		if r.copied {
			kind = closed
		}
		path := filepath.Join(dir.path, entry.Name())
		info, err := r.host.Stat(path)
		if err != nil {
			continue // it was removed or renamed meanwhile: the folder has changed again
		}
		files = append(files, found{path, dir.root, kind, info})
	}
	return files, nil
}

// kindOf tells the files of a journal by their names (systemd v257,
// journal_file_rotate, journal_file_dispose): "system.journal",
// "system@<sequence>-<number>-<time>.journal", "system@<time>-<random>.journal~",
// and "user-1000…" likewise.
func kindOf(name string) (k kind, ok bool) {
	if !strings.HasSuffix(name, ".journal") && !strings.HasSuffix(name, ".journal~") {
		return 0, false
	}
	switch {
	case name == "system.journal":
		return active, true
	case strings.HasPrefix(name, "system@"):
		return closed, true
	}
	return others, true
}
