package incident

import (
	"cmp"
	"slices"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
)

// Place is where an incident stands in a list: open ones by when they were first seen,
// closed ones by when they were closed, the latest first. It does not change while an
// incident is in a list, so a list can be read page by page. The zero Place stands before
// all.
type Place struct {
	At time.Time
	ID string
}

// Place is where i stands in the list that it is in.
func (i *Incident) Place() Place {
	if i.State == Open {
		return Place{i.FirstSeen, i.ID}
	}
	return Place{i.ClosedAt, i.ID}
}

func (p Place) compare(q Place) int {
	if p.ID == "" || q.ID == "" {
		return cmp.Compare(p.ID, q.ID)
	}
	return cmp.Or(q.At.Compare(p.At), cmp.Compare(p.ID, q.ID))
}

// first is the n incidents that stand first behind a place. It keeps no more than these.
type first struct {
	after Place
	n     int
	found []*Incident
}

func (f *first) add(i *Incident) {
	place := i.Place()
	if f.n <= 0 || place.compare(f.after) <= 0 {
		return
	}
	if len(f.found) == f.n {
		if place.compare(f.found[f.n-1].Place()) >= 0 {
			return
		}
		f.found = f.found[:f.n-1]
	}
	at, _ := slices.BinarySearchFunc(f.found, place, func(i *Incident, p Place) int { return i.Place().compare(p) })
	f.found = slices.Insert(f.found, at, i)
}

// OpenAfter returns at most n open incidents, those that stand first behind a place.
func (s *Store) OpenAfter(p Place, n int) []Incident {
	f := first{after: p, n: n}
	for _, e := range s.open {
		f.add(&e.Incident)
	}
	return f.copies()
}

// ClosedAfter is the same of the last closed ones.
func (s *Store) ClosedAfter(p Place, n int) []Incident {
	f := first{after: p, n: n}
	for i := range s.closed {
		f.add(&s.closed[i])
	}
	return f.copies()
}

// copies are the incidents as they are now; nothing in them changes later.
func (f *first) copies() []Incident {
	copies := make([]Incident, len(f.found))
	for n, i := range f.found {
		copies[n] = *i
		copies[n].Pods = slices.Clone(i.Pods)
	}
	return copies
}

// Len is how many incidents are open, and how many closed ones are kept.
func (s *Store) Len() (open, closed int) { return len(s.open), len(s.closed) }

// Group is what open incidents have in common.
type Group struct {
	Cause            diagnose.Cause
	Detail, Registry string
}

// maxGroups bounds the kinds that [Store.Groups] tells apart.
const maxGroups = 1000

// Groups counts the open incidents of each kind, of 1,000 kinds at most.
func (s *Store) Groups() map[Group]int {
	counts := make(map[Group]int)
	for _, e := range s.open {
		g := Group{e.Diagnosis.Cause, e.Diagnosis.Detail, e.Registry}
		if _, ok := counts[g]; ok || len(counts) < maxGroups {
			counts[g]++
		}
	}
	return counts
}

// IDOf returns the id of the incident that an attempt has been applied to; empty if there
// is none.
func (s *Store) IDOf(a attempt.Attempt) string {
	k := key(a)
	if e := s.open[k]; e != nil {
		return e.ID
	}
	for _, e := range slices.Backward(s.ended) {
		if e.key == k && e.find(a.UID) != nil {
			return e.ID
		}
	}
	return ""
}
