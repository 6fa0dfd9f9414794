package watch

import (
	"os"
	"path/filepath"
	"slices"

	"pullcause/logtail/hostroot"
)

// Path is what one source has of a [Watcher]: wake-ups for a path, through all
// symlinks on the way to it, and for the file that it reads.
//
// Names in the last directory, and where a symlink points to, count by their
// beginning, so that rotated files do too: the path "/d/system" also hears of
// "/d/system.journal" and "/d/system@x.journal" as they come, go or are renamed.
// Nothing needs to exist under the name itself. What is written to a file is told
// only while that is armed.
type Path struct {
	w    *Watcher
	root hostroot.Root
	path string
	c    chan struct{} // holds one wake-up

	// Guarded by w.mu:
	live  bool  // all directories are watched
	armed bool  // the file is watched, and has not changed since
	wd    int32 // of the file, if armed
}

// Path returns what a source needs for a path, which must be absolute; its symlinks are
// followed below root. Wake-ups go to c, which must have a capacity of one; several paths
// may share it. It watches nothing before [Path.Refresh], and needs to be closed.
func (w *Watcher) Path(root hostroot.Root, path string, c chan struct{}) *Path {
	return &Path{w: w, root: root, path: path, c: c}
}

// C delivers the wake-ups: look again, then call [Path.Refresh]. Those that nobody
// has taken yet become one.
func (p *Path) C() <-chan struct{} { return p.c }

func (p *Path) wake() {
	select {
	case p.c <- struct{}{}:
	default:
	}
}

// Refresh completes the watches on directories if something lacks. It reports
// whether events come; if not, only polling finds what is new. Call it at each look.
func (p *Path) Refresh() bool {
	p.w.mu.Lock()
	live := p.live
	p.w.mu.Unlock()
	return live || p.Renew()
}

// Renew watches the directories that the path goes through now, and no others: for
// when it names another file than before. It reports the same as [Path.Refresh].
func (p *Path) Renew() bool {
	wanted, live := Lookups(p.root, p.path)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.notifier() == nil {
		return false
	}
	for name, names := range wanted {
		if !p.w.use(name, names, p) {
			live = false
		}
	}
	p.w.release(p, wanted)
	p.live = live
	return live
}

// IsArmed reports whether the file is watched and has not changed since.
func (p *Path) IsArmed() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.armed
}

// Arm asks for a wake-up when a file changes, once, in place of what was armed
// before. What was written to it before must be looked for after this call. It
// reports false if only polling will find the change. Writing to mapped memory is no
// change that the kernel tells of, so who writes like that, as journald does, must
// announce it by a truncate, be it to the same size.
func (p *Path) Arm(f *os.File) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.in == nil {
		return false
	}
	p.disarm()
	wd, err := p.w.in.addFile(f)
	if err != nil {
		return false // the poll goes on, and tries again
	}
	p.armed, p.wd = true, wd
	p.w.files[wd] = append(p.w.files[wd], p)
	return true
}

// disarm ends the watch on the file. The caller holds w.mu.
func (p *Path) disarm() {
	if !p.armed {
		return
	}
	p.armed = false
	rest := slices.DeleteFunc(p.w.files[p.wd], func(q *Path) bool { return q == p })
	if len(rest) > 0 {
		p.w.files[p.wd] = rest
		return
	}
	delete(p.w.files, p.wd)
	p.w.remove(p.wd)
}

// Release disarms the watch on a file that is no longer read.
func (p *Path) Release() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.disarm()
}

// Close ends all watches of this source and leaves those of others.
func (p *Path) Close() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.disarm()
	p.w.release(p, nil)
}

// Lookups lists the directories that opening a path looks into, for the path
// itself and for what it points to if it is a symlink, with the names to look for.
// It reports false if a directory is missing. Rotated files are in the same ones.
func Lookups(root hostroot.Root, path string) (map[string][]string, bool) {
	dirs := make(map[string][]string)
	for range maxLinks {
		real, err := root.Resolve(filepath.Dir(path))
		if err != nil {
			return dirs, false
		}
		dirs[real] = append(dirs[real], filepath.Base(path))
		target, err := root.Readlink(filepath.Join(real, filepath.Base(path)))
		if err != nil {
			return dirs, true
		}
		path = target
	}
	return dirs, false
}

// maxLinks is how many symlinks a path may go through.
const maxLinks = 40
