package file

import (
	"os"
	"slices"
)

// watch is what one source has of a [Watcher].
type watch struct {
	w    *Watcher
	path string
	c    chan struct{} // holds one wake-up

	// Guarded by w.mu:
	live  bool  // all directories are watched
	armed bool  // the file is watched, and has not changed since
	wd    int32 // of the file, if armed
}

func (w *Watcher) watch(path string) *watch {
	return &watch{w: w, path: path, c: make(chan struct{}, 1)}
}

func (u *watch) wake() {
	select {
	case u.c <- struct{}{}:
	default:
	}
}

// refresh completes the watch if something lacks. It reports whether events come.
func (u *watch) refresh() bool {
	u.w.mu.Lock()
	live := u.live
	u.w.mu.Unlock()
	return live || u.renew()
}

// renew watches the directories that the path goes through now, and no others.
// It reports whether all of them could be watched.
func (u *watch) renew() bool {
	wanted, live := lookups(u.path)
	u.w.mu.Lock()
	defer u.w.mu.Unlock()
	if u.w.notifier() == nil {
		return false
	}
	for name, names := range wanted {
		if !u.w.use(name, names, u) {
			live = false
		}
	}
	u.w.release(u, wanted)
	u.live = live
	return live
}

// isArmed reports whether the file is watched and has not changed since.
func (u *watch) isArmed() bool {
	u.w.mu.Lock()
	defer u.w.mu.Unlock()
	return u.armed
}

// arm asks for a wake-up when a file changes, once. What was written to it before
// must be looked for after this call.
func (u *watch) arm(f *os.File) bool {
	u.w.mu.Lock()
	defer u.w.mu.Unlock()
	if u.w.in == nil {
		return false
	}
	u.disarm()
	wd, err := u.w.in.addFile(f)
	if err != nil {
		return false // the poll goes on, and tries again
	}
	u.armed, u.wd = true, wd
	u.w.files[wd] = append(u.w.files[wd], u)
	return true
}

// disarm ends the watch on the file. The caller holds w.mu.
func (u *watch) disarm() {
	if !u.armed {
		return
	}
	u.armed = false
	rest := slices.DeleteFunc(u.w.files[u.wd], func(v *watch) bool { return v == u })
	if len(rest) > 0 {
		u.w.files[u.wd] = rest
		return
	}
	delete(u.w.files, u.wd)
	if u.w.in != nil {
		u.w.in.remove(u.wd)
	}
}

// release disarms the watch on a file that is no longer read.
func (u *watch) release() {
	u.w.mu.Lock()
	defer u.w.mu.Unlock()
	u.disarm()
}

func (u *watch) close() {
	u.w.mu.Lock()
	defer u.w.mu.Unlock()
	u.disarm()
	u.w.release(u, nil)
}
