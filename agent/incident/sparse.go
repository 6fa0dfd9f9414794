package incident

import (
	"time"

	"pullcause/agent/diagnose"
)

// worthTelling thins out the repetitions of one incident: every attempt up to
// the 10th, then one for each doubling and at least one in 10 minutes. The same holds for
// a cause that comes and goes: each cause is told at once, and then as seldom.
func (s *Store) worthTelling(e *entry, at time.Time) bool {
	const all = 10
	n := e.Attempts
	if s.cfg.All || n <= all {
		return true
	}
	doubling := n%all == 0 && n/all&(n/all-1) == 0
	return doubling || longAgo(e.reported, at)
}

// longAgo reports whether it is time to tell again what was told last at a time of the
// log's clock, which may have been set back since.
func longAgo(told, at time.Time) bool { return at.Sub(told).Abs() >= 10*time.Minute }

// toldLast is the diagnosis that was told last: a change is one of what is known elsewhere.
func (e *entry) toldLast() diagnose.Diagnosis {
	if e.told != nil {
		return *e.told
	}
	return e.Diagnosis
}

// changeTo notes that a change to a cause is told, and returns what of the diagnosis
// that was told before is told with it.
func (e *entry) changeTo(cause diagnose.Cause, previous diagnose.Diagnosis, at time.Time) *diagnose.Diagnosis {
	if e.changed == nil {
		e.changed = make(map[diagnose.Cause]time.Time)
	}
	e.changed[cause] = at
	previous.Remedy, previous.Action, previous.Cache = "", "", nil // of an outage that is as it was
	previous.Summary = clip(previous.Summary, leanError)
	return &previous
}
