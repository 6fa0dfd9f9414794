package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// LockFile is the file of a folder that is locked. It is empty, and stays.
const LockFile = "lock"

// ErrInUse is wrapped by what [Lock] returns while another process has the folder.
var ErrInUse = errors.New("another process uses the folder")

// Lock makes a folder, if need be, and keeps other processes out of it until it is
// closed or this process ends, in whatever way: the kernel frees it. It does not wait.
// Any error but [ErrInUse] says that this folder cannot be locked at all.
func Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Not for writing, or the file system could not be made read-only meanwhile.
	f, err := os.OpenFile(filepath.Join(dir, LockFile), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}
