package detect

import "bytes"

// Bounds of a record of several lines.
const (
	maxRecordLines = 200
	maxRecordBytes = 256 << 10
)

// Unfinished reports whether the record continues on the next line: klog
// writes a value of several lines as "err=<", the lines each behind a tab, and
// " >" (klog v2.140.0 internal/serialize/keyvalues.go); the specification of a
// container goes on where its arguments hold newlines. The caller joins the
// following line with a newline and asks again. It gives up at 200 lines or
// 256 KiB, and at a line that cannot belong to the record; Detect reads such a
// line on its own.
func Unfinished(record []byte) bool {
	for len(record) > 0 {
		end, unclosed := firstRecord(record)
		if unclosed {
			return end <= maxRecordBytes && bytes.Count(record[:end], []byte("\n")) < maxRecordLines
		}
		record = record[min(len(record), end+1):]
	}
	return false
}

// GaveUp reports whether a record that is not [Unfinished] lacks the end of a
// value all the same, because of the bounds: the rest of it is lost.
func GaveUp(record []byte) bool {
	_, unclosed := firstRecord(record)
	return unclosed
}

// firstRecord is the length of the first record in what was joined, and whether a
// value or a specification in it still lacks its end. All of a text that opens none is
// one record.
func firstRecord(b []byte) (end int, unclosed bool) {
	end = lineEnd(b)
	block := opensBlock(b[:end])
	if !block && !opensSpec(b[:end]) {
		return len(b), false
	}
	e := open(b[:end])
	if e.format != klog {
		return len(b), false
	}
	unclosed = true
	for unclosed && end < len(b) {
		next := end + 1
		n := lineEnd(b[next:])
		line := withoutHead(b[next:next+n], e.head)
		if !belongs(line, block) {
			return end, false
		}
		switch {
		case !block:
			unclosed = !bytes.Contains(line, []byte("}"+startFailedMark))
		case closesBlock(line):
			unclosed = opensBlock(line)
		}
		end = next + n
	}
	if !block && !unclosed {
		end = len(b) // what the registry answered may follow
	}
	return end, unclosed
}

// belongs reports whether a line can be one of a value or, if it is no block, of a
// container's specification, which holds any text.
func belongs(line []byte, block bool) bool {
	if block {
		return closesBlock(line) || inBlock(line)
	}
	return klogHeader(line) == 0 && !startsLogfmt(line)
}

// opensSpec reports whether a line of klog has a container's specification that a
// newline in its arguments breaks (kubelet up to 1.30, which prints it as it is:
// pkg/kubelet/kuberuntime/kuberuntime_manager.go).
func opensSpec(line []byte) bool {
	const spec = "&Container{Name:"
	n := bytes.IndexByte(line, '&') // rare, so that nearly every line is done with
	if n < 0 || !starts(line[n:], spec) || bytes.Contains(line[n:], []byte(startFailedMark)) {
		return false
	}
	before := line[:n]
	return has(before, "] container ") || has(before, "] init container ") || has(before, "] ephemeral container ")
}

func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return len(b)
	}
	return n
}

func opensBlock(line []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(line, "\r"), []byte("=<"))
}

func closesBlock(line []byte) bool { return starts(line, " >") }

// inBlock reports whether a line can be one of a value: klog puts a tab before
// it, a terminal that was copied from makes spaces of the tab.
func inBlock(line []byte) bool {
	return len(line) == 0 || line[0] == '\t' || starts(line, "        ")
}

// withoutHead takes off a line what stands in front of its record's first line
// too: journald's short format repeats the tag, a CRI log the stream.
func withoutHead(line, head []byte) []byte {
	if len(head) == 0 {
		return line
	}
	mark := head[bytes.LastIndexByte(bytes.TrimRight(head, " "), ' ')+1:]
	n := bytes.Index(line[:min(len(line), maxHead)], mark)
	if n < 0 {
		return line
	}
	return line[n+len(mark):]
}

// cleaned is a klog record of several lines with what stands in front of it in
// front of its first line only.
func cleaned(record, head []byte) []byte {
	if len(head) == 0 || bytes.IndexByte(record, '\n') < 0 {
		return record
	}
	out := make([]byte, 0, len(record))
	for i, line := range bytes.Split(record, []byte("\n")) {
		if i > 0 {
			out = append(append(out, '\n'), withoutHead(line, head)...)
			continue
		}
		out = append(out, line...)
	}
	return out
}

// MayContinue reports whether a record could have a further line: one of a klog
// value, or one of a registry's answer that an event or an unstructured line
// repeats as it came, newlines included. Whether the line that follows is one,
// [Continues] tells.
func MayContinue(record []byte) bool {
	if Unfinished(record) {
		return true
	}
	if len(record) > maxRecordBytes || !mentionsImage(record) {
		return false
	}
	e := open(record)
	return e.format == text || e.format == klog && !e.structured()
}

// Continues reports whether next, a line by itself, belongs to the record
// before it.
func Continues(record, next []byte) bool {
	if Unfinished(record) {
		first := record[:lineEnd(record)]
		return belongs(withoutHead(next, open(first).head), opensBlock(first))
	}
	return registryLine(bytes.TrimSpace(next)) && MayContinue(record)
}

// registryCodes are the error codes of registries as containerd and docker
// print them (OCI distribution spec 1.1, "Error Codes"; containerd v2.4.2
// core/remotes/docker/errcode.go), and what docker 1.x says of a second try.
var registryCodes = [...]string{
	"blob unknown", "blob upload invalid", "blob upload unknown", "denied", "digest invalid",
	"manifest blob unknown", "manifest invalid", "manifest unknown", "manifest unverified",
	"name invalid", "name unknown", "pagination number invalid", "size invalid", "tag invalid",
	"toomanyrequests", "unauthorized", "unavailable", "unknown", "unsupported",
	"v1 ping attempt failed with error", "v2 ping attempt failed with error",
}

// registryLine reports whether a line is one entry of a registry's answer.
func registryLine(line []byte) bool {
	for _, code := range registryCodes {
		if starts(line, code) && (len(line) == len(code) || line[len(code)] == ':') {
			return true
		}
	}
	return false
}

// mentionsImage is the cheapest test that a text is about a pull at all.
func mentionsImage(b []byte) bool {
	return bytes.Contains(b, []byte("mage")) || bytes.Contains(b, []byte("daemon"))
}
