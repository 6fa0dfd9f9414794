package checkpoint

import (
	"io"
	"io/fs"
	"os"
)

// files is what a [Store] needs of a file system to write. Tests put faults in here.
type files interface {
	makeDir(dir string) error
	// create makes an empty file, in place of what has its name.
	create(path string) (file, error)
	// extend opens a file to write at its end.
	extend(path string) (file, error)
	// present reports whether a path still leads to an open file.
	present(path string, f file) bool
	rename(from, to string) error
	// syncDir makes renames in a directory durable.
	syncDir(dir string) error
}

type file interface {
	io.Writer
	Stat() (fs.FileInfo, error)
	Sync() error
	Close() error
}

// disk is the real file system.
type disk struct{}

func (disk) makeDir(dir string) error { return os.MkdirAll(dir, 0o700) }

func (disk) create(path string) (file, error) {
	f, err := createFile(path)
	if err != nil {
		return nil, err // and no *os.File that is nil in an interface that is not
	}
	return f, nil
}

func (disk) extend(path string) (file, error) {
	f, err := OpenRegular(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disk) present(path string, f file) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(there, info)
}

func (disk) rename(from, to string) error { return os.Rename(from, to) }

func (disk) syncDir(dir string) error { return syncDir(dir) }
