package agent

import (
	"context"
	"fmt"
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// handler takes the records of one source into the pipeline. It counts what was
// passed and lost.
type handler struct {
	// ctx ends the wait for room in the queue when the agent stops: Handle is
	// called by Source.Run, which has no context to pass.
	ctx    context.Context //nolint:containedctx // see above
	source string
	pipe   *pipeline
	// moved is called when the position has come to another file, passed with the bytes
	// that it has moved in one.
	moved    func()
	passed   func(bytes int64)
	stream   string
	activity activity

	lines    detect.Assembler
	detector detect.Detector
	signals  []detect.Signal
}

// Handle implements [logtail.Handler].
func (h *handler) Handle(rec logtail.Record) (more bool) {
	h.lines.Expire(rec.Time, h.assembled)
	return h.lines.Add(rec, h.assembled)
}

func (h *handler) assembled(rec logtail.Record, cut bool) {
	if cut {
		h.Lost(logtail.Loss{
			Source: h.source, Reason: logtail.LostRecordTooLong, Count: 1,
			Detail: "a record of several lines is longer than is read, or its writer stopped within it; it is reported without its end",
		})
	}
	h.detect(rec)
}

func (h *handler) detect(rec logtail.Record) {
	h.signals = h.signals[:0]
	if skipped := h.detector.Detect(rec, func(s detect.Signal) { h.signals = append(h.signals, s) }); skipped > 0 {
		h.Lost(logtail.Loss{
			Source: h.source, Reason: logtail.LostFailures, Count: int64(skipped),
			Detail: fmt.Sprintf("one line reports more than %d failed pulls or removed pods; the others were not read", detect.MaxFailures),
		})
	}
	if len(h.signals) == 0 {
		return
	}
	// A backlog is read faster than a receiver accepts it, and one line may tell of hundreds
	// of failures. The log itself is the buffer: wait for room before each signal.
	for i := range h.signals {
		h.activity.wait(func() { h.pipe.waiting.wait(h.ctx) })
		h.pipe.add(h.signals[i:i+1], time.Now())
	}
	clear(h.signals)
	if cap(h.signals) > maxSpareSignals {
		h.signals = nil
	}
}

// maxSpareSignals bounds the room for signals that is kept for the next record.
const maxSpareSignals = 64

// Progress implements [logtail.Handler].
func (h *handler) Progress(p logtail.Progress) {
	now := p.Time
	if now.IsZero() {
		now = time.Now() // it has read all there is
	}
	h.lines.Expire(now, h.assembled)
	pos, unfinished := h.lines.Begin()
	if !unfinished {
		pos = p.Pos
	}
	h.pipe.ledger.Reached(pos)
	h.pipe.metrics.Passed(h.source, p.Lines, p.Bytes)
	if pos.Stream != h.stream { // that must be known, or after a rotation nobody knows what was read
		h.stream = pos.Stream
		h.moved()
		return
	}
	h.passed(max(p.Bytes, 1))
}

// Lost implements [logtail.Handler].
func (h *handler) Lost(l logtail.Loss) {
	if l.Reason == logtail.LostSuppressed {
		h.pipe.metrics.Suppressed(l.Unit, l.Count)
	}
	h.pipe.metrics.Lost(l.Reason, max(l.Count, 1))
	h.pipe.lost(l)
}
