package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"pullcause/logtail/checkpoint"
)

// FS is what the spool needs of a file system. Tests put faults in here.
type FS interface {
	// MakeDir makes a folder, mode 0700, and those above it.
	MakeDir(dir string) error
	ReadDir(dir string) ([]fs.DirEntry, error)
	// SyncDir makes what was created in a folder durable.
	SyncDir(dir string) error
	// Create makes a file, mode 0600, for writing; it fails if there is one.
	Create(path string) (File, error)
	// Open opens a regular file for reading.
	Open(path string) (File, error)
	Remove(path string) error
}

// File is an open file of an [FS].
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// disk is the real file system.
type disk struct{}

func (disk) MakeDir(dir string) error { return os.MkdirAll(dir, 0o700) }

func (disk) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }

func (disk) Remove(path string) error { return os.Remove(path) }

func (disk) Create(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err // and no *os.File that is nil in an interface that is not
	}
	return f, nil
}

func (disk) Open(path string) (File, error) {
	f, err := checkpoint.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
