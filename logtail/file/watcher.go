package file

import (
	"errors"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
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

// Watcher makes new text known at once. One serves all sources of a process, since
// the kernel allows few inotify instances. Where inotify is not to be had the
// sources poll, and it tries again later.
//
// Two kinds of watch work together. One on a directory tells of rotations and lasts.
// One on the file that is being read tells of the first change only; its source then
// looks by itself until nothing comes any more, and arms the watch again. So however
// much is written, there are no more wake-ups than the source wants.
type Watcher struct {
	log  *slog.Logger
	open func() (*notifier, error)
	wg   sync.WaitGroup

	mu     sync.Mutex // guards all that follows, and the fields of dir and watch
	in     *notifier
	retry  time.Time // when to try again
	dirs   map[string]*dir
	byWD   map[int32]*dir
	files  map[int32][]*watch // armed
	closed bool
}

// dir is a watched directory, free of symlinks.
type dir struct {
	name  string
	wd    int32
	id    fileID
	users map[*watch][]string // the names in it that each one cares for
}

// NewWatcher returns a watcher that needs to be closed. It takes an inotify
// instance when the first source runs. log may be nil.
func NewWatcher(log *slog.Logger) *Watcher {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		log: log, open: openNotifier,
		dirs: make(map[string]*dir), byWD: make(map[int32]*dir), files: make(map[int32][]*watch),
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
	for _, d := range w.dirs {
		w.forget(d)
	}
	clear(w.files)
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
	for _, d := range w.dirs {
		w.forget(d)
	}
	clear(w.files)
}

func (w *Watcher) deliver(events iter.Seq[event]) {
	for e := range events {
		switch d := w.byWD[e.wd]; {
		case e.overflow:
			w.wakeAll()
		case d == nil:
			for _, u := range w.files[e.wd] {
				u.armed = false
				u.wake()
			}
			delete(w.files, e.wd)
		case e.gone:
			w.in.remove(d.wd)
			w.forget(d)
		default:
			for u, names := range d.users {
				if concerns(e.name, names) {
					u.wake()
				}
			}
		}
	}
}

// concerns reports whether a name is one of those, or is made of one of them. An
// empty one is that of the directory itself.
func concerns(name string, names []string) bool {
	for _, n := range names {
		if name == "" || strings.HasPrefix(name, n) {
			return true
		}
	}
	return false
}

func (w *Watcher) wakeAll() {
	for _, d := range w.dirs {
		for u := range d.users {
			u.wake()
		}
	}
}

// forget drops a directory: its users look for it anew.
func (w *Watcher) forget(d *dir) {
	delete(w.dirs, d.name)
	delete(w.byWD, d.wd)
	for u := range d.users {
		u.live = false
		u.wake()
	}
}

// use makes u a user of a directory. It reports whether that is watched.
func (w *Watcher) use(name string, names []string, u *watch) bool {
	at, err := statPath(name)
	if err != nil {
		return false
	}
	d := w.dirs[name]
	if d != nil && d.id != at.id { // another one took its place
		w.in.remove(d.wd)
		w.forget(d)
		d = nil
	}
	if d == nil {
		if d = w.addDir(name, at.id); d == nil {
			return false
		}
	}
	d.users[u] = names
	return true
}

func (w *Watcher) addDir(name string, id fileID) *dir {
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
	d := &dir{name: name, wd: wd, id: id, users: make(map[*watch][]string)}
	w.dirs[name], w.byWD[wd] = d, d
	return d
}

// release ends the use of all directories but those to keep.
func (w *Watcher) release(u *watch, keep map[string][]string) {
	for name, d := range w.dirs {
		if _, ok := keep[name]; ok {
			continue
		}
		delete(d.users, u)
		if len(d.users) == 0 {
			w.in.remove(d.wd)
			w.forget(d)
		}
	}
}

// lookups lists the directories that opening a path looks into, for the path
// itself and for what it points to if it is a symlink, with the names to look for.
// It reports false if a directory is missing.
func lookups(path string) (map[string][]string, bool) {
	dirs := make(map[string][]string)
	for range maxLinks {
		real, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return dirs, false
		}
		dirs[real] = append(dirs[real], filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil {
			return dirs, true
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(real, target)
		}
		path = target
	}
	return dirs, false
}

// maxLinks is how many symlinks a path may go through.
const maxLinks = 40
