package agent

import (
	"context"
	"sync"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
)

// The bounds of an enrichQueue, beyond which the sources wait. Attempts carry their lines
// and errors, so their number alone bounds nothing.
const (
	maxWaiting      = 256
	maxWaitingBytes = 4 << 20
)

// enrichItem is an attempt whose facts are asked for before it is diagnosed, a pull in
// flight that is reported as stalled, or a pod that was deleted after the attempts before it.
type enrichItem struct {
	attempt *attempt.Attempt // nil for a pod
	facts   *enrich.Facts    // nil if they are not known yet
	gone    detect.Pod
	hold    *hold // the lines it came from
}

func (it *enrichItem) failed() bool {
	return it.attempt != nil && !it.attempt.Succeeded && !it.attempt.Unfinished
}

// size is about how many bytes of memory the item takes.
func (it *enrichItem) size() int {
	const fixed, host, pod = 512, 128, 128
	a := it.attempt
	if a == nil {
		return fixed
	}
	n := fixed + len(a.Lines) + pod*len(a.Pods)
	if a.Failure != nil {
		n += len(a.Failure.Text) + len(a.Failure.Leaf)
	}
	for i := range a.Hosts {
		n += host + len(a.Hosts[i].URL) + len(a.Hosts[i].Error)
	}
	return n
}

// enrichQueue keeps items in their order while facts are gathered about the first. push
// never blocks, since it is called with the pipeline's lock held: whoever reads a source
// calls wait before each signal.
type enrichQueue struct {
	mu    sync.Mutex
	items []enrichItem
	bytes int
	busy  bool          // the first one was taken and is not done
	fails int           // attempts that have failed, the one that was taken included
	taken bool          // it has failed
	more  chan struct{} // cap 1
	// admitted is closed when those who wait may go on.
	admitted chan struct{}
}

func newEnrichQueue() *enrichQueue {
	return &enrichQueue{more: make(chan struct{}, 1), admitted: make(chan struct{})}
}

func (q *enrichQueue) push(it enrichItem) {
	q.mu.Lock()
	q.items = append(q.items, it)
	q.bytes += it.size()
	if it.failed() {
		q.fails++
	}
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// anyFailed reports whether an attempt that has failed is queued or at work.
func (q *enrichQueue) anyFailed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fails > 0
}

// idle reports whether nothing is queued or at work.
func (q *enrichQueue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0 && !q.busy
}

// next takes the first item, once there is one; ok is false when ctx has ended.
func (q *enrichQueue) next(ctx context.Context) (it enrichItem, ok bool) {
	for ctx.Err() == nil {
		if it, ok := q.take(); ok {
			return it, true
		}
		select {
		case <-q.more:
		case <-ctx.Done():
		}
	}
	return enrichItem{}, false
}

// take takes the first item, if there is one; ok is false if not. The one taken before
// is done.
func (q *enrichQueue) take() (it enrichItem, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken {
		q.fails--
	}
	q.busy, q.taken = len(q.items) > 0, false
	if !q.busy {
		q.items = nil
		return enrichItem{}, false
	}
	wasFull := q.full()
	it = q.items[0]
	q.taken = it.failed()
	q.bytes -= it.size()
	q.items[0] = enrichItem{}
	q.items = q.items[1:]
	if wasFull && !q.full() {
		close(q.admitted)
		q.admitted = make(chan struct{})
	}
	return it, true
}

// full reports whether sources should wait; the caller holds mu.
func (q *enrichQueue) full() bool { return len(q.items) >= maxWaiting || q.bytes >= maxWaitingBytes }

// wait waits while the queue is full, or until ctx ends. Once there is room all that wait are
// admitted, for one signal each: a source that reads a flood waits again before its next one
// and cannot keep out the others.
func (q *enrichQueue) wait(ctx context.Context) {
	q.mu.Lock()
	if !q.full() {
		q.mu.Unlock()
		return
	}
	admitted := q.admitted
	q.mu.Unlock()
	select {
	case <-admitted:
	case <-ctx.Done():
	}
}
