// Package logtailtest is for tests of and with log sources: a [Recorder] that
// takes what a source reads and waits for it, a [Source] that yields what a test
// writes, named rotations of files, and [Suite], which every source must pass.
package logtailtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"pullcause/logtail"
)

// patience is how long a Recorder waits for what a test expects. It only shortens
// failures; nothing takes this long.
const patience = 10 * time.Second

// Recorder is a handler that keeps all it is told. The zero Recorder is ready.
type Recorder struct {
	// More, if set, answers Handle. It is called with a body of its own.
	More func(logtail.Record) bool

	mu       sync.Mutex
	changed  chan struct{} // closed at the next change
	records  []logtail.Record
	progress []logtail.Progress
	losses   []logtail.Loss
}

var _ logtail.Handler = (*Recorder)(nil)

// Handle implements [logtail.Handler].
func (r *Recorder) Handle(rec logtail.Record) bool {
	rec.Body = slices.Clone(rec.Body)
	r.change(func() { r.records = append(r.records, rec) })
	return r.More != nil && r.More(rec)
}

// Progress implements [logtail.Handler].
func (r *Recorder) Progress(p logtail.Progress) {
	r.change(func() { r.progress = append(r.progress, p) })
}

// Lost implements [logtail.Handler].
func (r *Recorder) Lost(l logtail.Loss) {
	r.change(func() { r.losses = append(r.losses, l) })
}

func (r *Recorder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// Until waits until ok holds and fails the test if it never does.
func (r *Recorder) Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("waited %s for %s; got %d records, the last ones: %q", patience, what, len(r.Records()), tail(r.Lines()))
		}
	}
}

func tail(lines []string) []string {
	return lines[max(0, len(lines)-5):]
}

// Wait waits for n records and returns the bodies of all.
func (r *Recorder) Wait(t testing.TB, n int) []string {
	t.Helper()
	r.Until(t, "records", func() bool { return r.Len() >= n })
	return r.Lines()
}

// WaitLost waits for a loss for the given reason.
func (r *Recorder) WaitLost(t testing.TB, reason string) {
	t.Helper()
	r.Until(t, "the loss "+reason, func() bool { return r.Loss(reason).Count > 0 })
}

// Len is the number of records.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.records)
}

// Records returns all records.
func (r *Recorder) Records() []logtail.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.records)
}

// Lines returns the bodies of all records.
func (r *Recorder) Lines() []string {
	var lines []string
	for _, rec := range r.Records() {
		lines = append(lines, string(rec.Body))
	}
	return lines
}

// Position returns the last one reported, nil if there was none.
func (r *Recorder) Position() *logtail.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.progress) == 0 {
		return nil
	}
	return new(r.progress[len(r.progress)-1].Pos)
}

// Passed returns the sums of all progress.
func (r *Recorder) Passed() (lines, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.progress {
		lines += p.Lines
		bytes += p.Bytes
	}
	return lines, bytes
}

// AllProgress returns all progress.
func (r *Recorder) AllProgress() []logtail.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.progress)
}

// Loss returns the sum of all losses for a reason.
func (r *Recorder) Loss(reason string) logtail.Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := logtail.Loss{Reason: reason}
	for _, l := range r.losses {
		if l.Reason == reason {
			sum.Source, sum.Detail = l.Source, l.Detail
			sum.Count += l.Count
			sum.Bytes += l.Bytes
		}
	}
	return sum
}

// Losses returns all losses.
func (r *Recorder) Losses() []logtail.Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.losses)
}

// Start runs a source until stop is called or the test ends. stop waits for Run to
// return and fails the test if that was with an error.
func Start(t testing.TB, s logtail.Source, h logtail.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run of %s: got error %v, want nil after the context ended", s.Name(), err)
		}
	})
	t.Cleanup(stop)
	return stop
}
