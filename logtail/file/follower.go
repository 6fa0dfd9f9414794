package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/watch"
)

const (
	// maxSteps bounds the files that one turn goes through, so that the loop's
	// owner hears of it even if a file is truncated all the time.
	maxSteps = 64
	// lateWriter is how long a file is still read after the path's new one has text: of
	// several writers one may be late. It must be well below pulls.join_window, or what
	// the new file says of a pull comes after what other logs say.
	lateWriter = 500 * time.Millisecond
	// maxBackoff is the longest wait after a file could not be opened.
	maxBackoff = 30 * time.Second
	// maxDrain is how much one step reads of a file. Then the path is looked at again: a
	// file may be written to as fast as it is read, and be rotated meanwhile.
	maxDrain = 16 << 20
	// quietTurns is after how many looks that found nothing the buffer is given back.
	quietTurns = 1
	// clockTick is the coarsest step in which file systems count time. Within it a
	// file may be truncated and filled to the same size without looking otherwise.
	clockTick = 2 * time.Second
)

// follower is one run of a [Source]. All of it belongs to one goroutine.
//
// Each turn looks at the path and does one of three things: it reads on in the
// current stream if the path still names it (follow); it drains the current
// stream and goes over to the one that comes next (leave); or, with no stream
// open, it looks for the place to begin (begin).
type follower struct {
	src   *Source
	cfg   *Config
	log   *slog.Logger
	out   logtail.Handler
	watch *watch.Path // nil = poll only

	pace pace

	cur   *stream // nil while there is nothing to read
	held  *stream // what the path named while cur was still read; nil if nothing else
	left  left    // what was current before
	lines *cutter // of cur
	more  bool    // the handler wants the next line whatever it is

	seen     info      // of cur when it was looked at last
	settled  bool      // seen is old enough for any later change to show
	moved    time.Time // since when the path has named another file with text; zero if it does not
	past     past      // what was read before cur
	unpacked []fileID  // compressed files that were read
	older    predecessors
	listed   []sibling // the rotated files that were there when the successor was looked for
	last     *info     // of the file read last, if cur is nil because it was removed
	start    *logtail.Position
	whole    bool // a file that appears now is read from its beginning
	gen      uint64
	backoff  time.Duration
	failure  string // what is wrong, as logged last
}

func newFollower(s *Source, h logtail.Handler) *follower {
	f := &follower{
		src: s, cfg: &s.cfg, log: s.cfg.Logger.With("source", s.cfg.Name),
		out: h, lines: newCutter(s.cfg.Block), start: s.start, pace: pace{poll: s.cfg.Poll},
	}
	if s.start != nil {
		f.gen = s.start.Generation
	}
	if s.cfg.Watcher != nil {
		f.watch = s.cfg.Watcher.Path(s.cfg.Root, s.cfg.Path, make(chan struct{}, 1))
	}
	s.update(func(st *logtail.Status) { st.State = logtail.StateWaiting })
	return f
}

// stop leaves things such that another run can go on.
func (f *follower) stop() {
	if f.cur != nil {
		pos := f.cur.pos(f.lines.off)
		f.start = &pos
		f.release()
	}
	f.letGo()
	f.closeLeft(nil)
	if f.watch != nil {
		f.watch.Close()
	}
	f.src.start = f.start
	f.src.update(func(st *logtail.Status) { st.State = logtail.StateStopped })
}

// release closes the current file.
func (f *follower) release() {
	if f.watch != nil {
		f.watch.Release()
	}
	f.cur.close()
	f.cur = nil
}

func (f *follower) wake() <-chan struct{} {
	if f.watch == nil {
		return nil
	}
	return f.watch.C()
}

// turn reads all that can be read now.
func (f *follower) turn(ctx context.Context, woken bool) {
	live := f.watch != nil && f.watch.Refresh()
	armed := live && f.watch.IsArmed()
	got := f.look(ctx)
	f.checkLeft()
	if live && !got && !armed && f.cur != nil && f.watch.Arm(f.cur.file) {
		got = f.look(ctx) // what came before it was armed
	}
	now := time.Now()
	f.pace.turned(now, live, got, woken, armed && f.watch.IsArmed())
	if f.pace.quiet > quietTurns {
		f.lines.release()
	}
	f.src.turned(f.behind(), f.pace.wake(), now)
}

// look reports whether anything was read.
func (f *follower) look(ctx context.Context) bool {
	gen, end := f.gen, f.lines.end()
	for range maxSteps {
		if ctx.Err() != nil || !f.step(ctx) {
			break
		}
	}
	return f.gen != gen || f.lines.end() != end
}

// delay is how long to wait for a wake-up.
func (f *follower) delay() time.Duration {
	now := time.Now()
	toLeave := f.moved.Add(f.grace()).Sub(now)
	switch {
	case f.backoff > 0:
		return f.backoff
	case toLeave > 0: // else it cannot be left yet, and is looked at as any other
		return toLeave
	case f.cur == nil || !f.settled:
		return f.pace.delay(now, 1)
	}
	return f.pace.delay(now, logtail.Stretch)
}

// step reports whether there may be more to do.
func (f *follower) step(ctx context.Context) bool {
	at, err := statPath(f.cfg.Root, f.cfg.Path)
	if f.cur == nil {
		// What is there is looked at anew then: it may have grown beyond at meanwhile.
		return f.begin(err)
	}
	if err == nil && at.id == f.cur.id {
		return f.follow(ctx, at)
	}
	return f.leave(ctx, err)
}

// follow reads on in the file that the path names.
func (f *follower) follow(ctx context.Context, at info) bool {
	f.moved = time.Time{}
	f.letGo()
	f.well()
	known := f.seen
	if at.size == known.size && at.mtime.Equal(known.mtime) && f.settled && f.lines.end() >= at.size {
		return false // as it was when read to its end
	}
	if at.size > 0 && len(f.cur.head) == 0 {
		if c := f.filled(f.cur.id, f.cur.born, f.cur.written); c != nil {
			return f.adopt(c)
		}
	}
	f.seen, f.settled = at, time.Since(at.mtime) > clockTick
	f.cur.wrote(at.mtime)
	if at.size >= f.lines.end() && f.drain(ctx) {
		return f.cur != nil && f.lines.end() < at.size
	}
	return f.truncated(known.size)
}

// leave reads the rest of a file that the path no longer names and goes over to
// the next.
func (f *follower) leave(ctx context.Context, pathErr error) bool {
	f.settled = false // the new file is not watched yet
	if ok, again := f.drainOld(ctx); !ok {
		return again
	}
	next, between, err := f.successor(f.cur.id, f.seen.mtime)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.complain(err)
	}
	next, between = f.orHeld(next, between)
	f.noteMoved(next)
	if !between && !f.mayLeaveFor(next) {
		f.hold(next)
		return f.abandon(pathErr)
	}
	// Once more: its writer may have been at work till now.
	if ok, again := f.drainOld(ctx); !ok {
		f.hold(next)
		return again
	}
	f.countPacked(f.seen, next, between)
	f.finish()
	if !between {
		f.older.setAll(f.listed)
	}
	return f.adopt(next)
}

// drainOld reads the rest of a file that the path no longer names. If it reports
// that the file is not at its end, it also reports whether to try again.
func (f *follower) drainOld(ctx context.Context) (ok, again bool) {
	known := f.seen.size
	old, err := f.cur.stat()
	if err != nil {
		return false, f.fail(err)
	}
	f.seen = old
	f.cur.wrote(old.mtime)
	if old.size < f.lines.end() || !f.drain(ctx) {
		return false, f.truncated(known)
	}
	if f.cur == nil || ctx.Err() != nil {
		return false, false
	}
	return f.lines.end() >= old.size, true
}

// noteMoved notes since when there has been another file with text.
func (f *follower) noteMoved(next *stream) {
	if next == nil || next.isEmpty() {
		f.moved = time.Time{}
	} else if f.moved.IsZero() {
		f.moved = time.Now()
	}
}

// mayLeaveFor reports whether the path's new file can be taken for a proof that
// nobody writes to the current one any more: it must have text, and some time must
// pass, since one of several writers may be late. next is nil if there is none.
func (f *follower) mayLeaveFor(next *stream) bool {
	if f.cur.copied {
		return next != nil
	}
	return !f.moved.IsZero() && time.Since(f.moved) >= f.grace()
}

// grace is how long a late writer is waited for.
func (f *follower) grace() time.Duration { return min(f.cfg.Poll, lateWriter) }

// abandon closes a file that has no successor with text. That is done only to one
// that was removed and has been quiet, since it takes disk space till then.
func (f *follower) abandon(pathErr error) bool {
	if !f.seen.isRemoved() || time.Since(f.cur.grown) < f.cfg.Poll {
		return false
	}
	f.finish()
	f.last = &f.seen
	f.release()
	if pathErr != nil {
		f.await(pathErr)
	}
	return pathErr == nil
}

// drain reads the current file to its end, or maxDrain of it. It reports false if that is
// no longer the file it was: what was read last then is not handed over.
func (f *follower) drain(ctx context.Context) bool {
	stop := f.lines.end() + maxDrain
	for unread := f.behind(); ctx.Err() == nil && f.lines.end() < stop; unread = int64(f.cfg.Block) {
		room := f.lines.room(unread)
		n, err := f.cur.file.Read(room)
		if err != nil && !errors.Is(err, io.EOF) {
			f.fail(err)
			return true
		}
		// Only after the read is it sure that what was read belongs to this head.
		if same, err := f.cur.intact(); err != nil {
			f.fail(err)
			return true
		} else if !same {
			return false
		}
		if n > 0 && n == len(room) && leadingNULs(room) == n {
			if err := f.skipHole(int64(n)); err != nil {
				f.fail(err)
				return true
			}
			continue
		}
		atEnd := n < len(room)
		if n > 0 && atEnd {
			f.cur.noteTail(room[:n], f.lines.end()+int64(n))
		}
		f.take(n)
		if atEnd {
			break
		}
		runtime.Gosched() // a backlog must not delay a line of another log
	}
	f.lines.idle()
	return true
}

// skipHole goes on behind a block of NUL bytes that was read, and behind the hole of a sparse
// file that it is part of. An unfinished line before it is not continued behind it.
func (f *follower) skipHole(nuls int64) error {
	end := f.lines.end()
	i, err := f.cur.stat()
	if err != nil {
		return err
	}
	next := max(dataFrom(f.cur.file, end+nuls, i.size), end+nuls)
	if _, err := f.cur.file.Seek(next, io.SeekStart); err != nil {
		return err
	}
	f.passRest()
	f.lines.skipNULs(next - f.lines.end())
	f.cur.noteTail(nil, next)
	f.cur.grown = time.Now()
	f.advance(logtail.Progress{}, f.lines.off, f.cur.grown)
	return nil
}

// take passes on n bytes that were read.
func (f *follower) take(n int) {
	if n == 0 {
		return
	}
	f.lines.add(n)
	f.cur.grown = time.Now()
	for p, ok := f.lines.next(); ok; p, ok = f.lines.next() {
		f.pass(p, f.cur.grown)
	}
}

// behind is how much of the current file is unread, as far as known.
func (f *follower) behind() int64 {
	if f.cur == nil {
		return 0
	}
	return f.seen.size - f.lines.end()
}
