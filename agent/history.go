package agent

import (
	"pullcause/agent/debug"
	"pullcause/agent/incident"
)

// history shows the pipeline's incidents and attempts to the debug endpoint. Each call
// copies at most what it was asked for: with 10,000 incidents a copy of all takes
// megabytes, and many clients may ask at once.
type history struct{ pipe *pipeline }

func (h history) Totals() debug.Totals {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	open, closed := h.pipe.incidents.Len()
	return debug.Totals{Open: open, Closed: closed, Attempts: len(h.pipe.recent.attempts)}
}

func (h history) Open(after incident.Place, n int) []debug.Incident {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	return h.withStatus(h.pipe.incidents.OpenAfter(after, n))
}

func (h history) Closed(after incident.Place, n int) []debug.Incident {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	return h.withStatus(h.pipe.incidents.ClosedAfter(after, n))
}

func (h history) Find(id string) (debug.Incident, bool) {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	found, ok := h.pipe.incidents.Get(id)
	return debug.Incident{Incident: found, HTTPStatus: h.pipe.recent.status(id)}, ok
}

func (h history) Groups() map[incident.Group]int {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	return h.pipe.incidents.Groups()
}

func (h history) Attempts(q debug.AttemptQuery) []debug.Attempt {
	h.pipe.mu.Lock()
	defer h.pipe.mu.Unlock()
	return h.pipe.recent.find(q)
}

// withStatus adds what the incidents' newest attempts met; the caller holds the lock.
func (h history) withStatus(incidents []incident.Incident) []debug.Incident {
	found := make([]debug.Incident, len(incidents))
	for n, i := range incidents {
		found[n] = debug.Incident{Incident: i, HTTPStatus: h.pipe.recent.status(i.ID)}
	}
	return found
}
