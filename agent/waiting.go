package agent

import (
	"context"
	"sync"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// maxWaiting is how many attempts may wait for their facts before sources are held up.
// Each has its lines in memory.
const maxWaiting = 256

// waiter is an attempt that waits for its facts, or a pod that was deleted after it.
type waiter struct {
	attempt *attempt.Attempt // nil for a pod
	gone    detect.Pod
	hold    *hold // the lines it came from
}

func (it *waiter) failed() bool { return it.attempt != nil && !it.attempt.Succeeded }

// waiting keeps attempts in their order while facts are gathered about the first. It
// has no bound of its own: what fills it is held up before, see wait.
type waiting struct {
	mu    sync.Mutex
	items []waiter
	busy  bool          // the first one was taken and is not done
	fails int           // attempts that have failed, the one that was taken included
	taken bool          // it has failed
	more  chan struct{} // cap 1
	room  chan struct{} // closed when wait should look again
}

func newWaiting() *waiting {
	return &waiting{more: make(chan struct{}, 1), room: make(chan struct{})}
}

func (w *waiting) push(it waiter) {
	w.mu.Lock()
	w.items = append(w.items, it)
	if it.failed() {
		w.fails++
	}
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// anyFailed reports whether an attempt waits, or is being looked at, that has failed.
func (w *waiting) anyFailed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fails > 0
}

// idle reports whether nothing waits.
func (w *waiting) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.items) == 0 && !w.busy
}

// next takes the first item, once there is one; ok is false when ctx has ended.
func (w *waiting) next(ctx context.Context) (it waiter, ok bool) {
	for ctx.Err() == nil {
		if it, ok := w.take(); ok {
			return it, true
		}
		select {
		case <-w.more:
		case <-ctx.Done():
		}
	}
	return waiter{}, false
}

// take takes the first item, if there is one; ok is false if not. The one taken before
// is done.
func (w *waiting) take() (it waiter, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken {
		w.fails--
	}
	w.busy, w.taken = len(w.items) > 0, false
	if !w.busy {
		w.items = nil
		return waiter{}, false
	}
	it = w.items[0]
	w.taken = it.failed()
	w.items[0] = waiter{}
	w.items = w.items[1:]
	if len(w.items) == maxWaiting-1 {
		close(w.room)
		w.room = make(chan struct{})
	}
	return it, true
}

// wait waits while too much waits, or until ctx ends.
func (w *waiting) wait(ctx context.Context) {
	for {
		w.mu.Lock()
		full, room := len(w.items) >= maxWaiting, w.room
		w.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-room:
		case <-ctx.Done():
			return
		}
	}
}
