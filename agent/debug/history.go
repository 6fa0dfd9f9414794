package debug

import (
	"iter"

	"pullcause/agent/incident"
)

// History is what the agent remembers of pulls that failed. Its methods may be called from
// several goroutines at once. Lists are read in pages, so that no reader holds all of it.
type History interface {
	Totals() Totals
	// Open and Closed return at most n incidents, those that stand first behind a place.
	Open(after incident.Place, n int) []Incident
	Closed(after incident.Place, n int) []Incident
	// Find returns an incident of either list.
	Find(id string) (Incident, bool)
	// Groups counts the open incidents by what they have in common.
	Groups() map[incident.Group]int
	// Attempts returns the attempts that q asks for, the newest first.
	Attempts(q AttemptQuery) []Attempt
}

// Totals are how many there are of each.
type Totals struct{ Open, Closed, Attempts int }

// Incident is an incident and the HTTP status of its newest attempt: 0 if that had none or
// is no longer kept.
type Incident struct {
	incident.Incident
	HTTPStatus int
}

// AttemptQuery says which attempts to return, and at most how many.
type AttemptQuery struct {
	Incident   string // only those of the incident with this id; of all if empty
	Before     int64  // only older ones than that with this number; 0 is all
	NoBackOffs bool   // leaves out the lines of a kubelet that waits
	Limit      int
}

// pageSize is how many values a reader holds while it writes a list. An incident with its
// pods may take 20 KiB.
const pageSize = 50

// incidentsFrom reads a list of incidents page by page from behind a place on.
func incidentsFrom(after incident.Place, list func(after incident.Place, n int) []Incident) iter.Seq[Incident] {
	return func(yield func(Incident) bool) {
		for {
			page := list(after, pageSize)
			for n := range page {
				if !yield(page[n]) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Place()
		}
	}
}

// attemptsFrom reads the attempts that q asks for page by page, whatever its limit.
func attemptsFrom(q AttemptQuery, list func(AttemptQuery) []Attempt) iter.Seq[Attempt] {
	return func(yield func(Attempt) bool) {
		q.Limit = pageSize
		for {
			page := list(q)
			for n := range page {
				if !yield(page[n]) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			q.Before = page[len(page)-1].Number
		}
	}
}
