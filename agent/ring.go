package agent

import (
	"pullcause/agent/debug"
)

// How many attempts are kept for the debug endpoint, and how much memory they may take
// together, about. The oldest go first.
const (
	maxAttempts     = 1000
	maxAttemptBytes = 3 << 20
)

// ring keeps the last failed attempts, numbered from 1.
type ring struct {
	attempts []debug.Attempt // the oldest first
	size     int             // of all, in bytes
	last     int64           // number of the newest
	// newest is the number of the newest attempt of each incident that has one here.
	// Back-offs are not attempts.
	newest map[string]int64
}

func (r *ring) add(a debug.Attempt) {
	r.last++
	a.Number = r.last
	r.attempts = append(r.attempts, a)
	r.size += attemptSize(&a)
	if a.Incident != "" && !a.BackOff {
		if r.newest == nil {
			r.newest = make(map[string]int64)
		}
		r.newest[a.Incident] = a.Number
	}
	for len(r.attempts) > maxAttempts || r.size > maxAttemptBytes && len(r.attempts) > 1 {
		oldest := &r.attempts[0]
		r.forget(oldest)
		r.size -= attemptSize(oldest)
		*oldest = debug.Attempt{}
		r.attempts = r.attempts[1:]
	}
}

// attemptSize is about how much memory an attempt takes.
func attemptSize(a *debug.Attempt) int {
	const each, list = 600, 150
	n := each + len(a.UID) + len(a.Image) + len(a.Ref) + len(a.Error) + len(a.Lines) + len(a.Remedy) + len(a.Summary)
	for i := range a.Hosts {
		n += list + len(a.Hosts[i].Host) + len(a.Hosts[i].URL) + len(a.Hosts[i].Error)
	}
	for i := range a.Pods {
		n += list + len(a.Pods[i].Name) + len(a.Pods[i].Namespace) + len(a.Pods[i].UID) + len(a.Pods[i].Container)
	}
	if a.Cache != nil {
		n += list
		for _, name := range a.Cache.OtherTags {
			n += len(name)
		}
	}
	return n
}

func (r *ring) at(number int64) *debug.Attempt {
	return &r.attempts[int(number-r.last)+len(r.attempts)-1]
}

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
