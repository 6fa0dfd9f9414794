package detect

import (
	"bytes"
	"strings"
	"time"

	"pullcause/logtail"
)

// Detector reads records. It remembers the errors that it parsed last, since a
// runtime and a kubelet write each of them into several lines; what it says of a
// record does not depend on that. It is not safe for concurrent use.
type Detector struct {
	// Zone is that in which the node writes times without one; nil is UTC.
	Zone *time.Location

	recent [8]parsedError
	next   int
}

type parsedError struct {
	text    string
	failure *Failure
}

// Detect is [Detector.Detect] without a memory.
func Detect(rec logtail.Record, loc *time.Location, emit func(Signal)) (skipped int) {
	return (&Detector{Zone: loc}).Detect(rec, emit)
}

// Detect emits what a record says about pulls of images: nothing for most
// records, several signals where one line is about several containers. Signals may
// share a Failure, and share no memory with the record. skipped is how many
// failures or removed pods the record names beyond the first [MaxFailures].
func (t *Detector) Detect(rec logtail.Record, emit func(Signal)) (skipped int) {
	d := detection{rec: rec, loc: orUTC(t.Zone), emit: emit, errors: t}
	for body := rec.Body; len(body) > 0; {
		end, _ := firstRecord(body)
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

// detection is one call of Detect.
type detection struct {
	rec    logtail.Record
	loc    *time.Location
	emit   func(Signal)
	errors *Detector

	entry entry
	raw   string // of entry, once it was asked for

	taken, skipped int // failures and removed pods
}

// full counts one more failure or removed pod, and reports whether the record has
// named [MaxFailures] before it: then it is skipped.
func (d *detection) full() bool {
	if d.taken == MaxFailures {
		d.skipped++
		return true
	}
	d.taken++
	return false
}

func (d *detection) failure(text string) *Failure { return d.errors.failure(text) }

// maxNesting bounds how often a record may be the text inside another one.
const maxNesting = 2

// record reads one record and reports whether it said anything.
func (d *detection) record(body []byte, depth int) bool {
	e := open(body)
	if e.format == klog && len(e.head) > 0 && bytes.IndexByte(body, '\n') >= 0 {
		e = open(cleaned(body, e.head))
	}
	d.entry, d.raw = e, ""
	switch e.format {
	case klog:
		return d.klog()
	case text:
		return d.plain(valid(string(e.message)))
	}
	return d.fields() || depth < maxNesting && d.wrapped(depth)
}

// fields reads a record of keys and values: logrus of the runtimes, or the
// kubelet's JSON.
func (d *detection) fields() bool {
	msg, f, ok := d.entry.fields().message()
	if !ok {
		return false
	}
	if d.entry.format == object {
		if _, ok := f.get("caller"); ok {
			return d.kubelet(msg, f)
		}
	}
	return d.containerd(msg, f) || d.crio(msg, f) || d.dockerd(msg, f) || d.crictl(msg)
}

// wrappers are the fields in which a log driver or a supervisor keeps the line
// of another program: docker's json-file, journalctl -o json, k0s.
var wrappers = [...]string{"log", "MESSAGE", "message", "msg"}

// wrapped looks for a record inside of a field.
func (d *detection) wrapped(depth int) bool {
	outer := d.entry
	f := outer.fields()
	if outer.format == logfmt {
		if _, supervised := f.get("component"); !supervised {
			return false
		}
	}
	for _, key := range wrappers {
		v, ok := f.get(key)
		if !ok || v.enc != quoted {
			continue
		}
		inner := []byte(strings.TrimRight(v.text(), "\n"))
		if e := open(inner); e.format != text {
			return d.record(inner, depth+1)
		}
	}
	return false
}

// signal begins a signal of this record.
func (d *detection) signal(kind Kind, program string) Signal {
	return Signal{
		Kind: kind, Program: program, Time: d.time(), Observed: d.rec.Observed,
		Pos: d.rec.Pos, End: d.rec.End,
	}
}

// time is when the record was written. What the log system stamped is surer
// than a text without year and zone.
func (d *detection) time() time.Time {
	if !d.rec.Time.IsZero() && (d.entry.format == klog || d.entry.format == text) {
		return d.rec.Time
	}
	ref := d.rec.Time
	if ref.IsZero() {
		ref = d.rec.Observed
	}
	if t, ok := d.entry.time(ref, d.loc); ok {
		return t
	}
	return d.rec.Time
}

// send emits a signal that reports a problem, with its raw record. All of its text
// is redacted and bounded here.
func (d *detection) send(s Signal) {
	if d.raw == "" {
		d.raw = excerpt(d.entry)
	}
	s.Raw = d.raw
	s.Reason, s.RequestID = d.clean(s.Reason, maxName), d.clean(s.RequestID, maxName)
	s.Container, s.Pod = d.clean(s.Container, maxName), d.cleanPod(s.Pod)
	s.Host.Host, s.Host.Error = d.clean(s.Host.Host, maxName), d.clean(s.Host.Error, maxError)
	s.Host.URL, s.Host.Method = d.cleanURL(s.Host.URL), d.clean(s.Host.Method, maxName)
	d.sendBare(s)
}

// sendBare emits a signal of a pull that goes well, without its record: nothing
// reads it.
func (d *detection) sendBare(s Signal) {
	s.Image = d.clean(s.Image, maxImage)
	d.emit(s)
}

// excerpt is the text of a record, with what others put in front of it, redacted
// and cut to [MaxRaw].
func excerpt(e entry) string {
	record := withoutSpec(e.line)
	text := clean(string(beforeSpace(record, MaxRaw+slack)), MaxRaw)
	if len(record) <= MaxRaw {
		return text
	}
	const mark = " … [clipped]"
	return strings.Clone(bounded(text, MaxRaw-len(mark))) + mark
}
