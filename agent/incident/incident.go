// Package incident folds diagnosed attempts into incidents: opened, repeated,
// changed, recovered, abandoned; within bounds. It is pure: time is an argument.
// Start at [Store].
package incident

import (
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
)

// ChangeKind says what happened to an incident.
type ChangeKind string

// The kinds of changes; each is exported as an event of its own name.
const (
	Failed       ChangeKind = "failed"        // pullcause.image_pull.failed
	CauseChanged ChangeKind = "cause_changed" // pullcause.image_pull.cause_changed
	Recovered    ChangeKind = "recovered"     // pullcause.image_pull.recovered
	Abandoned    ChangeKind = "abandoned"     // pullcause.image_pull.abandoned
	Stalled      ChangeKind = "stalled"       // pullcause.image_pull.stalled
)

// Incident is one outage: an image that cannot be pulled on this node, from the
// first failed attempt to recovery or abandonment.
type Incident struct {
	ID        string             `json:"id"`
	Image     string             `json:"image"`
	Ref       string             `json:"ref,omitempty"`
	Registry  string             `json:"registry,omitempty"`
	State     State              `json:"state"`
	FirstSeen time.Time          `json:"first_seen"`
	LastSeen  time.Time          `json:"last_seen"`
	ClosedAt  time.Time          `json:"closed_at,omitzero"`
	Attempts  int                `json:"attempts"`
	Diagnosis diagnose.Diagnosis `json:"diagnosis"`
	// LastError is the newest raw terminal error, redacted.
	LastError string        `json:"last_error,omitempty"`
	Pods      []attempt.Pod `json:"pods,omitempty"`
	// PodsDropped counts pods beyond the bound of 100, up to a bound of their own.
	PodsDropped int `json:"pods_dropped,omitempty"`
}

// Lasted is for how long the image could not be pulled, as far as is known. Of an incident
// that was abandoned the end is not known: it lasted until it was seen last. Where the clock
// was set back it is 0.
func (i *Incident) Lasted() time.Duration {
	end := i.LastSeen
	if i.State != StateAbandoned && !i.ClosedAt.IsZero() {
		end = i.ClosedAt
	}
	if i.FirstSeen.IsZero() || end.Before(i.FirstSeen) {
		return 0
	}
	return end.Sub(i.FirstSeen)
}

// State is where an incident stands.
type State string

// The states of an incident.
const (
	Open           State = "open"
	StateRecovered State = "recovered"
	StateAbandoned State = "abandoned"
)

// Change is one thing to tell: an incident, as it is now, and the attempt that
// changed it.
type Change struct {
	Kind     ChangeKind
	Incident Incident
	// Attempt is nil where time alone made the change (Abandoned).
	Attempt   *attempt.Attempt
	Diagnosis diagnose.Diagnosis
	// Previous is the cause before (CauseChanged, Recovered).
	Previous diagnose.Diagnosis
	// Number is which attempt of the incident this was, 1-based; Since is how
	// many attempts this change stands for, itself included.
	Number, Since int
	// WhatChanged tells why it recovered: new_credentials, new_reference,
	// registry, unknown.
	WhatChanged string
	// At is when the change was made.
	At time.Time
}
