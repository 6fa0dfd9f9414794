package incident

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
)

// The bounds of a store.
const (
	MaxPods   = 100  // pods of one incident
	maxClosed = 1000 // closed incidents that are remembered
)

// Config of a [Store].
type Config struct {
	// All reports each attempt; otherwise repetitions are thinned out.
	All bool
	// AbandonAfter is how long an incident stays open without a sign of life.
	AbandonAfter time.Duration
	// MaxOpen bounds the open incidents; beyond it the one that was quiet for
	// longest is closed without a change and counted.
	MaxOpen int
}

// Store holds the open incidents and the last closed ones. It is not safe for
// concurrent use. See [NewStore].
type Store struct {
	cfg    Config
	open   map[string]*entry // by image
	quiet  *list.List        // of *entry, the one that was quiet for longest first
	closed []Incident        // oldest first
	// waiting are the open incidents that a pod waits for, by its name, or by its uid
	// where no name is known: pods are deleted far more often than images fail.
	waiting map[string][]*entry
	ended   []*entry // not long ago, the one that ended first is first
	again   []*entry // of them, the abandoned ones of which that is to be told again
	gone    []gonePod

	size    int        // of all incidents, in bytes
	details *list.List // of *entry that have their details, the one that failed longest ago first
	unsaved *list.List // of *entry that changed since they were saved, the one that did first is first
	removed []string   // ids of those that were saved and are gone

	evicted, cut int64
}

// entry is an open incident and what is needed to go on with it.
type entry struct {
	Incident
	key      string
	place    *list.Element
	touched  time.Time                    // when anything was heard of it, on our clock
	reported time.Time                    // when an attempt was last reported, on the log's clock
	unsaid   int                          // attempts since then
	changed  map[diagnose.Cause]time.Time // when a change to a cause was last reported
	told     *diagnose.Diagnosis          // the one told last, where that of the incident is another cause
	counted  []counted                    // the last ones, the oldest first
	dropped  []uint32                     // sums of the pods that there is no room for
	// endUID is the attempt that ended it, if one did; arrived is set once nobody has
	// to be told of the end any more.
	endUID  string
	arrived bool

	size             int // that counts in Store.size
	details, unsaved *list.Element
	saved            bool // TakeUnsaved has returned it
	forgotten        bool // it is neither open nor ended any more
}

// NewStore returns an empty store.
func NewStore(cfg Config) *Store {
	return &Store{
		cfg: cfg, open: make(map[string]*entry), quiet: list.New(),
		waiting: make(map[string][]*entry), details: list.New(), unsaved: list.New(),
	}
}

// Has reports whether there is something to tell of an attempt even if it succeeded:
// the image has an open incident, or had one that it ended.
func (s *Store) Has(a attempt.Attempt) bool {
	return s.open[key(a)] != nil || s.endedWith(a) != nil
}

// Apply folds one attempt into the incidents and emits what there is to tell.
func (s *Store) Apply(a attempt.Attempt, d diagnose.Diagnosis, now time.Time, emit func(Change)) {
	e := s.open[key(a)]
	if (a.BackOff || a.Late) && len(a.Pods) > 0 {
		if a.Pods = s.withoutGone(a.Pods, now); len(a.Pods) == 0 {
			return
		}
	}
	switch {
	case s.tellAgain(a, d, now, emit):
	case a.Succeeded:
		if e != nil {
			s.recover(e, a, now, emit)
		}
	case e != nil && (a.Late || a.BackOff):
		s.touch(e, now)
		s.addPods(e, a.Pods)
		s.note(e)
		s.bound()
	case a.Late:
	default:
		s.fail(e, a, d, now, emit)
	}
}

// Stall tells of a pull that is in flight still. It is no attempt of an incident, but
// there may be one of its image.
func (s *Store) Stall(a attempt.Attempt, d diagnose.Diagnosis, now time.Time, emit func(Change)) {
	c := Change{Kind: Stalled, Incident: Incident{Image: a.Image, Ref: a.Ref, Registry: a.Registry}, Attempt: &a, Diagnosis: d, At: now}
	if e := s.open[key(a)]; e != nil {
		c.Incident = e.snapshot()
	}
	emit(c)
}

// key is what the attempts of one incident have in common: the image, or the
// container where no line named the image.
func key(a attempt.Attempt) string {
	switch {
	case a.Ref != "":
		return clip(a.Ref, maxName)
	case a.Image != "":
		return clip(a.Image, maxName)
	case len(a.Pods) > 0:
		p := a.Pods[0]
		return p.Namespace + "/" + p.Name + "/" + p.Container
	default:
		return a.UID
	}
}

func (s *Store) fail(e *entry, a attempt.Attempt, d diagnose.Diagnosis, now time.Time, emit func(Change)) {
	if e == nil {
		e = s.begin(a, d)
	}
	s.touch(e, now)
	s.addPods(e, a.Pods)
	e.LastSeen = latest(e.LastSeen, a.End)
	if a.Failure != nil {
		e.LastError = strings.Clone(clip(a.Failure.Text, maxError))
	}
	e.Attempts++
	e.unsaid++
	c := counted{UID: a.UID, Number: e.Attempts}
	told := e.toldLast()
	changed := told.Cause != d.Cause && told.Cause != diagnose.BackOff
	if s.worthTelling(e, a.End) || changed && longAgo(e.changed[d.Cause], a.End) {
		c.Since = e.unsaid
		e.reported, e.unsaid, e.told = a.End, 0, nil
		if changed {
			c.Previous = e.changeTo(d.Cause, told, a.End)
		}
	} else if changed {
		e.told = &told
	}
	e.Diagnosis = owned(d)
	e.count(c)
	s.note(e)
	s.detailed(e)
	c.tell(e, a, d, now, emit)
	s.bound()
}

func (s *Store) begin(a attempt.Attempt, d diagnose.Diagnosis) *entry {
	id := sha256.Sum256([]byte(key(a) + "\x00" + a.UID))
	e := &entry{Incident: Incident{
		ID: hex.EncodeToString(id[:8]), Ref: strings.Clone(clip(a.Ref, maxName)),
		State: Open, FirstSeen: a.End, LastSeen: a.End, Diagnosis: owned(d),
	}}
	e.key, e.Image, e.Registry = within(e.Ref, key(a)), within(e.Ref, clip(a.Image, maxName)), within(e.Ref, clip(a.Registry, maxName))
	e.place = s.quiet.PushBack(e)
	s.open[e.key] = e
	return e
}

// within is s, or its copy if it is not how another text begins or ends: there may be
// thousands of incidents, and most images are written as they are looked up.
func within(text, s string) string {
	switch {
	case strings.HasPrefix(text, s):
		return text[:len(s)]
	case strings.HasSuffix(text, s):
		return text[len(text)-len(s):]
	}
	return strings.Clone(s)
}

func (s *Store) touch(e *entry, now time.Time) {
	e.touched = now
	s.quiet.MoveToBack(e.place)
	s.unsavedNow(e)
}

func (s *Store) recover(e *entry, a attempt.Attempt, now time.Time, emit func(Change)) {
	e.LastSeen = latest(e.LastSeen, a.End)
	e.ClosedAt, e.endUID = a.End, a.UID
	s.close(e, StateRecovered, now)
	e.tellRecovery(a, now, emit)
}

func (e *entry) tellRecovery(a attempt.Attempt, now time.Time, emit func(Change)) {
	emit(Change{
		Kind: Recovered, Incident: e.snapshot(), Attempt: &a, Diagnosis: e.Diagnosis, Previous: e.Diagnosis,
		Number: e.Attempts, Since: e.unsaid, WhatChanged: whatChanged(e.Diagnosis), At: now,
	})
}

// whatChanged infers from the cause what must have been put right for the very
// same reference to be pulled now.
func whatChanged(d diagnose.Diagnosis) string {
	switch d.Owner {
	case "credentials":
		return "new_credentials"
	case "registry", "network":
		return "registry"
	default:
		if d.Cause == diagnose.ManifestNotFound {
			return "registry"
		}
		return "unknown"
	}
}

// Expire abandons the incidents of which nothing was heard for AbandonAfter.
func (s *Store) Expire(now time.Time, emit func(Change)) {
	s.ExpireWhile(func() bool { return true }, now, emit)
}

// ExpireWhile does the same as long as there is room for a change, and reports whether
// it has done all. Thousands of incidents may end in one moment.
func (s *Store) ExpireWhile(room func() bool, now time.Time, emit func(Change)) (all bool) {
	for len(s.again) > 0 {
		if !room() {
			return false
		}
		s.again[0].tellAbandoned(now, emit)
		s.again = s.again[1:]
	}
	s.again = nil
	s.forgetEnded(now)
	for front := s.quiet.Front(); front != nil; front = s.quiet.Front() {
		e := front.Value.(*entry) //nolint:errcheck // the list holds nothing else
		if now.Sub(e.touched) < s.cfg.AbandonAfter {
			break
		}
		if !room() {
			return false
		}
		s.abandon(e, now, emit)
	}
	return true
}

func (s *Store) abandon(e *entry, now time.Time, emit func(Change)) {
	e.ClosedAt = now
	s.close(e, StateAbandoned, now)
	e.tellAbandoned(now, emit)
}

func (e *entry) tellAbandoned(now time.Time, emit func(Change)) {
	emit(Change{
		Kind: Abandoned, Incident: e.snapshot(), Diagnosis: e.Diagnosis, Previous: e.Diagnosis,
		Number: e.Attempts, Since: e.unsaid, At: now,
	})
}

func (s *Store) close(e *entry, state State, now time.Time) {
	e.State, e.touched = state, now
	s.drop(e)
	s.end(e)
	s.note(e)
	s.bound()
}

// drop takes an incident off the open ones.
func (s *Store) drop(e *entry) {
	delete(s.open, e.key)
	s.quiet.Remove(e.place)
	for _, p := range e.Pods {
		s.forgetWaiting(e, nameOf(p.Pod))
	}
}

// Open returns the open incidents, the one heard of last first.
func (s *Store) Open() []Incident {
	incidents := make([]Incident, 0, len(s.open))
	for place := s.quiet.Back(); place != nil; place = place.Prev() {
		e := place.Value.(*entry) //nolint:errcheck // the list holds nothing else
		incidents = append(incidents, e.snapshot())
	}
	return incidents
}

// OpenByCause counts the open incidents.
func (s *Store) OpenByCause() map[diagnose.Cause]int {
	counts := make(map[diagnose.Cause]int)
	for _, e := range s.open {
		counts[e.Diagnosis.Cause]++
	}
	return counts
}

// Get returns an incident, open or closed, by its id.
func (s *Store) Get(id string) (Incident, bool) {
	for _, e := range s.open {
		if e.ID == id {
			return e.snapshot(), true
		}
	}
	at := slices.IndexFunc(s.closed, func(i Incident) bool { return i.ID == id })
	if at < 0 {
		return Incident{}, false
	}
	return s.closed[at], true
}

// Closed returns the last closed incidents, newest first.
func (s *Store) Closed() []Incident {
	closed := slices.Clone(s.closed)
	slices.Reverse(closed)
	return closed
}

// Evicted is how many open incidents were given up because there were more than MaxOpen, or
// all together took too much memory.
func (s *Store) Evicted() int64 { return s.evicted }

// snapshot is the incident as it is now; nothing in it changes later.
func (e *entry) snapshot() Incident {
	i := e.Incident
	i.Pods = slices.Clone(e.Pods)
	return i
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
