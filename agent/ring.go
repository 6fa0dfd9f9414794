package agent

import (
	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/diagnose"
)

// maxAttempts is how many attempts are kept for the debug endpoint.
const maxAttempts = 1000

// ring keeps the last failed attempts.
type ring struct {
	attempts []debug.Attempt
	next     int
}

func (r *ring) add(a attempt.Attempt, d diagnose.Diagnosis) {
	view := debug.View(a, d)
	if len(r.attempts) < maxAttempts {
		r.attempts = append(r.attempts, view)
		return
	}
	r.attempts[r.next] = view
	r.next = (r.next + 1) % maxAttempts
}

// newest returns the attempts, the last one first.
func (r *ring) newest() []debug.Attempt {
	n := len(r.attempts)
	attempts := make([]debug.Attempt, n)
	for i := range n {
		attempts[i] = r.attempts[(r.next+n-1-i)%n]
	}
	return attempts
}
