// Package hostroot opens files of a node below the folder where the node's file system is
// mounted, "/host" in a container. Start at [New].
//
// Symbolic links are followed as the node follows them: an absolute one begins at the
// mounted folder, and none leads out of it. RHEL's certs.d points to /etc/rhsm/ca, and
// /etc/localtime to /usr/share/zoneinfo on most nodes; without this an agent would read its
// own container's files, or none.
package hostroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links a path may go through, as in Linux.
const maxLinks = 40

var (
	errOutside = errors.New("not below host_root")
	errLinks   = errors.New("too many symbolic links")
)

// Root is the folder. All paths that it takes and returns are absolute and begin with that
// folder, as the agent sees them. The zero value is the agent's own file system.
type Root struct {
	dir string // empty for "/"
}

// New returns the root of a node's file system.
func New(dir string) Root {
	if dir = filepath.Clean(dir); dir == "/" || dir == "." {
		return Root{}
	}
	return Root{dir}
}

// Path is where a path of the node is seen from here.
func (r Root) Path(name string) string { return filepath.Clean("/" + r.dir + filepath.Clean("/"+name)) }

// below is path from the root on, without a slash before it.
func (r Root) below(path string) (string, error) {
	rest, ok := strings.CutPrefix(filepath.Clean(path), r.dir)
	if !ok || rest != "" && rest[0] != '/' {
		return "", errOutside
	}
	return filepath.Join(".", rest), nil
}

// Open opens a file or folder for reading. It does not wait for the other end of a pipe.
func (r Root) Open(path string) (*os.File, error) {
	if r.dir == "" {
		return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	rel, err := r.below(path)
	if err == nil {
		var f *os.File
		if f, err = r.open(rel, path); err == nil {
			return f, nil
		}
	}
	return nil, pathError("open", path, err)
}

// Stat describes what a path leads to.
func (r Root) Stat(path string) (fs.FileInfo, error) {
	if r.dir == "" {
		return os.Stat(path)
	}
	rel, err := r.below(path)
	if err == nil {
		var info fs.FileInfo
		if info, err = r.stat(rel); err == nil {
			return info, nil
		}
	}
	return nil, pathError("stat", path, err)
}

// ReadDir lists a folder, sorted by name.
func (r Root) ReadDir(path string) ([]fs.DirEntry, error) {
	if r.dir == "" {
		return os.ReadDir(path)
	}
	real, err := r.Resolve(path)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(real)
}

// Resolve returns the path without symbolic links. What it leads to exists.
func (r Root) Resolve(path string) (string, error) {
	if r.dir == "" {
		return filepath.EvalSymlinks(path)
	}
	rel, err := r.below(path)
	if err == nil {
		if rel, err = r.walk(rel); err == nil {
			return filepath.Join(r.dir, rel), nil
		}
	}
	return "", pathError("resolve", path, err)
}

// Readlink returns where a symbolic link points to. The folder that it is in must be free
// of links.
func (r Root) Readlink(path string) (string, error) {
	target, err := os.Readlink(path)
	switch {
	case err != nil:
		return "", err
	case filepath.IsAbs(target):
		return r.Path(target), nil
	}
	if rel, err := r.below(filepath.Join(filepath.Dir(path), target)); err == nil {
		return filepath.Clean("/" + filepath.Join(r.dir, rel)), nil
	}
	return r.Path(target), nil // its ".." end at the root
}

// walk returns rel without symbolic links. [os.Root] refuses absolute links, so it only sees
// paths without links here; whoever swaps a folder for a link meanwhile gets an error and not
// a file outside.
func (r Root) walk(rel string) (string, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // it was only read
	return resolveIn(root, rel)
}

func resolveIn(root *os.Root, rel string) (string, error) {
	todo := strings.Split(rel, "/")
	done := "."
	for links := 0; len(todo) > 0; {
		var part string
		part, todo = todo[0], todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		next := filepath.Join(done, part)
		info, err := root.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errLinks
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

// openWalked opens rel where the kernel cannot resolve it below a folder in one call.
func (r Root) openWalked(rel string) (*os.File, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	if rel, err = resolveIn(root, rel); err != nil {
		return nil, err
	}
	return root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (r Root) statWalked(rel string) (fs.FileInfo, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	if rel, err = resolveIn(root, rel); err != nil {
		return nil, err
	}
	return root.Lstat(rel)
}

// pathError names the path that was asked for, once.
func pathError(op, path string, err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
