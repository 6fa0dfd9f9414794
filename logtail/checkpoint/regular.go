package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is wrapped by what [OpenRegular] returns for a FIFO, a device, a socket or
// a folder, and for a symbolic link to one.
var ErrNotRegular = errors.New("want a regular file; remove what is there")

// OpenRegular opens a file as [os.OpenFile] does, with mode 0600 if it is created, but only
// a regular one. It does not block: open(2) of a FIFO waits for the other end, and a read
// from a terminal waits for ever.
func OpenRegular(path string, flag int) (*os.File, error) {
	// Opening a device may have effects (a tape rewinds), so look at it first.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(path, info)
	}
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0o600) // it may have been replaced meanwhile
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func notRegular(path string, info fs.FileInfo) error {
	return fmt.Errorf("open %s: got %s, %w", path, kindOf(info.Mode()), ErrNotRegular)
}

// kindOf names what is no regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	default:
		return "mode " + mode.String()
	}
}

// createFile makes an empty file for writing. What a crash, or somebody else, left under
// its name goes; a folder stays, and is an error.
func createFile(path string) (*os.File, error) {
	const flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(path, flag, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := syscall.Unlink(path); err != nil {
		return nil, &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return os.OpenFile(path, flag, 0o600)
}
