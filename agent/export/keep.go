package export

import (
	"context"
	"log/slog"
	"math"
	"time"
)

// Store keeps records on disk, the oldest first. One goroutine appends, another reads.
type Store interface {
	// Append stores records, all or none. When it returns nil they survive a crash.
	Append(records []Record) error
	// Next appends to batch the oldest records, up to both limits but at least one, if
	// there are any. It gives the same again until they are acknowledged.
	Next(records int, bytes int64, batch []Record) []Record
	// Ack forgets the first n records that Next gave.
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

// flight is the batch that the sink has.
type flight struct {
	n int
	// stored is set if it is the beginning of the store; moved if it was given from
	// memory and has become that since.
	stored, moved bool
}

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

// store appends all that is in memory to the store. What the sink has of it goes on; its
// verdict then settles the beginning of the store, which was empty before: the
// sink is given nothing from memory while the store has something.
func (e *Exporter) store() {
	e.mu.Lock()
	items := e.queue.all()
	e.keeping, e.settledMeanwhile = len(items) > 0, 0
	e.mu.Unlock()
	if len(items) == 0 {
		return
	}
	records := make([]Record, len(items))
	for i, it := range items {
		records[i] = it.record
	}
	e.finishKeeping(items, e.cfg.Store.Append(records))
}

// finishKeeping takes the stored items out of memory, or leaves them there after an error.
// Until it is done the sender lifts nothing.
func (e *Exporter) finishKeeping(items []*item, err error) {
	if err != nil {
		e.keptNothing(err)
		return
	}
	e.mu.Lock()
	gone := e.settledMeanwhile
	stored := e.queue.remove(0, len(items)-gone)
	if e.queue.inflight > 0 {
		e.queue.inflight = 0
		e.flight.stored, e.flight.moved = true, true
	}
	e.mu.Unlock()
	if gone > 0 {
		e.ackMoved(gone)
	}
	e.mu.Lock()
	back := e.keepError != ""
	e.keepError, e.keepFailed = "", time.Time{}
	e.endKeeping()
	e.mu.Unlock()
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
	e.endKeeping()
	e.mu.Unlock()
	e.finish(QueueFull, dropped)
	if first {
		e.cfg.Log.Error("records cannot be stored; they wait in memory", slog.Any("error", err))
	}
}

// endKeeping lets the sender go on; the caller holds mu.
func (e *Exporter) endKeeping() {
	e.keeping = false
	e.moves++
	e.openRoom()
	e.poke()
}

// ackMoved acknowledges the first n records of the store, which it has not given: the
// receiver has them from memory. Those that the store cannot give now are owed to it;
// ackMoved(0) tries again, and reports whether nothing is. The keeper and the sender
// never call it at the same time: the keeper only for a batch that has landed since it
// began, after which the sender lifts nothing until it is done.
func (e *Exporter) ackMoved(n int) (paid bool) {
	e.mu.Lock()
	owed := e.owed + n
	e.mu.Unlock()
	if owed == 0 {
		return true
	}
	given := e.cfg.Store.Next(owed, math.MaxInt64, nil)
	e.cfg.Store.Ack(len(given))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owed = owed - len(given)
	return e.owed == 0
}

// keepRest stores what is left when the exporter ends. It returns what could not be.
func (e *Exporter) keepRest(rest []*item) []*item {
	if e.cfg.Store == nil || len(rest) == 0 {
		return rest
	}
	records := make([]Record, len(rest))
	for i, it := range rest {
		records[i] = it.record
	}
	if err := e.cfg.Store.Append(records); err != nil {
		e.cfg.Log.Error("records cannot be stored", slog.Any("error", err))
		return rest
	}
	for _, it := range rest {
		it.settle(true)
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
