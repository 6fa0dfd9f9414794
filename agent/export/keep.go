package export

import (
	"context"
	"log/slog"
	"time"
)

// Store keeps records on disk, the oldest first. One goroutine appends, another reads.
type Store interface {
	// Append stores records, all or none. When it returns nil they survive a crash. The
	// receiver has the first of them already: so many count as given by Next. Where others
	// wait before them, which happens if the store was away, they may come again although
	// they are acknowledged.
	Append(records []Record, given int) error
	// Next appends to batch the oldest records, up to both limits but at least one, if
	// there are any. It gives the same again until they are acknowledged.
	Next(records int, bytes int64, batch []Record) []Record
	// Ack forgets the first n records that were given, as far as they are still there.
	Ack(n int)
	// Waiting reports whether there are records, also where Next can give none for lack
	// of memory or file descriptors.
	Waiting() bool
}

// When records that the receiver has not taken are stored. Nearly all are taken at once and
// never touch the disk: until then a restart reads their lines again.
const (
	keepAfter     = 2 * time.Second        // where the receiver is slow
	keepAfterAway = 100 * time.Millisecond // where it is away; a few share one sync
	keepAgain     = 5 * time.Second        // after the store has failed
)

// keep moves what waits in memory to the store until ctx ends.
func (e *Exporter) keep(ctx context.Context) {
	defer close(e.kept)
	timer := time.NewTimer(keepAgain)
	defer timer.Stop()
	for {
		if due, ok := e.keepDue(); ok {
			timer.Reset(time.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-e.closing:
			return
		case <-e.keepWake:
		case <-timer.C:
			if due, ok := e.keepDue(); ok && !time.Now().Before(due) {
				e.store()
			}
		}
	}
}

// keepDue is when the oldest record in memory is to be stored; ok is false if there is
// none.
func (e *Exporter) keepDue() (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue.items) == 0 {
		return at, false
	}
	after := keepAfter
	switch {
	case e.queue.fuller(e.cfg.MaxRecords/2, e.cfg.MaxBytes/2):
		after = 0
	case e.state.away():
		after = keepAfterAway
	}
	at = e.queue.items[0].at.Add(after)
	if e.keepFailed.After(at) {
		at = e.keepFailed
	}
	return at, true
}

// maxStoreBytes bounds the records of one Append, which are encoded together in memory.
const maxStoreBytes = 1 << 20

// store appends the oldest records in memory to the store, all that the sink has among
// them. Those go on, and count as given by the store, which the sink's verdict then settles.
func (e *Exporter) store() {
	e.handing <- struct{}{}
	defer func() { <-e.handing }()
	e.mu.Lock()
	items, inflight := e.queue.oldest(maxStoreBytes), e.queue.inflight
	e.keeping = len(items) > 0
	e.mu.Unlock()
	if len(items) == 0 {
		return
	}
	if err := e.cfg.Store.Append(recordsOf(items), inflight); err != nil {
		e.keptNothing(err)
		return
	}
	e.finishKeeping(items, inflight)
}

// finishKeeping takes the stored items out of memory. Those that were in flight are not
// there any more if the receiver has settled them meanwhile.
func (e *Exporter) finishKeeping(items []*item, inflight int) {
	e.mu.Lock()
	settled := 0
	if !e.queue.beginsWith(items[0]) {
		settled = inflight
	}
	stored := e.queue.remove(0, len(items)-settled)
	if e.queue.inflight > 0 {
		e.queue.inflight, e.fromStore = 0, true
	}
	back := e.keepError != ""
	e.keepError, e.keepFailed = "", time.Time{}
	e.keeping = false
	e.openRoom()
	e.mu.Unlock()
	if settled > 0 {
		e.cfg.Store.Ack(settled)
	}
	for _, it := range stored {
		it.settle(true)
	}
	if back {
		e.cfg.Log.Info("records are stored again")
	}
}

// keptNothing notes that the store has failed.
func (e *Exporter) keptNothing(err error) {
	e.mu.Lock()
	first := e.keepError == ""
	e.keepError, e.keepFailed = err.Error(), time.Now().Add(keepAgain)
	dropped := e.queue.shrink(e.cfg.MaxRecords, e.cfg.MaxBytes)
	e.keeping = false
	e.openRoom()
	e.mu.Unlock()
	e.finish(QueueFull, dropped)
	if first {
		e.cfg.Log.Error("records cannot be stored; they wait in memory", slog.Any("error", err))
	}
}

// keepRest stores what is left when the exporter ends. It returns what could not be stored.
func (e *Exporter) keepRest(rest []*item) []*item {
	if e.cfg.Store == nil {
		return rest
	}
	for len(rest) > 0 {
		some := rest[:fitting(rest, 0, maxStoreBytes)]
		if err := e.cfg.Store.Append(recordsOf(some), 0); err != nil {
			e.cfg.Log.Error("records cannot be stored", slog.Any("error", err))
			return rest
		}
		for _, it := range some {
			it.settle(true)
		}
		rest = rest[len(some):]
	}
	return nil
}

// pokeKeeper tells the keeper that something may be due sooner.
func (e *Exporter) pokeKeeper() {
	select {
	case e.keepWake <- struct{}{}:
	default:
	}
}
