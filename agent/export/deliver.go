package export

import (
	"context"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"time"
)

// How long the exporter waits between two tries.
const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = time.Minute
	// maxRetryAfter bounds what a receiver may ask for.
	maxRetryAfter = 15 * time.Minute
	// drainBackoff is the longest wait once Shutdown was called.
	drainBackoff = 250 * time.Millisecond
)

// run is the exporter's goroutine.
func (e *Exporter) run(ctx context.Context) {
	defer close(e.stopped)
	var batch []Record
	// parts are the sizes of the next batches, the next one last, after a batch
	// was rejected: it is halved until the poison is alone.
	var parts []int
	for {
		batch = e.next(ctx, parts, batch[:0])
		if len(batch) == 0 {
			break
		}
		e.refresh(batch, time.Now())
		verdict := e.sink.Export(ctx, batch)
		var wait time.Duration
		parts, wait = e.judge(verdict, len(batch), parts)
		clear(batch) // the records must not outlive their delivery
		e.pause(ctx, wait)
	}
	<-e.kept
	e.mu.Lock()
	e.queue.inflight = len(e.queue.items)
	rest := e.queue.settle()
	e.openRoom()
	e.mu.Unlock()
	e.finish(ShutDown, e.keepRest(rest))
}

// next waits for records. It returns none when there will be no more, or when
// ctx ended.
func (e *Exporter) next(ctx context.Context, parts []int, batch []Record) []Record {
	limit := e.cfg.Batch
	if n := len(parts); n > 0 {
		limit = parts[n-1]
	}
	for ctx.Err() == nil {
		last := e.isClosing() // nothing more comes after what is there now
		batch, again := e.lift(ctx, limit, batch)
		if len(batch) > 0 || last && !again {
			return batch
		}
		e.sleep(ctx, again)
	}
	return nil
}

// liftAgain is how long to wait for a store that has records but cannot give them.
const liftAgain = time.Second

// sleep waits until there may be something to send. Where that is sure, it waits for
// the keeper, or the store, whatever else happens.
func (e *Exporter) sleep(ctx context.Context, sure bool) {
	if !sure {
		select {
		case <-e.wake:
		case <-e.closing:
		case <-ctx.Done():
		}
		return
	}
	timer := time.NewTimer(liftAgain)
	defer timer.Stop()
	select {
	case <-e.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// lift takes the next batch from the store, which has the oldest, else from memory; again
// is set if there may be some that cannot be had now: the store does not give them, or
// ctx has ended. Memory is taken from only while the store is empty, so that what the
// keeper appends then begins with it.
func (e *Exporter) lift(ctx context.Context, limit int, batch []Record) (_ []Record, again bool) {
	select {
	case e.handing <- struct{}{}:
		defer func() { <-e.handing }()
	case <-ctx.Done():
		return batch, true
	}
	fromStore := false
	if e.cfg.Store != nil {
		batch = e.cfg.Store.Next(limit, maxBatchBytes, batch)
		if fromStore = len(batch) > 0; !fromStore && e.cfg.Store.Waiting() {
			return batch, true
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fromStore = fromStore; !fromStore {
		batch = e.queue.lift(limit, batch)
	}
	return batch, false
}

// judge settles the n records in flight by the receiver's answer. It returns
// the sizes of the next batches and how long to wait.
func (e *Exporter) judge(v Verdict, n int, parts []int) ([]int, time.Duration) {
	if len(parts) > 0 {
		parts = parts[:len(parts)-1]
	}
	over := v.Outcome == Acknowledged || v.Outcome == Rejected && n == 1
	e.mu.Lock()
	back := v.Outcome == Acknowledged && e.state.missed
	fromStore, settled := e.land(over)
	wait := e.state.note(v, n)
	e.openRoom()
	e.mu.Unlock()

	if over && fromStore {
		e.cfg.Store.Ack(n)
	}
	e.tell(v, wait)
	switch {
	case v.Outcome == Acknowledged:
		e.acknowledge(n, v, settled)
		if back && e.cfg.Back != nil {
			e.cfg.Back()
		}
	case v.Outcome == Rejected && n == 1:
		e.Count(Refused, 1)
		e.settleAll(settled, false)
		e.tellRefused(1, v)
	case v.Outcome == Rejected:
		parts = append(parts, n-n/2, n/2)
	case len(parts) > 0:
		parts = append(parts, n)
	}
	if !over && e.cfg.Store != nil {
		e.pokeKeeper()
	}
	return parts, wait
}

// land takes the batch off the sink's hands; the caller holds mu. It returns whether the
// store gave it, else the items that are settled, if it is over with them.
func (e *Exporter) land(over bool) (fromStore bool, settled []*item) {
	switch {
	case e.fromStore:
		return true, nil
	case over:
		return false, e.queue.settle()
	default:
		e.queue.putBack()
		return false, nil
	}
}

// acknowledge finishes a batch, of which the receiver may have refused some
// records; which ones it does not say.
func (e *Exporter) acknowledge(n int, v Verdict, items []*item) {
	refused := min(v.Refused, n)
	if refused > 0 {
		e.Count(Refused, refused)
		e.tellRefused(refused, v)
	}
	if taken := n - refused; taken > 0 {
		e.Count(Delivered, taken)
	}
	e.settleAll(items, true)
}

func (e *Exporter) settleAll(items []*item, delivered bool) {
	for _, it := range items {
		it.settle(delivered)
	}
}

// tellRefused logs that n more records are lost, each time that their number
// has doubled.
func (e *Exporter) tellRefused(n int, v Verdict) {
	e.mu.Lock()
	total := e.state.settled[Refused]
	e.mu.Unlock()
	if bits.Len64(uint64(total)) != bits.Len64(uint64(total)-uint64(n)) {
		e.cfg.Log.Error("receiver rejected records, which are lost", slog.String("endpoint", e.cfg.Endpoint),
			slog.String("answer", v.Text), slog.Int64("rejected", total))
	}
}

// pause waits, but not long once Shutdown was called.
func (e *Exporter) pause(ctx context.Context, wait time.Duration) {
	if wait <= 0 {
		return
	}
	long := time.NewTimer(wait)
	defer long.Stop()
	select {
	case <-long.C:
		return
	case <-ctx.Done():
		return
	case <-e.closing:
	}
	brief := time.NewTimer(min(wait, drainBackoff))
	defer brief.Stop()
	select {
	case <-brief.C:
	case <-ctx.Done():
	}
}

// tell logs when the receiver goes away or comes back, once.
func (e *Exporter) tell(v Verdict, wait time.Duration) {
	if v.Outcome == e.state.told || v.Outcome == Rejected {
		return
	}
	e.state.told = v.Outcome
	log := e.cfg.Log.With(slog.String("endpoint", e.cfg.Endpoint), slog.String("answer", v.Text))
	switch v.Outcome {
	case Acknowledged:
		log.Info("receiver is accepting records")
	case Misconfigured:
		log.Error("receiver is misconfigured; records are kept, and none is delivered until its address, protocol, headers or credentials are changed",
			slog.Duration("retry_in", wait))
	default:
		log.Warn("receiver is not available", slog.Duration("retry_in", wait))
	}
}

// backoff is how long to wait before the try that follows failures in a row.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if failures < 8 {
		d = min(firstBackoff<<max(failures-1, 0), maxBackoff)
	}
	return d/2 + rand.N(d/2)
}
