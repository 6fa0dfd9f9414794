package agent

import (
	"sync/atomic"

	"pullcause/agent/attempt"
	"pullcause/logtail/checkpoint"
)

// hold keeps the stored positions before an attempt's lines until every record
// made of it has been delivered (or dropped and counted). A nil hold holds
// nothing.
type hold struct {
	ledger *checkpoint.Ledger
	id     uint64
	count  atomic.Int32
}

func (p *pipeline) hold(a attempt.Attempt) *hold {
	if len(a.Spans) == 0 || a.Late {
		return nil
	}
	h := &hold{ledger: p.ledger, id: p.ledger.Track(ledgerSpans(a.Spans))}
	h.count.Store(1)
	return h
}

func (h *hold) retain() {
	if h != nil {
		h.count.Add(1)
	}
}

func (h *hold) release() {
	if h != nil && h.count.Add(-1) == 0 {
		h.ledger.Done(h.id)
	}
}
