// Package watch makes changes of files known at once: one inotify instance for all
// sources of a process, since the kernel allows few. Start at [New]; each source
// takes a [Path] from the [Watcher] for what it reads.
//
// A wake-up only says that it is worth a look. Nothing may depend on it: where
// inotify is not to be had, or tells of nothing, the sources poll.
package watch

import (
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// retryAfter is how long to poll before inotify is tried again.
	retryAfter = time.Minute
	// eventBuffer is how many bytes of events are read at once.
	eventBuffer = 16 << 10
)

// Watcher is the inotify instance of a process, and what its sources want of it.
// Where inotify is not to be had the sources poll, and it tries again later.
//
// Two kinds of watch work together. One on a directory tells of rotations and lasts.
// One on the file that is being read tells of the first change only; its source then
// looks by itself until nothing comes any more, and arms the watch again. So however
// much is written, there are no more wake-ups than the source wants.
type Watcher struct {
	log  *slog.Logger
	open func() (*notifier, error)
	wg   sync.WaitGroup

	mu     sync.Mutex // guards all that follows, and the fields of dir and Path
	in     *notifier
	retry  time.Time // when to try again
	dirs   map[string]*dir
	byWD   map[int32][]*dir
	files  map[int32][]*Path // armed
	closed bool
}

// dir is a watched directory, free of symlinks. One that is mounted twice is two, with
// one watch.
type dir struct {
	name  string
	wd    int32
	at    fs.FileInfo        // to tell when another one takes its place
	users map[*Path][]string // the names in it that each one cares for
}

// New returns a watcher that needs to be closed. It takes an inotify
// instance when the first source runs. log may be nil.
func New(log *slog.Logger) *Watcher {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		log: log, open: openNotifier,
		dirs: make(map[string]*dir), byWD: make(map[int32][]*dir), files: make(map[int32][]*Path),
	}
}

// Close frees the inotify instance and waits for the goroutine. Sources that
// still run poll from then on.
func (w *Watcher) Close() error {
	w.mu.Lock()
	w.closed = true
	var err error
	if w.in != nil {
		err = w.in.close()
		w.in = nil
	}
	w.reset()
	w.mu.Unlock()
	w.wg.Wait()
	return err
}

// notifier returns the inotify instance, making it if need be; nil to poll. The
// caller holds mu, as with all that follows in this file but pump.
func (w *Watcher) notifier() *notifier {
	if w.in != nil || w.closed || time.Now().Before(w.retry) {
		return w.in
	}
	in, err := w.open()
	if err != nil {
		w.failed("no inotify instance; if too many files are open, raise fs.inotify.max_user_instances", err)
		return nil
	}
	w.in = in
	w.wg.Go(func() { w.pump(in) })
	return in
}

// failed says why there is only polling and puts off the next try.
func (w *Watcher) failed(why string, err error) {
	w.log.Warn("polling instead of inotify", "reason", why, "error", err, "retry_after", retryAfter)
	w.retry = time.Now().Add(retryAfter)
}

// pump delivers events until the instance is closed.
func (w *Watcher) pump(in *notifier) {
	buf := make([]byte, eventBuffer)
	for {
		events, err := in.read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		w.mu.Lock()
		if err != nil {
			w.abandon(in, err)
			w.mu.Unlock()
			return
		}
		w.deliver(events)
		w.mu.Unlock()
	}
}

// abandon is for an instance that cannot be read.
func (w *Watcher) abandon(in *notifier, err error) {
	w.failed("cannot read inotify events", errors.Join(err, in.close()))
	w.in = nil
	w.reset()
}

func (w *Watcher) deliver(events iter.Seq[event]) {
	for e := range events {
		switch dirs := w.byWD[e.wd]; {
		case e.overflow:
			w.reset()
		case len(dirs) == 0:
			w.fire(e.wd)
		case e.gone:
			for _, d := range slices.Clone(dirs) {
				w.drop(d)
			}
		default:
			for _, d := range dirs {
				d.changed(e.name)
			}
		}
	}
}

// changed wakes those who care for a name in the directory.
func (d *dir) changed(name string) {
	for u, names := range d.users {
		if concerns(name, names) {
			u.wake()
		}
	}
}

// concerns reports whether a name begins with one of those. An empty one is that of
// the directory itself.
func concerns(name string, names []string) bool {
	for _, n := range names {
		if name == "" || strings.HasPrefix(name, n) {
			return true
		}
	}
	return false
}

// fire is for a watched file that has changed: its watch is over.
func (w *Watcher) fire(wd int32) {
	for _, u := range w.files[wd] {
		u.armed = false
		u.wake()
	}
	delete(w.files, wd)
}

// reset ends all watches, be it that the instance is gone or that it dropped events,
// the last ones of some watches among them. All users look, and watch anew.
func (w *Watcher) reset() {
	for _, d := range w.dirs {
		w.drop(d)
	}
	for wd := range w.files {
		w.remove(wd)
		w.fire(wd)
	}
}

// remove ends a watch, unless it ended with the instance.
func (w *Watcher) remove(wd int32) {
	if w.in != nil {
		w.in.remove(wd)
	}
}

// drop ends the watch on a directory: its users look for it anew.
func (w *Watcher) drop(d *dir) {
	delete(w.dirs, d.name)
	w.byWD[d.wd] = slices.DeleteFunc(w.byWD[d.wd], func(other *dir) bool { return other == d })
	if len(w.byWD[d.wd]) == 0 {
		delete(w.byWD, d.wd)
		w.remove(d.wd)
	}
	for u := range d.users {
		u.live = false
		u.wake()
	}
}

// use makes u a user of a directory. It reports whether that is watched.
func (w *Watcher) use(name string, names []string, u *Path) bool {
	at, err := os.Stat(name)
	if err != nil {
		return false
	}
	d := w.dirs[name]
	if d != nil && !os.SameFile(d.at, at) { // another one took its place
		w.drop(d)
		d = nil
	}
	if d == nil {
		if d = w.addDir(name, at); d == nil {
			return false
		}
	}
	d.users[u] = names
	return true
}

func (w *Watcher) addDir(name string, at fs.FileInfo) *dir {
	if time.Now().Before(w.retry) {
		return nil
	}
	wd, err := w.in.addDir(name)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			w.failed("cannot watch "+name+"; if no space is left, raise fs.inotify.max_user_watches", err)
		}
		return nil
	}
	d := &dir{name: name, wd: wd, at: at, users: make(map[*Path][]string)}
	w.dirs[name], w.byWD[wd] = d, append(w.byWD[wd], d)
	return d
}

// release ends the use of all directories but those to keep.
func (w *Watcher) release(u *Path, keep map[string][]string) {
	for name, d := range w.dirs {
		if _, ok := keep[name]; ok {
			continue
		}
		delete(d.users, u)
		if len(d.users) == 0 {
			w.drop(d)
		}
	}
}
