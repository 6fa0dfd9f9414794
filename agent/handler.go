package agent

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"pullcause/agent/detect"
	"pullcause/agent/redact"
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

	guard   *crashGuard
	faulted time.Time            // when a fault was last logged
	before  func(logtail.Record) // called before a record is read; nil but in tests
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

// detect reads a record. One in which an earlier run of the agent ended is read only in its
// first part, and not at all if that run had done so already.
func (h *handler) detect(rec logtail.Record) {
	if len(rec.Body) <= maxUnguarded {
		h.read(rec, func(work func()) { work() })
		return
	}
	switch ends := h.guard.ends(rec.Pos); {
	case ends == 1:
		h.skipped(len(rec.Body)-maxUnguarded, fmt.Sprintf("the agent ended while it read a long record; only its first %d bytes are read now", maxUnguarded))
		rec.Body, rec.Truncated = rec.Body[:maxUnguarded], true
	case ends > 1:
		h.skipped(len(rec.Body), "the agent ended twice while it read a long record; it is skipped")
		return
	}
	h.read(rec, func(work func()) { h.guard.read(rec.Pos, work) })
}

// read takes what a record says into the pipeline. Whatever costs time or memory for its
// length is called through guarded; waiting is not.
func (h *handler) read(rec logtail.Record, guarded func(work func())) {
	h.signals = h.signals[:0]
	guarded(func() { h.survive(rec, h.detectSignals) })
	// A backlog is read faster than a receiver accepts it, and one line may tell of hundreds
	// of failures. The log itself is the buffer: wait for room before each signal.
	for i := range h.signals {
		h.activity.wait(func() { h.pipe.waiting.wait(h.ctx) })
		guarded(func() {
			h.survive(rec, func(logtail.Record) { h.pipe.add(h.signals[i:i+1], time.Now()) })
		})
	}
	clear(h.signals)
	if cap(h.signals) > maxSpareSignals {
		h.signals = nil
	}
}

func (h *handler) detectSignals(rec logtail.Record) {
	if h.before != nil {
		h.before(rec)
	}
	if skipped := h.detector.Detect(rec, func(s detect.Signal) { h.signals = append(h.signals, s) }); skipped > 0 {
		h.Lost(logtail.Loss{
			Source: h.source, Reason: logtail.LostFailures, Count: int64(skipped),
			Detail: fmt.Sprintf("one line reports more than %d failed pulls or removed pods; the others were not read", detect.MaxFailures),
		})
	}
}

// survive calls work with a record. If that panics, the rest of the record is skipped: it
// would end the agent again in each run.
func (h *handler) survive(rec logtail.Record, work func(logtail.Record)) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		h.detector = detect.Detector{Zone: h.detector.Zone, Accept: h.detector.Accept} // nobody knows what it remembers
		h.skipped(len(rec.Body), "a record made the agent fail; this is a bug, please report it")
		if now := time.Now(); now.Sub(h.faulted) >= lossEvery {
			h.faulted = now
			h.pipe.log.Error("a record made the agent fail and is skipped; this is a bug, please report it",
				"source", h.source, "offset", rec.Pos.Offset, "fault", faultText(fault), "stack", string(debug.Stack()))
		}
	}()
	work(rec)
}

// faultText is what a panic says, which may be a part of the record.
func faultText(fault any) string {
	const most = 512
	text := redact.Text(fmt.Sprint(fault))
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// skipped counts and reports what is not read of a record.
func (h *handler) skipped(bytes int, detail string) {
	h.Lost(logtail.Loss{Source: h.source, Reason: logtail.LostSkipped, Count: 1, Bytes: int64(bytes), Detail: detail})
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
