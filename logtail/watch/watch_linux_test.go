package watch

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/logtail/hostroot"
)

// live makes a path whose directories are watched.
func live(t *testing.T, w *Watcher, path string) *Path {
	t.Helper()
	p := w.Path(hostroot.Root{}, path, make(chan struct{}, 1))
	t.Cleanup(p.Close)
	if !p.Refresh() {
		t.Fatalf("%s: got no watch", path)
	}
	return p
}

// hear waits for a wake-up.
func hear(t *testing.T, p *Path, of string) {
	t.Helper()
	select {
	case <-p.C():
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: got no wake-up of %s", p.path, of)
	}
}

// heard reports whether there was a wake-up of what happened so far in a directory.
func heard(t *testing.T, p *Path, dir string) bool {
	t.Helper()
	mark := live(t, p.w, filepath.Join(dir, fmt.Sprintf("mark-%d", time.Now().UnixNano())))
	create(t, mark.path)
	hear(t, mark, "the mark")
	mark.Close()
	select {
	case <-p.C():
		return true
	default:
		return false
	}
}

func watched(w *Watcher) (dirs, files int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byWD), len(w.files)
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	p := live(t, newWatcher(t), filepath.Join(dir, "system"))
	for _, c := range []struct {
		name string
		want bool
	}{
		{"system", true},
		{"system.journal", true},
		{"system@0005f5e1.journal", true},
		{"syste", false},
		{"user-1000.journal", false},
		{".system.journal", false},
	} {
		name := filepath.Join(dir, c.name)
		create(t, name)
		if got := heard(t, p, dir); got != c.want {
			t.Errorf("%s comes: got a wake-up %t, want %t", c.name, got, c.want)
		}
		if err := os.Rename(name, filepath.Join(dir, "moved")); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, p, dir); got != c.want {
			t.Errorf("%s is renamed: got a wake-up %t, want %t", c.name, got, c.want)
		}
	}
}

func TestArm(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "x.log"))
	p := live(t, newWatcher(t), f.Name())
	write := func() error { _, err := f.WriteString("x"); return err }
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"a write", write},
		{"another write", write},
		{"a truncate to the same size", func() error { return f.Truncate(2) }}, // journald
		{"a truncate", func() error { return f.Truncate(0) }},
		{"a rename", func() error { return os.Rename(f.Name(), filepath.Join(t.TempDir(), "y.log")) }},
		{"a chmod", func() error { return syscall.Fchmod(int(f.Fd()), 0o640) }},
	} {
		if !p.Arm(f) || !p.IsArmed() {
			t.Fatalf("before %s: got no watch on the file", c.what)
		}
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		hear(t, p, c.what)
		for p.IsArmed() { // a rename is told by the directory too
			hear(t, p, c.what+" by the file")
		}
	}
}

// Writes cost no wake-ups while nothing is armed, and each source arms for itself.
func TestArmShares(t *testing.T) {
	dir := t.TempDir()
	f := create(t, filepath.Join(dir, "x.log"))
	w := newWatcher(t)
	p, q := live(t, w, f.Name()), live(t, w, f.Name())
	write := func() {
		t.Helper()
		if _, err := f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if heard(t, p, dir) {
		t.Error("not armed: got a wake-up, want none")
	}
	if !p.Arm(f) || !q.Arm(f) || !p.Arm(f) {
		t.Fatal("got no watch on the file")
	}
	p.Release()
	if p.IsArmed() || !q.IsArmed() {
		t.Errorf("one of two released: got armed %t and %t, want only the other", p.IsArmed(), q.IsArmed())
	}
	write()
	hear(t, q, "a write")
	if heard(t, p, dir) {
		t.Error("released: got a wake-up, want none")
	}
	if !p.Arm(f) || !q.Arm(f) {
		t.Fatal("got no watch on the file")
	}
	write()
	hear(t, p, "a write")
	hear(t, q, "the same write")
	if _, files := watched(w); files != 0 {
		t.Errorf("after a change: got %d files watched, want none", files)
	}
}

func TestSymlinks(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "x.log")
	if err := os.Symlink("a/0.log", path); err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t)
	p := live(t, w, path)
	create(t, filepath.Join(dir, "a", "0.log"))
	hear(t, p, "the target")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "b", "1.log"), path); err != nil {
		t.Fatal(err)
	}
	hear(t, p, "the link")
	if !p.Renew() {
		t.Fatal("got no watch where the link points now")
	}
	if dirs, _ := watched(w); dirs != 2 {
		t.Errorf("watched directories: got %d, want that of the link and that of its target", dirs)
	}
	heard(t, p, dir) // of the link once more
	create(t, filepath.Join(dir, "b", "1.log"))
	hear(t, p, "the new target")
}

// All sources of a directory share a watch; the last one takes it away.
func TestShares(t *testing.T) {
	dir := t.TempDir()
	w := newWatcher(t)
	var all []*Path
	for i := range 3 {
		f := create(t, filepath.Join(dir, fmt.Sprintf("%c.log", 'a'+i)))
		p := live(t, w, f.Name())
		if !p.Arm(f) {
			t.Fatalf("%s: got no watch on the file", f.Name())
		}
		all = append(all, p)
	}
	for i, p := range all {
		if dirs, files := watched(w); dirs != 1 || files != len(all)-i {
			t.Errorf("%d of %d closed: got %d directories and %d files watched, want 1 and %d", i, len(all), dirs, files, len(all)-i)
		}
		p.Close()
	}
	if dirs, files := watched(w); dirs+files+len(w.dirs) != 0 {
		t.Errorf("at the end: got %d directories and %d files watched, want none", dirs, files)
	}
}

// A directory that is removed and made again has another watch.
func TestDirectoryRemade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	w := newWatcher(t)
	p := w.Path(hostroot.Root{}, filepath.Join(dir, "x.log"), make(chan struct{}, 1))
	for range 3 {
		if p.Refresh() {
			t.Error("got a watch on a directory that is not there")
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if !p.Refresh() {
			t.Fatal("got no watch on the directory that was made")
		}
		f := create(t, p.path)
		hear(t, p, "the file")
		f.Close() // the kernel keeps the directory of an open file
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for p.Refresh() {
			hear(t, p, "the end of the directory")
		}
	}
	p.Close()
}

// ownMounts gives the test a mount namespace, which goes with its thread.
func ownMounts(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked, so that it ends
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Skipf("needs root, to mount: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// One directory has two names, as a folder of the host that is mounted twice: each
// source hears of it by its own, however long the other stays.
func TestTwoMounts(t *testing.T) {
	ownMounts(t)
	dir, mount := t.TempDir(), t.TempDir()
	if err := unix.Mount(dir, mount, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	w := newWatcher(t)
	p, q := live(t, w, filepath.Join(dir, "x.log")), live(t, w, filepath.Join(mount, "x.log"))
	create(t, p.path).Close()
	hear(t, p, "the file by the first name")
	hear(t, q, "the file by the second name")
	q.Close()
	if err := os.Remove(p.path); err != nil {
		t.Fatal(err)
	}
	hear(t, p, "the file's end, without the second name")
	p.Close()
	if dirs, files := watched(w); dirs+files+len(w.dirs) != 0 {
		t.Errorf("at the end: got %d directories and %d files watched, want none", dirs, files)
	}
}

func TestFallsBack(t *testing.T) {
	for name, open := range map[string]func() (*notifier, error){
		"no instance": func() (*notifier, error) { return nil, os.NewSyscallError("inotify_init1", syscall.EMFILE) },
		"no watch": func() (*notifier, error) {
			n, err := openNotifier()
			n.fd = -1 // to add a watch fails then, as it does without space for one
			return n, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			w := New(slog.New(slog.NewTextHandler(&log, nil)))
			opened := 0
			w.open = func() (*notifier, error) { opened++; return open() }
			f := create(t, filepath.Join(t.TempDir(), "x.log"))
			p := w.Path(hostroot.Root{}, f.Name(), make(chan struct{}, 1))
			for range 10 {
				if p.Refresh() || p.Arm(f) || p.IsArmed() {
					t.Error("got a watch, want none")
				}
			}
			p.Close()
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "raise fs.inotify.max_user_") || opened != 1 {
				t.Errorf("got %d tries and %d warnings, want 1 in a minute, with advice:\n%s", opened, n, log.String())
			}
		})
	}
}

// injected is a live path of a watcher whose events the test makes.
func injected(t *testing.T) (p *Path, inject *os.File) {
	t.Helper()
	events, inject, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inject.Close() })
	w := newWatcher(t)
	w.in = &notifier{fd: -1, file: events}
	p = w.Path(hostroot.Root{}, "/x", make(chan struct{}, 1))
	p.live, p.armed, p.wd = true, true, 7
	w.files[p.wd] = []*Path{p}
	w.dirs["/"] = &dir{name: "/", users: map[*Path][]string{p: {"x"}}}
	w.wg.Go(func() { w.pump(w.in) })
	return p, inject
}

// When the kernel drops events, everyone looks and watches anew.
func TestOverflow(t *testing.T) {
	p, inject := injected(t)
	overflow := binary.NativeEndian.AppendUint32(nil, math.MaxUint32) // wd -1
	overflow = binary.NativeEndian.AppendUint32(overflow, unix.IN_Q_OVERFLOW)
	if _, err := inject.Write(append(overflow, make([]byte, 8)...)); err != nil {
		t.Fatal(err)
	}
	hear(t, p, "the overflow")
	if dirs, _ := watched(p.w); p.IsArmed() || dirs > 0 {
		t.Error("got watches whose last event may be among the dropped, want new ones")
	}
}

// Where the instance breaks, everyone polls.
func TestBreaks(t *testing.T) {
	p, inject := injected(t)
	inject.Close() // the end of the file
	hear(t, p, "the break")
	if p.Refresh() || p.IsArmed() {
		t.Error("got a live watch or an armed file, want none before inotify is tried again")
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00x.log\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff\x00\x40\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, buf []byte) {
		n := 0
		for e := range parseEvents(buf) {
			n += unix.SizeofInotifyEvent + len(e.name)
		}
		if n > len(buf) {
			t.Errorf("got events of %d bytes out of %d", n, len(buf))
		}
	})
}
