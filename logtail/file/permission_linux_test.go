package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// asNobody runs f on a thread that has no more rights than others, even for root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPermissionDenied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	logtailtest.Append(t, path, text(0, 2))
	if err := os.Chmod(path, 0); err != nil { // its owner may not read it either
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	src := newSource(t, Config{Path: path, Poll: time.Millisecond, Lookback: -1})
	var r logtailtest.Recorder
	asNobody(t, func() {
		f := newFollower(src, &r)
		defer f.stop()
		for range 3 {
			f.turn(t.Context(), false)
		}
		st := src.Status()
		if st.State != logtail.StateWaiting || !strings.Contains(st.Error, "permission denied: run as root") {
			t.Errorf("status: got %+v, want state %q and advice", st, logtail.StateWaiting)
		}
		if f.delay() < 4*time.Millisecond {
			t.Errorf("delay after 3 tries: got %s, want it to back off", f.delay())
		}
		if err := os.Chmod(path, 0o644); err != nil && !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	})
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		f := newFollower(src, &r)
		defer f.stop()
		f.turn(t.Context(), false)
		if st := src.Status(); st.State != logtail.StateReading || st.Error != "" {
			t.Errorf("status once allowed: got %+v, want state %q", st, logtail.StateReading)
		}
	})
	if r.Len() != 2 {
		t.Errorf("got lines %q, want 2", r.Lines())
	}
}
