package detect

import (
	"bytes"
	"strings"
	"time"

	"pullcause/agent/redact"
	"pullcause/logtail"
)

// detection is one call of Detect.
type detection struct {
	rec      logtail.Record
	loc      *time.Location
	emit     func(Signal)
	detector *Detector

	entry   entry
	raw     string    // of entry, once it was asked for
	stamp   time.Time // when the log system stamped the record; zero if it did not
	foreign bool      // the log system names a program that is none of ours

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

func (d *detection) failure(text string) *Failure { return d.detector.failure(text) }

func (d *detection) accepts(form Forms) bool { return d.detector.Accept&form != 0 }

// known reports whether the source knows who wrote the record.
func (d *detection) known() bool { return d.rec.Program != "" && d.rec.Program != Event }

// maxNesting bounds how often a record may be the text inside another one.
const maxNesting = 2

// record reads one record and reports whether it said anything.
func (d *detection) record(body []byte, depth int) bool {
	e := d.open(body, depth)
	if e.format == klog && len(e.head) > 0 && bytes.IndexByte(body, '\n') >= 0 {
		e = d.open(cleaned(body, e.head), depth)
	}
	d.entry, d.raw = e, ""
	d.foreign = d.foreign || e.foreign() && !d.known()
	switch {
	case d.foreign && !d.accepts(AnyText):
		return false
	case e.format == klog:
		return d.klog()
	case e.format == text:
		return d.plain(valid(string(e.message)))
	}
	if d.fields() || depth < maxNesting && d.wrapped(depth) {
		return true
	}
	// An object may be the end of a text: docker answers errors as one.
	return d.accepts(AnyText) && e.format == object && len(e.head) > 0 && d.plain(valid(string(e.line)))
}

// open finds the record in a line. Without AnyText it must stand where its program
// writes it: at the beginning, or behind the envelope of a log system. An entry of the
// journal has none, nor has a line inside of another record.
func (d *detection) open(line []byte, depth int) entry {
	if d.accepts(AnyText) {
		return open(line)
	}
	e, ok := openRecord(line)
	if !ok || len(e.head) > 0 && (depth > 0 || !d.rec.Time.IsZero()) {
		return entry{body: line, line: line, message: line, tag: e.tag}
	}
	return e
}

// fields reads a record of keys and values: logrus of the runtimes, or the
// kubelet's JSON.
func (d *detection) fields() bool {
	msg, f, ok := d.entry.fields().message()
	if !ok || !d.accepts(AnyText) && !ownFields(d.entry.format, f) {
		return false
	}
	if d.entry.format == object {
		if _, ok := f.get("caller"); ok {
			return d.kubelet(msg, f)
		}
	}
	return d.containerd(msg, f) || d.ofRequest(msg, f) && d.crio(msg, f) || d.dockerd(msg, f) ||
		d.accepts(AnyText) && d.crictl(msg)
}

// ownFields reports whether a record has the fields of a runtime's or the kubelet's. Of
// a supervisor it names the component. JSON of the kubelet has ts and caller, no level
// (kubernetes v1.37.2 staging/src/k8s.io/component-base/logs/json/json.go), that of
// logrus level and time (logrus v1.10.2 json_formatter.go); zap, zerolog and slog write
// others.
func ownFields(outer format, f fields) bool {
	if outer == logfmt {
		component, ok := f.get("component")
		return !ok || programs(component.text()) != ""
	}
	level, leveled := f.get("level")
	if _, ok := f.get("caller"); ok {
		ts, ok := f.get("ts")
		return ok && ts.enc == bare && !leveled
	}
	at, ok := f.get("time")
	return ok && at.enc == quoted && level.enc == quoted
}

// ofRequest reports whether a record may be CRI-O's: its lines about a pull name the
// request that they belong to, as id= and name=/runtime.v1.ImageService/PullImage (cri-o
// v1.36.3 internal/log/log.go). Others write the same words without.
func (d *detection) ofRequest(msg value, f fields) bool {
	if d.accepts(AnyText) || msg.startsWith("Starting CRI-O, ") || msg.startsWith("Ping ") {
		return true
	}
	name, _ := f.get("name")
	_, ok := f.get("id")
	return ok && starts(name.raw, "/runtime.")
}

// wrapped looks for a record inside of a field, in which a log driver or a supervisor
// keeps the line of another program.
func (d *detection) wrapped(depth int) bool {
	outer := d.entry
	f := outer.fields()
	if outer.format == logfmt {
		if _, supervised := f.get("component"); !supervised {
			return false
		}
	}
	for _, w := range wrappers {
		v, ok := f.get(w.key)
		if !ok || v.enc != quoted || !w.holds(outer.format, f) && !d.accepts(AnyText) {
			continue
		}
		inner := []byte(strings.TrimRight(v.text(), "\n"))
		if e := d.open(inner, depth+1); e.format == text {
			continue
		}
		d.foreign = d.foreign || w.key == "MESSAGE" && !ofJournal(f) && named(f)
		if t, ok := stampOf(outer, f); ok {
			d.stamp = t
		}
		return d.record(inner, depth+1)
	}
	return false
}

// wrappers are the fields that hold a line, and where they do: docker's json-file,
// journalctl -o json, k0s. Log collectors put lines into other objects.
var wrappers = [...]struct {
	key   string
	holds func(outer format, f fields) bool
}{
	{"log", func(outer format, f fields) bool {
		_, ok := f.get("stream") // moby v28 daemon/logger/jsonfilelog/jsonlog/jsonlogbytes.go
		return ok && outer == object
	}},
	{"MESSAGE", func(outer format, f fields) bool { return outer == object && ofJournal(f) }},
	{"message", func(format, fields) bool { return false }},
	{"msg", func(outer format, f fields) bool {
		return outer == logfmt && programs(f.text("component")) != "" // k0s v1.31 pkg/supervisor
	}},
}

// ofJournal reports whether an entry that journalctl printed as JSON was written by a
// runtime or a kubelet (man 7 systemd.journal-fields), and not by a container, whose
// output dockerd writes as its own unit.
func ofJournal(f fields) bool {
	if _, ok := f.get("CONTAINER_ID"); ok {
		return false
	}
	return programs(f.text("_SYSTEMD_UNIT")) != "" || programs(f.text("SYSLOG_IDENTIFIER")) != ""
}

// named reports whether an entry of the journal names its writer.
func named(f fields) bool {
	_, unit := f.get("_SYSTEMD_UNIT")
	_, identifier := f.get("SYSLOG_IDENTIFIER")
	return unit || identifier
}

// stampOf is when the log system that wrote an object received the line in it:
// journald in microseconds since 1970, docker's json-file as RFC 3339.
func stampOf(outer entry, f fields) (time.Time, bool) {
	if v, ok := f.get("__REALTIME_TIMESTAMP"); ok && len(v.raw) < len("1795474127626362000") {
		n := digits(v.raw)
		return time.UnixMicro(int64(n)).UTC(), n > 0
	}
	if v, ok := f.get("time"); ok && outer.format == object {
		return isoTime(v.raw, time.UTC)
	}
	return time.Time{}, false
}

// signal begins a signal of this record.
func (d *detection) signal(kind Kind, program string) Signal {
	if d.foreign {
		program = Text
	}
	s := Signal{
		Kind: kind, Program: program, Observed: d.rec.Observed,
		Pos: d.rec.Pos, End: d.rec.End,
	}
	s.Time, s.Undated = d.time()
	return s
}

// time is when the record was written, or read if it has no time that can be read.
// What the log system stamped is surer than a text without year and zone.
func (d *detection) time() (t time.Time, undated bool) {
	stamp := d.stamp
	if stamp.IsZero() && d.entry.format == klog {
		first, _ := word(d.entry.head)
		stamp, _ = isoTime(first, d.loc)
	}
	ref := d.rec.Observed
	if plausible(stamp) {
		if ref = stamp; d.entry.format == klog || d.entry.format == text {
			return stamp, false
		}
	}
	if t, ok := d.entry.time(ref, d.loc); ok {
		return t, false
	}
	if plausible(stamp) {
		return stamp, false
	}
	return d.rec.Observed, true
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
// and cut to [maxRaw]. The fields behind a long error are kept where all of the record
// is redacted; a piece of it alone could begin within a credential.
func excerpt(e entry) string {
	record := withoutSpec(e.line)
	if len(record) <= maxParsed {
		text, _ := clipped(valid(redact.Text(string(record))), 0, maxRaw)
		return text
	}
	begin := clean(string(beforeSpace(record, maxRaw)), maxRaw)
	text, _ := clipped(begin, len(record)-len(begin), maxRaw)
	return text
}
