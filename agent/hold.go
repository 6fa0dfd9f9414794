package agent

import (
	"slices"
	"sync/atomic"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// hold keeps the stored positions before an attempt's lines until every record
// made of it has been delivered (or dropped and counted). A nil hold holds
// nothing.
type hold struct {
	ledger *checkpoint.Ledger
	id     uint64
	count  atomic.Int32
	// moved is called when the positions may have moved.
	moved func()
}

func (p *pipeline) hold(lines logtail.Spans) *hold {
	if len(lines) == 0 {
		return nil
	}
	h := &hold{ledger: p.ledger, id: p.ledger.Track(lines), moved: p.moved}
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
		h.moved()
	}
}

// lingering holds belong to attempts about which more may be said. A restart must
// find all of their lines again, or what comes late would look like another attempt.
type lingering []lingerer

type lingerer struct {
	until time.Time
	hold  *hold
}

// maxLingering bounds the lingering holds, each of which takes about half a kilobyte with
// its entry in the ledger. Beyond it the oldest is released early: a late line that follows
// a restart in that moment looks like another attempt, and nothing is lost.
const maxLingering = 4096

func (l *lingering) add(h *hold, until time.Time) {
	if len(*l) >= maxLingering {
		(*l)[0].hold.release()
		*l = slices.Delete(*l, 0, 1)
	}
	*l = append(*l, lingerer{until, h})
}

// expire releases those whose time has come.
func (l *lingering) expire(now time.Time) {
	n := 0
	for n < len(*l) && !(*l)[n].until.After(now) {
		(*l)[n].hold.release()
		n++
	}
	*l = slices.Delete(*l, 0, n)
}
