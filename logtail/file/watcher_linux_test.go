package file

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// With a poll of an hour, what comes, comes through inotify.
func watched(t *testing.T, w *Watcher, path string) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Dir(path), path: path, file: path}
	r.cfg = Config{Path: path, Poll: time.Hour, Lookback: -1, Watcher: w}
	r.src = newSource(t, r.cfg)
	logtailtest.Start(t, r.src, &r.Recorder)
	return r
}

func TestWatcherWakes(t *testing.T) {
	dir := t.TempDir()
	w := newWatcher(t)
	path := filepath.Join(dir, "x.log")
	logtailtest.Append(t, path, text(0, 1))
	r := watched(t, w, path)
	r.Wait(t, 1)
	for i := range 20 {
		r.write(text(1+i, 1))
		r.Wait(t, 2+i)
	}
	if st := r.src.Status(); st.Wake != logtail.WakeInotify {
		t.Errorf("wake: got %q, want %q", st.Wake, logtail.WakeInotify)
	}
	old := logtailtest.RenameCreate(t, path)
	logtailtest.Append(t, old, text(21, 1)) // its writer has not noticed
	r.Wait(t, 22)
}

func TestWatcherFollowsSymlinks(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		logtailtest.Append(t, filepath.Join(dir, d, "0.log"), "")
	}
	path := filepath.Join(dir, "x.log")
	logtailtest.SymlinkSwap(t, path, "a/0.log")
	w := newWatcher(t)
	r := watched(t, w, path)
	r.Until(t, "the beginning", func() bool { return r.Position() != nil })
	logtailtest.Append(t, filepath.Join(dir, "a", "0.log"), text(0, 1))
	r.Wait(t, 1)
	w.mu.Lock()
	n := len(w.dirs)
	w.mu.Unlock()
	if n != 2 {
		t.Errorf("watched directories: got %d, want that of the link and that of its target", n)
	}
}

// All sources of a directory share a watch; the last one takes it away.
func TestWatcherShares(t *testing.T) {
	dir := t.TempDir()
	w := newWatcher(t)
	var stops []func()
	for i := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("%c.log", 'a'+i))
		logtailtest.Append(t, path, text(0, 1))
		var r logtailtest.Recorder
		src := newSource(t, Config{Path: path, Poll: time.Hour, Lookback: -1, Watcher: w})
		stops = append(stops, logtailtest.Start(t, src, &r))
		r.Wait(t, 1)
	}
	w.mu.Lock()
	n := len(w.byWD)
	w.mu.Unlock()
	if n != 1 {
		t.Errorf("watched directories: got %d, want 1", n)
	}
	for _, stop := range stops {
		stop()
	}
	if len(w.byWD)+len(w.dirs)+len(w.files) != 0 {
		t.Errorf("at the end: got %d directories and %d files watched, want none", len(w.dirs), len(w.files))
	}
}

// A directory that is removed and made again has another watch.
func TestWatcherDirectoryRemade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	path := filepath.Join(dir, "x.log")
	w := newWatcher(t)
	src := newSource(t, Config{Path: path, Poll: 5 * time.Millisecond, Lookback: -1, Watcher: w})
	var r logtailtest.Recorder
	logtailtest.Start(t, src, &r)
	for i := range 3 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		logtailtest.Append(t, path, text(i, 1))
		r.Wait(t, i+1)
		for src.Status().Wake != logtail.WakeInotify {
			// the next polls complete the watch
			time.Sleep(time.Millisecond)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatcherFallsBack(t *testing.T) {
	for name, open := range map[string]func() (*notifier, error){
		"no instance": func() (*notifier, error) { return nil, os.NewSyscallError("inotify_init1", syscall.EMFILE) },
		"no watch": func() (*notifier, error) {
			n, err := openNotifier()
			n.fd = -1 // to add a watch fails then, as it does without space for one
			return n, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuilder
			w := NewWatcher(slog.New(slog.NewTextHandler(&log, nil)))
			opened := 0
			w.open = func() (*notifier, error) { opened++; return open() }
			path := filepath.Join(t.TempDir(), "x.log")
			src := newSource(t, Config{Path: path, Poll: time.Millisecond, Lookback: -1, Watcher: w})
			var r logtailtest.Recorder
			stop := logtailtest.Start(t, src, &r)
			for i := range 10 {
				logtailtest.Append(t, path, text(i, 1))
				r.Wait(t, i+1)
			}
			if st := src.Status(); st.Wake != logtail.WakePoll || st.Error != "" {
				t.Errorf("status: got %+v, want it to poll without an error", st)
			}
			stop()
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "raise fs.inotify.max_user_") || opened != 1 {
				t.Errorf("got %d tries and %d warnings, want 1 in a minute, with advice:\n%s", opened, n, log.String())
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// When the kernel drops events, everyone looks.
func TestWatcherOverflow(t *testing.T) {
	events, inject, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer inject.Close()
	w := newWatcher(t)
	w.in = &notifier{fd: -1, file: events}
	w.wg.Go(func() { w.pump(w.in) })
	u := w.watch("/x")
	w.dirs["/"] = &dir{name: "/", users: map[*watch][]string{u: {"x"}}}
	overflow := binary.NativeEndian.AppendUint32(nil, math.MaxUint32) // wd -1
	overflow = binary.NativeEndian.AppendUint32(overflow, unix.IN_Q_OVERFLOW)
	if _, err := inject.Write(append(overflow, make([]byte, 8)...)); err != nil {
		t.Fatal(err)
	}
	<-u.c
}

// Where the instance breaks, everyone polls.
func TestWatcherBreaks(t *testing.T) {
	events, inject, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t)
	w.in = &notifier{fd: -1, file: events}
	u := w.watch("/x")
	u.live = true
	w.dirs["/"] = &dir{name: "/", users: map[*watch][]string{u: {"x"}}}
	w.wg.Go(func() { w.pump(w.in) })
	inject.Close() // the end of the file
	<-u.c
	if u.refresh() {
		t.Error("got a live watch, want none before inotify is tried again")
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00x.log\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
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

// A busy writer costs no more looks than the source wants.
func TestWatcherCoalesces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	logtailtest.Append(t, path, "")
	r := watched(t, newWatcher(t), path)
	r.Until(t, "the beginning", func() bool { return r.Position() != nil })
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	const long = 500 * time.Millisecond
	for end := time.Now().Add(long); time.Now().Before(end); {
		if _, err := f.WriteString("x\n"); err != nil {
			t.Fatal(err)
		}
	}
	looks := len(r.AllProgress())
	if most := 4 + int(long/maxRest) + 2; looks < 3 || looks > most {
		t.Errorf("looks in %s: got %d, want 3 to %d", long, looks, most)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	size, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Until(t, "the rest", func() bool { _, n := r.Passed(); return n == size.Size() })
}

// lockedBuilder is a strings.Builder that several goroutines may write to.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
