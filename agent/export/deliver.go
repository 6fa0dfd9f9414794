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
		verdict := e.sink.Export(ctx, batch)
		var wait time.Duration
		parts, wait = e.judge(verdict, len(batch), parts)
		clear(batch) // the records must not outlive their delivery
		e.pause(ctx, wait)
	}
	e.mu.Lock()
	e.queue.inflight = len(e.queue.items)
	rest := e.queue.settle()
	e.openRoom()
	e.mu.Unlock()
	e.finish(ShutDown, rest)
}

// next waits for records. It returns none when there will be no more, or when
// ctx ended.
func (e *Exporter) next(ctx context.Context, parts []int, batch []Record) []Record {
	limit := e.cfg.Batch
	if n := len(parts); n > 0 {
		limit = parts[n-1]
	}
	for ctx.Err() == nil {
		e.mu.Lock()
		batch = e.queue.lift(limit, batch)
		closing := e.isClosing()
		e.mu.Unlock()
		if len(batch) > 0 || closing {
			return batch
		}
		select {
		case <-e.wake:
		case <-e.closing:
		case <-ctx.Done():
		}
	}
	return nil
}

// judge settles the n records in flight by the receiver's answer. It returns
// the sizes of the next batches and how long to wait.
func (e *Exporter) judge(v Verdict, n int, parts []int) ([]int, time.Duration) {
	if len(parts) > 0 {
		parts = parts[:len(parts)-1]
	}
	e.mu.Lock()
	var settled []*item
	if v.Outcome == Acknowledged || v.Outcome == Rejected && n == 1 {
		settled = e.queue.settle()
	} else {
		e.queue.putBack()
	}
	wait := e.state.note(v)
	e.openRoom()
	e.mu.Unlock()

	e.tell(v, wait)
	switch {
	case v.Outcome == Acknowledged:
		e.acknowledge(settled, v)
	case v.Outcome == Rejected && n == 1:
		e.finish(Refused, settled)
		e.tellRefused(1, v)
	case v.Outcome == Rejected:
		parts = append(parts, n-n/2, n/2)
	case len(parts) > 0:
		parts = append(parts, n)
	}
	return parts, wait
}

// acknowledge finishes a batch, of which the receiver may have refused some
// records; which ones it does not say.
func (e *Exporter) acknowledge(items []*item, v Verdict) {
	refused := min(v.Refused, len(items))
	if refused > 0 {
		e.count(Refused, refused)
		e.tellRefused(refused, v)
	}
	if n := len(items) - refused; n > 0 {
		e.count(Delivered, n)
	}
	for _, it := range items {
		it.settle(true)
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
		log.Info("receiver takes records")
	case Misconfigured:
		log.Error("receiver refuses everything; nothing is delivered until its address, headers or credentials are changed",
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
