package watch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// fileEvents are those of a file: one of them ends the watch, so a writer of
	// many lines wakes us once and not for each. A truncate makes IN_MODIFY too.
	fileEvents = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE_SELF | unix.IN_ONESHOT
	// dirEvents are those that a rotation makes in a directory. Writing to the files
	// in it makes none.
	dirEvents = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
		unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	// goneEvents say that a watched directory is no longer where it was.
	goneEvents = unix.IN_IGNORED | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT
)

// notifier is an inotify instance. It is used directly, since libraries read each
// event as it comes: two thousand lines a second cost a twentieth of a processor then.
type notifier struct {
	fd   int
	file *os.File // fd, such that reading it parks the goroutine and not a thread
}

func openNotifier() (*notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return &notifier{fd: fd, file: os.NewFile(uintptr(fd), "inotify")}, nil
}

// close ends a read that is under way.
func (n *notifier) close() error { return n.file.Close() }

func (n *notifier) addFile(f *os.File) (wd int32, err error) {
	// By its descriptor: its name may be another file's by now.
	return n.add(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), fileEvents)
}

func (n *notifier) addDir(name string) (wd int32, err error) {
	return n.add(name, dirEvents)
}

func (n *notifier) add(name string, mask uint32) (int32, error) {
	wd, err := unix.InotifyAddWatch(n.fd, name, mask)
	if err != nil {
		return -1, os.NewSyscallError("inotify_add_watch", err)
	}
	return int32(wd), nil
}

// remove ends a watch. It may have ended by itself.
func (n *notifier) remove(wd int32) {
	_, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) //nolint:errcheck // then there is nothing to end
}

// event is one of inotify's.
type event struct {
	wd       int32
	name     string // in a watched directory
	gone     bool   // the directory itself is
	overflow bool   // events were dropped
}

// read waits for events. They are valid until the next read.
func (n *notifier) read(buf []byte) (iter.Seq[event], error) {
	size, err := n.file.Read(buf)
	if err != nil {
		return nil, err
	}
	return parseEvents(buf[:size]), nil
}

// parseEvents goes through struct inotify_event of inotify(7): wd, mask, cookie,
// len, and a name that is padded with NULs to len.
func parseEvents(buf []byte) iter.Seq[event] {
	return func(yield func(event) bool) {
		for len(buf) >= unix.SizeofInotifyEvent {
			mask := binary.NativeEndian.Uint32(buf[4:])
			end := unix.SizeofInotifyEvent + uint64(binary.NativeEndian.Uint32(buf[12:]))
			if end > uint64(len(buf)) {
				return
			}
			e := event{
				wd:       int32(binary.NativeEndian.Uint32(buf)),
				name:     string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:end], "\x00")),
				gone:     mask&goneEvents != 0,
				overflow: mask&unix.IN_Q_OVERFLOW != 0,
			}
			if !yield(e) {
				return
			}
			buf = buf[end:]
		}
	}
}
