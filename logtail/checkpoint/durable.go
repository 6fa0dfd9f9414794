package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFile reads a regular file of at most limit bytes; a longer one is an error.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: got more than %d bytes", path, limit)
	}
	return text, errors.Join(err, f.Close())
}

// ReplaceFile puts text in place of what a file held, and makes its folder if need be.
// When it returns nil that survives a crash of the machine; when it fails, what
// the file held does.
func ReplaceFile(path string, text []byte) error { return replaceFile(path, text, false) }

// replaceFile is ReplaceFile, and can keep what the file held in another, with the
// ending .bak. After a crash in between there may be only that one.
func replaceFile(path string, text []byte, keep bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := writeFile(path+".tmp", text); err != nil {
		return err
	}
	if keep {
		if err := os.Rename(path, path+".bak"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeFile writes a file and waits until it is on the disk.
func writeFile(path string, text []byte) error {
	f, err := createFile(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes renames in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
