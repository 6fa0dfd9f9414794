package agent

import (
	"math"
	"sync"
	"time"

	"pullcause/agent/export"
	"pullcause/logtail"
)

// lossEvery bounds how often one kind of loss of a source is told of, in the
// log and as a record; each is counted at once.
const lossEvery = time.Minute

// losses gathers what was lost until it is time to tell.
type losses struct {
	mu     sync.Mutex
	untold map[lossKind]logtail.Loss
	told   map[lossKind]time.Time
	// rejecting is set while the receiver has taken nothing since it rejected a record.
	rejecting bool
}

// maxLosses is how many losses are reported at once: each of thousands of sources may have
// some.
const maxLosses = 256

type lossKind struct{ source, reason string }

var rejectedRecords = lossKind{reason: string(export.Refused)}

func (l *losses) add(loss logtail.Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.untold == nil {
		l.untold, l.told = make(map[lossKind]logtail.Loss), make(map[lossKind]time.Time)
	}
	kind := lossKind{loss.Source, loss.Reason}
	l.rejecting = l.rejecting || kind == rejectedRecords
	sum := l.untold[kind]
	loss.Count, loss.Bytes = sum.Count+max(loss.Count, 1), sum.Bytes+loss.Bytes
	l.untold[kind] = loss
}

// delivered notes that the receiver takes records.
func (l *losses) delivered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rejecting = false
}

// due takes out sums of which nothing was reported for [lossEvery], at most [maxLosses]; more
// may be left if there are so many. What delivery lost names no source; that has to wait while
// the receiver is away, or the report would push out further records, and while it rejects
// them, or each report would cause the next.
func (l *losses) due(now time.Time, away bool) []logtail.Loss {
	return l.take(now, maxLosses, func(kind lossKind) bool {
		last, ok := l.told[kind]
		waits := away && kind.source == "" || l.rejecting && kind == rejectedRecords
		return (!ok || now.Sub(last) >= lossEvery) && !waits
	})
}

// rest takes out all sums: nothing is reported after it.
func (l *losses) rest(now time.Time) []logtail.Loss {
	return l.take(now, math.MaxInt, func(lossKind) bool { return true })
}

func (l *losses) take(now time.Time, most int, ready func(lossKind) bool) (taken []logtail.Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, loss := range l.untold {
		if len(taken) == most {
			break
		}
		if ready(kind) {
			l.told[kind] = now
			delete(l.untold, kind)
			taken = append(taken, loss)
		}
	}
	return taken
}
