package hostroot

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// open opens rel below the root; name is for its errors.
func (r Root) open(rel, name string) (*os.File, error) {
	fd, err := r.openat2(rel, unix.O_RDONLY|unix.O_NONBLOCK)
	if isUnsupported(err) {
		return r.openWalked(rel)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (r Root) stat(rel string) (fs.FileInfo, error) {
	fd, err := r.openat2(rel, unix.O_PATH)
	if isUnsupported(err) {
		return r.statWalked(rel)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), rel)
	defer f.Close()
	return f.Stat()
}

// openat2 has the kernel resolve rel below the root as after a chroot (openat2(2),
// RESOLVE_IN_ROOT, Linux 5.6): one call, and nobody can swap a folder in between.
func (r Root) openat2(rel string, flags uint64) (int, error) {
	dir, err := unix.Open(r.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir) //nolint:errcheck // only a place to begin
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for range 16 {
		fd, err := unix.Openat2(dir, rel, &how)
		// EAGAIN: something was renamed while ".." was being resolved.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
	return -1, unix.EAGAIN
}

// isUnsupported reports whether the kernel is too old for openat2, or a seccomp profile
// refuses it.
func isUnsupported(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAGAIN)
}
