package agent

import (
	"context"
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// handler takes the records of one source into the pipeline. It puts together
// records of several lines and counts what was passed and lost.
type handler struct {
	// ctx ends the wait for room in the queue when the agent stops: Handle is
	// called by Source.Run, which has no context to pass.
	ctx    context.Context //nolint:containedctx // see above
	source string
	pipe   *pipeline
	// moved is called when the position has moved.
	moved func()

	detector detect.Detector
	partial  []byte // the lines of an unfinished record
	first    logtail.Record
	signals  []detect.Signal
}

// Handle implements [logtail.Handler].
func (h *handler) Handle(rec logtail.Record) (more bool) {
	if len(h.partial) == 0 {
		if !detect.Unfinished(rec.Body) {
			h.detect(rec)
			return false
		}
		h.first = rec
	} else {
		h.partial = append(h.partial, '\n')
	}
	h.partial = append(h.partial, rec.Body...)
	if detect.Unfinished(h.partial) {
		return true
	}
	if detect.GaveUp(h.partial) {
		h.Lost(logtail.Loss{
			Source: h.source, Reason: logtail.LostRecordTooLong, Count: 1,
			Detail: "a record of several lines is longer than is read; its end is left out",
		})
	}
	whole := h.first
	whole.Body, whole.End = h.partial, rec.End
	h.detect(whole)
	h.partial = h.partial[:0]
	return false
}

func (h *handler) detect(rec logtail.Record) {
	h.signals = h.signals[:0]
	h.detector.Detect(rec, func(s detect.Signal) { h.signals = append(h.signals, s) })
	if len(h.signals) == 0 {
		return
	}
	// A backlog is read faster than a receiver takes it. The log itself is the
	// buffer: wait, as long as the receiver is well.
	_ = h.pipe.exporter.WaitRoom(h.ctx) //nolint:errcheck // it only says that ctx has ended
	h.pipe.add(h.signals, time.Now())
	clear(h.signals)
}

// Progress implements [logtail.Handler].
func (h *handler) Progress(p logtail.Progress) {
	pos := p.Pos
	if len(h.partial) > 0 {
		pos = h.first.Pos
	}
	h.pipe.ledger.Reached(pos)
	h.pipe.metrics.Passed(h.source, p.Lines, p.Bytes)
	h.moved()
}

// Lost implements [logtail.Handler].
func (h *handler) Lost(l logtail.Loss) {
	h.pipe.metrics.Lost(l.Reason, max(l.Count, 1))
	h.pipe.lost(l)
}
