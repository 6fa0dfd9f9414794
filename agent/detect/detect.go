package detect

import (
	"strings"
	"time"

	"pullcause/logtail"
)

// Forms are kinds of text that a [Detector] reads beside the records of runtimes and
// kubelets.
type Forms uint8

const (
	// EventText is text of Kubernetes events, as kubectl prints it.
	EventText Forms = 1 << iota
	// AnyText is whatever people paste: records behind anything, output of clients,
	// sentences that quote an error. Signals of text that is no program's own form have
	// the Program [Text].
	AnyText
)

// Detector reads records. It remembers the errors that it parsed last, since a
// runtime and a kubelet write each of them into several lines; what it says of a
// record does not depend on that. It is not safe for concurrent use.
type Detector struct {
	// Zone is that in which the node writes times without one; nil is UTC.
	Zone *time.Location
	// Accept are the further forms that are read. None by default: in a log that others
	// write to as well, only what a runtime or a kubelet writes, in the envelope of a log
	// system that names no other program, reports a failed pull.
	Accept Forms

	recent [8]parsedError
	next   int
}

type parsedError struct {
	text    string
	failure *Failure
}

// Detect is [Detector.Detect] of a detector that accepts all forms and remembers
// nothing.
func Detect(rec logtail.Record, loc *time.Location, emit func(Signal)) (skipped int) {
	return (&Detector{Zone: loc, Accept: EventText | AnyText}).Detect(rec, emit)
}

// Detect emits what a record says about pulls of images: nothing for most
// records, several signals where one line is about several containers. Signals may
// share a Failure, and share no memory with the record. skipped is how many
// failures or removed pods the record names beyond the first [MaxFailures].
func (t *Detector) Detect(rec logtail.Record, emit func(Signal)) (skipped int) {
	if rec.Program != "" && rec.Program != Event && programs(rec.Program) == "" {
		return 0 // systemd's own lines about a unit
	}
	d := detection{rec: rec, loc: orUTC(t.Zone), emit: emit, detector: t, stamp: rec.Time}
	for body := rec.Body; len(body) > 0; {
		end, _ := firstRecord(body)
		d.foreign, d.stamp = false, rec.Time
		d.record(body[:end], 0)
		body = body[min(len(body), end+1):]
	}
	return d.skipped
}

// maxRemembered bounds the errors that are remembered, in bytes.
const maxRemembered = 8 << 10

// failure is [ParseFailure] with a memory.
func (t *Detector) failure(text string) *Failure {
	if len(text) > maxRemembered {
		return ParseFailure(text)
	}
	for i := range t.recent {
		if known := &t.recent[i]; known.failure != nil && known.text == text {
			return known.failure
		}
	}
	f := ParseFailure(text)
	t.recent[t.next] = parsedError{strings.Clone(text), f}
	t.next = (t.next + 1) % len(t.recent)
	return f
}
