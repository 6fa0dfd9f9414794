package detect

import (
	"bytes"
	"time"
)

// format is how a record is written.
type format uint8

const (
	text   format = iota // anything else: events, output of clients
	klog                 // E1123 22:48:47.626362   21023 remote_image.go:334] …
	logfmt               // time="…" level=error msg="…" (logrus, slog)
	object               // one JSON object (logrus, klog)
)

// entry is a record cut into what others put in front of it and what its
// program wrote; nothing of it is decoded yet.
type entry struct {
	format format
	// head is what stands before the program's own text: journald's short
	// format, a CRI or docker timestamp, the name of a node or of a collector.
	head []byte
	body []byte
	line []byte // both
	tag  []byte // the program's name in head, if there is one
	// message is the text behind the header (klog, text).
	message []byte
}

// maxHead bounds what others put in front of a line, in bytes.
const maxHead = 512

// openRecord opens a line that is a program's record from its beginning, or behind an
// envelope that is known. For any other line ok is false, and the format text.
func openRecord(line []byte) (e entry, ok bool) {
	e = entry{body: line, line: line, message: line}
	if len(line) == 0 || e.openAt(line, 0) {
		return e, len(line) > 0
	}
	envelope, ok := openEnvelope(line)
	if ok {
		e.tag = envelope.tag
	}
	return e, ok && envelope.size < len(line) && e.openAt(line, envelope.size)
}

// open finds where the program's own text begins, whatever stands before it: people
// paste lines behind names of nodes, timestamps of collectors and much else.
func open(line []byte) entry {
	e, ok := openRecord(line)
	if ok {
		return e
	}
	for i := range min(len(line), maxHead) {
		c := line[i]
		if c != 't' && c != 'l' && c != '{' && c != 'E' && c != 'I' && c != 'W' && c != 'F' {
			continue
		}
		if e.openAt(line, i) {
			return e
		}
	}
	return e
}

// openAt reports whether a program's text begins at line[i].
func (e *entry) openAt(line []byte, i int) bool {
	rest := line[i:]
	switch rest[0] {
	case 't', 'l':
		if !startsLogfmt(rest) || i > 0 && line[i-1] != ' ' {
			return false
		}
		e.format = logfmt
	case '{':
		if !startsObject(rest) || i > 0 && line[i-1] != ' ' {
			return false
		}
		e.format = object
	case 'E', 'I', 'W', 'F':
		n := klogHeader(rest)
		if n == 0 {
			return false
		}
		e.format, e.message = klog, rest[n:]
	default:
		return false
	}
	e.head, e.body = line[:i], rest
	return true
}

func startsLogfmt(b []byte) bool {
	return starts(b, `time="`) || starts(b, "time=2") || starts(b, "level=")
}

func startsObject(b []byte) bool {
	b = bytes.TrimLeft(b[1:min(len(b), 8)], " ")
	return starts(b, `"`)
}

// klogHeader is the length of the klog header at the start of b, 0 if there is
// none: letter, month and day, time, thread, file and line (klog v2.140.0
// internal/buffer/buffer.go).
func klogHeader(b []byte) int {
	const shape = "E0000 00:00:00.000000 "
	if len(b) < len(shape) {
		return 0
	}
	for i := 1; i < len(shape); i++ {
		switch c := b[i]; {
		case shape[i] == '0' && (c < '0' || c > '9'):
			return 0
		case shape[i] != '0' && c != shape[i]:
			return 0
		}
	}
	const longest = 300
	n := bytes.Index(b[:min(len(b), longest)], []byte("] "))
	if n < 0 {
		return 0
	}
	return n + 2
}

// fields are the keys and values of the record, for klog those behind the
// message.
func (e *entry) fields() fields {
	switch e.format {
	case object:
		return fields{rest: e.body, json: true}
	case logfmt:
		return fields{rest: e.body}
	case klog:
		_, rest := e.klogMessage()
		return fields{rest: rest}
	}
	return fields{}
}

// klogMessage splits the text behind a klog header. The message of a
// structured line is quoted; all of an unstructured one is message.
func (e *entry) klogMessage() (value, []byte) {
	if !e.structured() {
		return value{raw: e.message}, nil
	}
	n := strictQuote(e.message[1:])
	return value{e.message[1 : 1+n], quoted}, e.message[min(len(e.message), n+2):]
}

func (e *entry) structured() bool { return starts(e.message, `"`) }

// program is who wrote the record by the tag in front of it, empty if there is none
// or it is none of ours.
func (e *entry) program() string { return programs(string(e.tag)) }

// foreign reports whether the tag in front of the record is that of a program that is
// neither a runtime nor a kubelet.
func (e *entry) foreign() bool { return len(e.tag) > 0 && e.program() == "" }

// time is when the record was written: as the program itself wrote it, else as
// what stands in front says. A time that cannot be meant is none.
func (e *entry) time(ref time.Time, loc *time.Location) (time.Time, bool) {
	t, ok := e.writtenTime(ref, loc)
	return t, ok && plausible(t)
}

func (e *entry) writtenTime(ref time.Time, loc *time.Location) (time.Time, bool) {
	switch e.format {
	case klog:
		return klogTime(e.body, ref, loc)
	case logfmt, object:
		f := e.fields()
		for {
			key, v, ok := f.next()
			if !ok {
				break
			}
			if k := string(key); k == "time" || k == "ts" || k == "timestamp" {
				if t, ok := stampTime(v, loc); ok && plausible(t) {
					return t, true
				}
			}
		}
	}
	head := e.head
	if e.format == text {
		head = e.body
	}
	return headTime(head, ref, loc)
}
