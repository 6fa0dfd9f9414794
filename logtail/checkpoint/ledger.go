package checkpoint

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"pullcause/logtail"
)

// maxDone is how many pieces of finished work a ledger keeps apart.
const maxDone = 1024

// Ledger knows how far each source was read and which work on what was read is
// unfinished, and so which positions are safe to store. It does no I/O and may
// be used from several goroutines.
//
// Work may draw on several sources at once. After a restart it must be seen
// again whole or not at all: half of it would look like other work. So no
// position that is safe to store lies within a piece of work, finished or not.
type Ledger struct {
	mu      sync.Mutex
	reached map[string]logtail.Position
	open    map[uint64]work
	done    []work // finished, but not wholly before what is stored; by id
	last    uint64 // id given last
}

type work struct {
	id    uint64
	spans logtail.Spans
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{reached: make(map[string]logtail.Position), open: make(map[uint64]work)}
}

// Reached notes that everything before pos has been handed over. Positions of
// one source only grow; one that was passed before is ignored.
func (l *Ledger) Reached(pos logtail.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was, ok := l.reached[pos.Source]; !ok || !pos.Before(was) {
		l.reached[pos.Source] = pos
	}
}

// Track notes unfinished work on some spans, by source, and returns its id.
func (l *Ledger) Track(spans logtail.Spans) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.open[l.last] = work{id: l.last, spans: slices.Clone(spans)}
	return l.last
}

// Done notes that the work is finished. An unknown id is no work, so nothing happens.
func (l *Ledger) Done(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.open[id]
	if !ok {
		return
	}
	delete(l.open, id)
	i, _ := slices.BinarySearchFunc(l.done, id, func(w work, id uint64) int { return cmp.Compare(w.id, id) })
	l.done = slices.Insert(l.done, i, w)
	if len(l.done) > maxDone {
		l.done = []work{union(l.done)}
	}
}

// Marks returns for each source the furthest position that is safe to store:
// no unfinished work, whether tracked or given in open, begins before it, and
// no work at all is split by the marks. Sources of which nothing was reached
// have no mark.
//
// open is what is not tracked yet. Between taking it and the call there must be
// no Reached: hold the lock under which records are handled.
func (l *Ledger) Marks(open ...logtail.Spans) map[string]logtail.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	marks := maps.Clone(l.reached)
	for _, spans := range open {
		pullBack(marks, spans)
	}
	for _, w := range l.open {
		pullBack(marks, w.spans)
	}
	// The newest first: one that is pulled out may split an older one, hardly ever a
	// newer one, so a pass or two are enough.
	for again := true; again; {
		again = false
		for _, w := range slices.Backward(l.done) {
			if !passed(marks, w.spans) && pullBack(marks, w.spans) {
				again = true
			}
		}
	}
	return marks
}

// pullBack moves each mark before a piece of work and reports whether one moved.
func pullBack(marks map[string]logtail.Position, spans logtail.Spans) (moved bool) {
	for _, s := range spans {
		if mark, ok := marks[s.First.Source]; ok && s.First.Before(mark) {
			marks[s.First.Source] = s.First
			moved = true
		}
	}
	return moved
}

// passed reports whether a piece of work lies wholly before the marks.
func passed(marks map[string]logtail.Position, spans logtail.Spans) bool {
	for _, s := range spans {
		if mark, ok := marks[s.First.Source]; !ok || mark.Before(s.Last) {
			return false
		}
	}
	return true
}

// union is one piece of work in place of many. Marks that do not split it split
// none of them; they only stay further back than they would have to.
func union(all []work) work {
	u := work{id: all[0].id}
	for _, w := range all {
		for _, s := range w.spans {
			u.spans = u.spans.With(s)
		}
	}
	return u
}

// Stored notes that marks are on disk: finished work before them will not be
// seen again and is forgotten.
func (l *Ledger) Stored(marks map[string]logtail.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = slices.DeleteFunc(l.done, func(w work) bool { return passed(marks, w.spans) })
}

// Pending is how many pieces of work are remembered.
func (l *Ledger) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) + len(l.done)
}
