package hostconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links a path may go through, as in Linux.
const maxLinks = 40

// disk is the node's file system. All paths are absolute paths on the node.
//
// os.Root keeps every access below the host root, but refuses absolute links,
// which nodes have (RHEL's certs.d points to /etc/rhsm/ca). So links are
// resolved here, relative to the host root as after a chroot, and os.Root only
// sees paths without links. Whoever changes a link between the two gets an
// error, not a file outside.
type disk struct{ root *os.Root }

func openDisk(hostRoot string) (*disk, error) {
	root, err := os.OpenRoot(hostRoot)
	if err != nil {
		return nil, fmt.Errorf("open host root: %w", err)
	}
	return &disk{root: root}, nil
}

//nolint:errcheck // nothing was written
func (d *disk) close() { d.root.Close() }

// resolve returns name below the root and without symbolic links.
func (d *disk) resolve(name string) (string, error) {
	todo := strings.Split(path.Clean("/"+name), "/")
	done := "."
	for links := 0; len(todo) > 0; {
		var part string
		part, todo = todo[0], todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		info, err := d.root.Lstat(next)
		if err != nil {
			return "", fmt.Errorf("look at %s: %w", next, err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("too many symbolic links")
		}
		target, err := d.root.Readlink(next)
		if err != nil {
			return "", fmt.Errorf("read link %s: %w", next, err)
		}
		if path.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

// open opens a file or folder without waiting for it, should it be a pipe.
func (d *disk) open(name string) (*os.File, error) {
	resolved, err := d.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(resolved, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return f, nil
}

// exists returns nil if there is something at name.
func (d *disk) exists(name string) error {
	_, err := d.resolve(name)
	return err
}

func (d *disk) read(name string) ([]byte, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("stat %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(data) > maxFileSize:
		return nil, errors.New("it is larger than 1 MiB, which is more than the agent reads")
	}
	return data, nil
}

// names returns the names in a folder, sorted; not all of a very large one.
func (d *disk) names(folder string) ([]string, error) {
	f, err := d.open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(16 * maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	slices.Sort(names)
	return names, nil
}

// glob returns what matches an absolute pattern, as filepath.Glob does.
func (d *disk) glob(pattern string) []string {
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(path.Clean(pattern), "/"), "/") {
		var next []string
		for _, folder := range found {
			if !strings.ContainsAny(part, `*?[\`) {
				next = append(next, path.Join(folder, part))
				continue
			}
			names, _ := d.names(folder) //nolint:errcheck // as filepath.Glob: what cannot be listed matches nothing
			for _, name := range names {
				if ok, err := path.Match(part, name); ok && err == nil && len(next) < maxFiles {
					next = append(next, path.Join(folder, name))
				}
			}
		}
		found = next
	}
	return slices.DeleteFunc(found, func(name string) bool { return d.exists(name) != nil })
}
