package agent

import (
	"pullcause/agent/debug"
)

// maxAttempts is how many attempts are kept for the debug endpoint.
const maxAttempts = 1000

// ring keeps the last failed attempts, numbered from 1.
type ring struct {
	attempts []debug.Attempt // that with number n is at index (n-1)%maxAttempts
	last     int64           // number of the newest
	// newest is the number of the newest attempt of each incident that has one here.
	// Back-offs are not attempts.
	newest map[string]int64
}

func (r *ring) add(a debug.Attempt) {
	r.last++
	a.Number = r.last
	if len(r.attempts) < maxAttempts {
		r.attempts = append(r.attempts, a)
	} else {
		r.forget(r.at(r.last))
		*r.at(r.last) = a
	}
	if a.Incident != "" && !a.BackOff {
		if r.newest == nil {
			r.newest = make(map[string]int64)
		}
		r.newest[a.Incident] = a.Number
	}
}

func (r *ring) at(number int64) *debug.Attempt { return &r.attempts[(number-1)%maxAttempts] }

func (r *ring) forget(a *debug.Attempt) {
	if r.newest[a.Incident] == a.Number {
		delete(r.newest, a.Incident)
	}
}

// status is the HTTP status of an incident's newest attempt; 0 if that had none or is no
// longer kept.
func (r *ring) status(incident string) int {
	if n := r.newest[incident]; n > 0 {
		return r.at(n).HTTPStatus
	}
	return 0
}

// find returns the attempts that a query asks for, the newest first.
func (r *ring) find(q debug.AttemptQuery) []debug.Attempt {
	from := r.last
	if q.Before > 0 {
		from = min(from, q.Before-1)
	}
	var found []debug.Attempt
	for n := from; n > r.last-int64(len(r.attempts)) && len(found) < q.Limit; n-- {
		if a := r.at(n); (q.Incident == "" || a.Incident == q.Incident) && !(q.NoBackOffs && a.BackOff) {
			found = append(found, *a)
		}
	}
	return found
}
