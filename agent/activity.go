package agent

import (
	"sync/atomic"
	"time"
)

// activity tells a source that waits for the receiver from one that is stuck.
type activity struct {
	waiting atomic.Bool
	last    atomic.Int64 // when something was handed over, in nanoseconds since 1970
}

// wait notes that the source waits until wait returns.
func (a *activity) wait(wait func()) {
	a.waiting.Store(true)
	wait()
	a.last.Store(time.Now().UnixNano())
	a.waiting.Store(false)
}

// progressed is when the source made progress last. A source that waits for room counts as
// making progress: a restart would not help it.
func (a *activity) progressed(now time.Time) time.Time {
	if a.waiting.Load() {
		return now
	}
	if last := a.last.Load(); last != 0 {
		return time.Unix(0, last)
	}
	return time.Time{}
}
