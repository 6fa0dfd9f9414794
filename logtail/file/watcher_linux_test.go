package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
	"pullcause/logtail/watch"
)

// With a poll of an hour, what comes, comes through inotify.
func watched(t *testing.T, w *watch.Watcher, path string) *rig {
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
}

// A source that stops leaves no watch to the kernel.
func TestWatcherGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	logtailtest.Append(t, path, text(0, 1))
	src := newSource(t, Config{Path: path, Poll: time.Hour, Lookback: -1, Watcher: newWatcher(t)})
	var r logtailtest.Recorder
	stop := logtailtest.Start(t, src, &r)
	r.Wait(t, 1)
	for end := time.Now().Add(10 * time.Second); watches(t) != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("while it runs: got %d watches, want one on the directory and one on the file", watches(t))
		}
	}
	stop()
	if n := watches(t); n != 0 {
		t.Errorf("at the end: got %d watches, want none", n)
	}
}

// watches counts those of all inotify instances of the process.
func watches(t *testing.T) (n int) {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range infos {
		if info, err := os.ReadFile(name); err == nil {
			n += strings.Count(string(info), "inotify wd:")
		}
	}
	return n
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

// Without inotify a source polls, and does not take that for an error.
func TestWatcherFallsBack(t *testing.T) {
	w := newWatcher(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.log")
	src := newSource(t, Config{Path: path, Poll: time.Millisecond, Lookback: -1, Watcher: w})
	var r logtailtest.Recorder
	logtailtest.Start(t, src, &r)
	for i := range 10 {
		logtailtest.Append(t, path, text(i, 1))
		r.Wait(t, i+1)
	}
	if st := src.Status(); st.Wake != logtail.WakePoll || st.Error != "" {
		t.Errorf("status: got %+v, want it to poll without an error", st)
	}
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
