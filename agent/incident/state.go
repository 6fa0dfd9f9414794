package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
)

// Saved is an incident, open or ended not long ago, in the form in which it
// outlives the process.
type Saved struct {
	Incident Incident  `json:"incident"`
	Key      string    `json:"key"`
	Touched  time.Time `json:"touched"`
	Reported time.Time `json:"reported"`
	Unsaid   int       `json:"unsaid"`
	Counted  []counted `json:"counted"`
	EndUID   string    `json:"end_uid,omitempty"`
	// Changed is when a change to a cause was last reported.
	Changed map[diagnose.Cause]time.Time `json:"changed,omitempty"`
	// Told is the diagnosis that was told last, where that of the incident is another cause.
	Told *diagnose.Diagnosis `json:"told,omitempty"`
	// Dropped are sums of the pods that there was no room for.
	Dropped []uint32 `json:"dropped,omitempty"`
}

// maxCounted is how many attempts of one incident are known again when they are
// read again. More are only where a receiver was away for long: they are counted
// twice, with the same uid.
const maxCounted = 64

// Incidents that have ended are known again for a while: what was said of them may be
// read again after a restart, and must not begin another.
const (
	MaxEnded    = 256
	forgetEnded = 10 * time.Minute
)

// counted is an attempt that was counted, and what was told of it.
type counted struct {
	UID    string `json:"uid"`
	Number int    `json:"number"`
	// Since is how many attempts its record stood for; 0 if there was none.
	Since int `json:"since,omitempty"`
	// Previous is the cause before, if this one changed it.
	Previous *diagnose.Diagnosis `json:"previous,omitempty"`
}

func (e *entry) find(uid string) *counted {
	i := slices.IndexFunc(e.counted, func(c counted) bool { return c.UID == uid })
	if i < 0 {
		return nil
	}
	return &e.counted[i]
}

func (e *entry) count(c counted) {
	if len(e.counted) == maxCounted {
		e.counted = slices.Delete(e.counted, 0, 1)
	}
	e.counted = append(e.counted, c)
}

// tell tells of an attempt, the same each time.
func (c *counted) tell(e *entry, a attempt.Attempt, d diagnose.Diagnosis, now time.Time, emit func(Change)) {
	change := Change{Attempt: &a, Diagnosis: d, Number: c.Number, Since: c.Since, At: now}
	if c.Previous != nil {
		told := change
		told.Kind, told.Previous, told.Incident = CauseChanged, *c.Previous, e.snapshot()
		emit(told)
	}
	if c.Since > 0 {
		change.Kind, change.Incident = Failed, e.snapshot()
		emit(change)
	}
}

// tellAgain tells of an attempt that was counted before, the same as then. It
// reports whether it was.
func (s *Store) tellAgain(a attempt.Attempt, d diagnose.Diagnosis, now time.Time, emit func(Change)) bool {
	if e := s.endedWith(a); e != nil {
		e.tellRecovery(a, now, emit)
		return true
	}
	if a.Succeeded || a.Late {
		return false
	}
	k := key(a)
	if e := s.open[k]; e != nil {
		if c := e.find(a.UID); c != nil {
			s.touch(e, now)
			c.tell(e, a, d, now, emit)
			return true
		}
	}
	for _, e := range slices.Backward(s.ended) {
		if e.key != k {
			continue
		}
		if c := e.find(a.UID); c != nil {
			c.tell(e, a, d, now, emit)
			return true
		}
	}
	return false
}

// Counted reports whether an attempt is one that was counted before, and is read again.
func (s *Store) Counted(a attempt.Attempt) bool {
	k := key(a)
	if e := s.open[k]; e != nil && e.find(a.UID) != nil {
		return true
	}
	return slices.ContainsFunc(s.ended, func(e *entry) bool { return e.key == k && e.find(a.UID) != nil })
}

// endedWith is the incident that an attempt has ended, nil if none.
func (s *Store) endedWith(a attempt.Attempt) *entry {
	if !a.Succeeded {
		return nil
	}
	i := slices.IndexFunc(s.ended, func(e *entry) bool { return e.endUID == a.UID && e.key == key(a) })
	if i < 0 {
		return nil
	}
	return s.ended[i]
}

// end remembers an incident that has ended.
func (s *Store) end(e *entry) {
	if len(s.ended) == MaxEnded {
		s.forget(s.ended[0])
		s.ended = slices.Delete(s.ended, 0, 1)
	}
	s.ended = append(s.ended, e)
	s.remember(e.snapshot())
}

// forgetEnded forgets those that ended so long ago that nothing of them is read again.
func (s *Store) forgetEnded(now time.Time) {
	n := 0
	for n < len(s.ended) && s.ended[n].arrived && now.Sub(s.ended[n].touched) > forgetEnded {
		s.forget(s.ended[n])
		n++
	}
	s.ended = slices.Delete(s.ended, 0, n)
}

// Save returns the open incidents and those that ended not long ago.
func (s *Store) Save() []Saved {
	saved := make([]Saved, 0, len(s.open)+len(s.ended))
	for place := s.quiet.Back(); place != nil; place = place.Prev() {
		saved = append(saved, place.Value.(*entry).save()) //nolint:errcheck // the list holds nothing else
	}
	for _, e := range s.ended {
		saved = append(saved, e.save())
	}
	return saved
}

// save is what is saved. One that was abandoned without an attempt, of which that is
// still to be told, is open and was never touched.
func (e *entry) save() Saved {
	saved := Saved{
		Incident: e.snapshot(), Key: e.key, Touched: e.touched, Reported: e.reported,
		Unsaid: e.unsaid, Counted: slices.Clone(e.counted), EndUID: e.endUID, Changed: maps.Clone(e.changed), Told: e.told, Dropped: slices.Clone(e.dropped),
	}
	if e.State == StateAbandoned && !e.arrived {
		saved.Incident.State, saved.Incident.ClosedAt = Open, time.Time{}
		saved.Touched = time.Time{}
	}
	return saved
}

// toAbandon reports whether it was abandoned, and that is still to be told.
func (i *Saved) toAbandon() bool { return i.Incident.State == Open && i.Touched.IsZero() }

// Restore takes up what was saved, in an empty store. Incidents beyond [Config.MaxOpen]
// are left out and counted as evicted. However long nobody looked, the logs of that time
// are read only now: until then no incident is too old. Each is taken out of saved, since
// all of them twice would take too much memory.
func (s *Store) Restore(saved []*Saved, now time.Time) {
	slices.SortFunc(saved, func(a, b *Saved) int {
		return cmp.Or(a.Touched.Compare(b.Touched), a.Incident.FirstSeen.Compare(b.Incident.FirstSeen), cmp.Compare(a.Incident.ID, b.Incident.ID))
	})
	for n, i := range saved {
		s.restore(i, now)
		saved[n] = nil
	}
	s.bound()
}

func (s *Store) restore(i *Saved, now time.Time) {
	e := &entry{
		Incident: i.Incident, key: i.Key, touched: now, reported: i.Reported, saved: true,
		unsaid: i.Unsaid, counted: i.Counted, endUID: i.EndUID, changed: i.Changed, told: i.Told, dropped: i.Dropped,
	}
	switch {
	case i.toAbandon():
		e.State, e.ClosedAt = StateAbandoned, now
		s.end(e)
		s.again = append(s.again, e)
	case e.State != Open:
		e.arrived = true // or it is told again when its lines are read again
		s.end(e)
	case s.open[e.key] == nil && e.key != "":
		e.place = s.quiet.PushBack(e)
		s.open[e.key] = e
		for _, p := range e.Pods {
			s.wait(e, p.Pod)
		}
	default:
		s.forgetSaved(e)
		return
	}
	e.size = e.measure()
	s.size += e.size
	s.detailed(e)
}

// Arrived notes that the end of an incident was told and has arrived.
func (s *Store) Arrived(id string) {
	for _, e := range s.ended {
		if e.ID == id {
			e.arrived = true
			s.unsavedNow(e)
		}
	}
}
