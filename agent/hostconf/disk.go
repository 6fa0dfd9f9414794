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

	"pullcause/logtail/hostroot"
)

// disk is the node's file system. All paths are absolute paths on the node.
type disk struct{ root hostroot.Root }

func openDisk(hostRoot string) (*disk, error) {
	d := &disk{hostroot.New(hostRoot)}
	if err := d.exists("/"); err != nil {
		return nil, fmt.Errorf("open host root: %w", err)
	}
	return d, nil
}

// open opens a file or folder without waiting for it, should it be a pipe.
func (d *disk) open(name string) (*os.File, error) {
	f, err := d.root.Open(d.root.Path(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, withoutPath(err))
	}
	return f, nil
}

// exists returns nil if there is something at name.
func (d *disk) exists(name string) error {
	if _, err := d.root.Stat(d.root.Path(name)); err != nil {
		return fmt.Errorf("look at %s: %w", name, withoutPath(err))
	}
	return nil
}

// withoutPath is an error without the path, which begins with the host root.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
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
