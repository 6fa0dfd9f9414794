// Package tally counts which failed pulls a receiver was told of, by the tag of
// their image. Start at [New] and hand [Tally.Add] to a receiver.
package tally

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
)

// Arrival is what was received about one pull.
type Arrival struct {
	// UIDs are the different ones, in the order of their arrival; Records is how
	// many records there were.
	UIDs    []string
	Records int
	// Cause is the error.type of the first record, Received when it came.
	Cause    string
	Received time.Time
}

// Tally counts records. It is safe for concurrent use.
type Tally struct {
	mu       sync.Mutex
	arrivals map[string]*Arrival
	others   map[string]int // records of other events, by name
	changed  chan struct{}  // closed at each change
}

// New returns an empty tally.
func New() *Tally {
	return &Tally{arrivals: make(map[string]*Arrival), others: make(map[string]int), changed: make(chan struct{})}
}

// Add takes one record.
func (t *Tally) Add(r otlptest.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Name != export.EventFailed {
		t.others[r.Name]++
		return
	}
	tag, uid := text(r, export.ImageTagKey), text(r, export.LogRecordUIDKey)
	a := t.arrivals[tag]
	if a == nil {
		a = &Arrival{Cause: text(r, export.ErrorTypeKey), Received: r.Received}
		t.arrivals[tag] = a
	}
	a.Records++
	if !slices.Contains(a.UIDs, uid) {
		a.UIDs = append(a.UIDs, uid)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func text(r otlptest.Record, key string) string {
	s, _ := r.Attributes[key].(string) //nolint:errcheck // absent and odd ones count as unknown
	return s
}

// Get returns what was received about the pull of a tag.
func (t *Tally) Get(tag string) (Arrival, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, ok := t.arrivals[tag]
	if !ok {
		return Arrival{}, false
	}
	return *a, true
}

// Len is the number of different pulls so far.
func (t *Tally) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.arrivals)
}

// Wait returns once n different pulls have arrived, or with an error when ctx
// ends first.
func (t *Tally) Wait(ctx context.Context, n int) error {
	for {
		t.mu.Lock()
		got, changed := len(t.arrivals), t.changed
		t.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for records: got those of %d pulls, want %d: %w", got, n, context.Cause(ctx))
		}
	}
}

// Check is how what arrived compares with what was written.
type Check struct {
	// Wanted pulls were written; Arrived of them were told of.
	Wanted, Arrived int
	// Missing are the tags of the others.
	Missing []string
	// Twice is how many records came again with the uid of an earlier one,
	// Split how many pulls came under more than one uid, False how many records
	// tell of a pull that did not fail, Misjudged how many name another cause.
	Twice, Split, False, Misjudged int
	// Samples are a few things that are wrong, in words: three of each kind.
	Samples []string
}

// maxSamples is how many there are of each kind.
const maxSamples = 3

// Good reports whether each pull arrived exactly once under its cause.
func (c Check) Good() bool {
	return c.Arrived == c.Wanted && c.Twice+c.Split+c.False+c.Misjudged == 0
}

// sample adds one if n of its kind are not too many.
func (c *Check) sample(n int, format string, args ...any) {
	if n <= maxSamples {
		c.Samples = append(c.Samples, fmt.Sprintf(format, args...))
	}
}

// Check compares with the causes of the pulls that were written, by tag.
func (t *Tally) Check(causes map[string]string) Check {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Check{Wanted: len(causes)}
	for tag, cause := range causes {
		a, ok := t.arrivals[tag]
		if !ok {
			c.Missing = append(c.Missing, tag)
			continue
		}
		c.Arrived++
		c.Twice += a.Records - len(a.UIDs)
		if len(a.UIDs) > 1 {
			c.Split++
			c.sample(c.Split, "%s came under %d uids", tag, len(a.UIDs))
		}
		if a.Cause != cause {
			c.Misjudged++
			c.sample(c.Misjudged, "%s is %s, not %s", tag, cause, a.Cause)
		}
	}
	strangers := 0
	for tag, a := range t.arrivals {
		if _, ok := causes[tag]; !ok {
			c.False += a.Records
			strangers++
			c.sample(strangers, "tag %q (%s) did not fail", tag, a.Cause)
		}
	}
	slices.Sort(c.Missing)
	return c
}
