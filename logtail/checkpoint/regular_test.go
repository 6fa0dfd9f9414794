//go:build unix

package checkpoint_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pullcause/logtail/checkpoint"
)

// oddities put something else in place of a file.
var oddities = map[string]func(t *testing.T, path string) error{
	"FIFO":   func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) },
	"folder": func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
	"socket": func(t *testing.T, path string) error {
		l, err := net.Listen("unix", path)
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	},
	"link to a device":   func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) },
	"link to a terminal": func(_ *testing.T, path string) error { return os.Symlink("/dev/ptmx", path) },
	"link to a FIFO": func(_ *testing.T, path string) error {
		return errors.Join(syscall.Mkfifo(path+".fifo", 0o600), os.Symlink(path+".fifo", path))
	},
	"link to a folder": func(_ *testing.T, path string) error { return os.Symlink(".", path) },
}

// shortDir is a folder with a name short enough for the address of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "odd") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// atOnce fails the test if a call does not return.
func atOnce(t *testing.T, what string, call func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: it hangs", what)
		return nil
	}
}

// Whatever stands in place of a file of the state folder, nothing hangs.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for name, put := range oddities {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "lock")
			if err := put(t, path); err != nil {
				t.Skipf("cannot be made here: %v", err)
			}
			err := atOnce(t, "read", func() error { _, err := checkpoint.ReadFile(path, 100); return err })
			if !errors.Is(err, checkpoint.ErrNotRegular) {
				t.Errorf("ReadFile: got %v, want one that names a regular file", err)
			}
			err = atOnce(t, "lock", func() error {
				lock, err := checkpoint.Lock(filepath.Dir(path))
				if err == nil {
					lock.Close()
				}
				return err
			})
			if !errors.Is(err, checkpoint.ErrNotRegular) {
				t.Errorf("Lock: got %v, want one that names a regular file", err)
			}
		})
	}
}

// What is put where a file is to be written does not stop that, unless it is a folder.
func TestReplaceFileOverOddities(t *testing.T) {
	for name, put := range oddities {
		for _, ending := range []string{"", ".tmp"} {
			t.Run(name+ending, func(t *testing.T) {
				path := filepath.Join(shortDir(t), "names.json")
				if err := put(t, path+ending); err != nil {
					t.Skipf("cannot be made here: %v", err)
				}
				err := atOnce(t, "replace", func() error { return checkpoint.ReplaceFile(path, []byte("after")) })
				if name == "folder" {
					if err == nil {
						t.Error("a folder was replaced")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := content(t, path); got != "after" {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}
