package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
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
	// Not for writing, or the file system could not be made read-only meanwhile. NFSv4
	// wants it all the same: flock(2), Linux fs/nfs/nfs4proc.c nfs4_proc_lock.
	l, err := lockFile(dir, os.O_RDONLY)
	if errors.Is(err, syscall.EBADF) {
		return lockFile(dir, os.O_RDWR)
	}
	return l, err
}

func lockFile(dir string, access int) (io.Closer, error) {
	f, err := OpenRegular(filepath.Join(dir, LockFile), access|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}
