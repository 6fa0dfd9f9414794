package file

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataStart is where the hole ends that a file begins with; 0 if it has none or
// the file system does not tell. It moves the file's offset.
func dataStart(f *os.File) int64 {
	at, err := f.Seek(0, unix.SEEK_DATA)
	if err != nil {
		return 0
	}
	return at
}

// dataFrom is where the next data begins at or behind an offset: size if there is only a
// hole, the offset itself if the file system does not tell. It moves the file's offset.
func dataFrom(f *os.File, off, size int64) int64 {
	at, err := f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size
	case err != nil:
		return off
	}
	return at
}

// born says when a file was made, in nanoseconds since 1970; 0 if the file
// system does not know or the call is not allowed.
func born(f *os.File) int64 { return statBorn(int(f.Fd()), "", unix.AT_EMPTY_PATH) }

// bornAt is the same of a file that is not open, symlinks not followed.
func bornAt(path string) int64 { return statBorn(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW) }

func statBorn(fd int, path string, flags int) int64 {
	var st unix.Statx_t
	err := unix.Statx(fd, path, flags, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}
