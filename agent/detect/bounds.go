package detect

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"pullcause/agent/redact"
)

// Bounds of what leaves this package, in bytes; see also [MaxFailure]. A longer value is cut here, so that nothing downstream holds more,
// whatever a registry answers and whatever a pod author calls an image.
const (
	maxImage  = 1 << 10 // a name has at most 255 bytes, a tag 128, a digest 135 (distribution/reference v0.6.0)
	maxURL    = 2 << 10
	maxName   = 512 // pods, containers, reasons, ids, hosts
	maxError  = 1 << 10
	maxStatus = 256
	maxRaw    = MaxRaw / 2 // the text of one record of several that report the same failure
)

// MaxFailures is how many failures, or removed pods, are read from one record. One
// line of the kubelet is about one pod, or in case of SyncLoop about the pods of a
// node (110 by default); an object of Kubernetes has at most 1.5 MiB, room for a few
// hundred containers. What is beyond is counted.
const MaxFailures = 1000

// maxParsed is how much of an error is redacted and read, in bytes. What happened
// stands within it; behind it there are pages that a proxy answered.
const maxParsed = 64 << 10

// slack is how far in front of a bound a text may be cut to end at a space.
const slack = 4 << 10

// failureIn reads the error in a field. Of a long one it decodes no more than is read.
func (d *detection) failureIn(v value) *Failure {
	const most = 2 * maxParsed // escaped
	if len(v.raw) <= most {
		return d.failure(v.text())
	}
	more := len(v.raw) - most
	v.raw = v.raw[:most]
	text := v.text()
	return parseFailure(text[:strings.LastIndexByte(text, ' ')+1], more)
}

// clean redacts s and bounds it to limit bytes.
func clean(s string, limit int) string {
	if s == "" {
		return ""
	}
	return bounded(redact.Text(beforeSpace(s, limit+slack)), limit)
}

// clean is [clean] for a part of the record. It is copied if the record is long, or
// it would hold all of it in memory.
func (d *detection) clean(s string, limit int) string { return d.own(clean(s, limit)) }

func (d *detection) cleanURL(s string) string {
	if s == "" {
		return ""
	}
	return d.own(bounded(redact.URL(s), maxURL))
}

func (d *detection) cleanPod(p Pod) Pod {
	return Pod{Namespace: d.clean(p.Namespace, maxName), Name: d.clean(p.Name, maxName), UID: d.clean(p.UID, maxName)}
}

func (d *detection) own(s string) string {
	const long = 1 << 10
	if len(d.entry.line) <= long {
		return s
	}
	return strings.Clone(s)
}

// beforeSpace cuts s to limit bytes at a space, so that no half of a credential is
// left that redaction does not recognise.
func beforeSpace[T []byte | string](s T, limit int) T {
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && s[n-1] != ' ' {
		n--
	}
	return s[:n]
}

// bounded cuts s to limit bytes of valid UTF-8.
func bounded(s string, limit int) string {
	s = valid(s)
	if len(s) <= limit {
		return s
	}
	return s[:runeStart(s, limit)]
}

// runeStart is the last index up to i at which a rune of s begins.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// clipped cuts a redacted text to limit bytes and reports whether it was longer. It
// leaves out the middle and marks the place: an error begins with what was tried and
// ends with what happened. more bytes behind the text have been left out before.
func clipped(s string, more, limit int) (string, bool) {
	if len(s) <= limit && more == 0 {
		return s, false
	}
	const longestMark = len(" … [1234567890 bytes clipped] … ") + 2 // of the runes
	tail := limit / 4
	head := runeStart(s, min(len(s), limit-tail-longestMark))
	begin := max(len(s)-tail, head)
	for begin < len(s) && !utf8.RuneStart(s[begin]) {
		begin++
	}
	return fmt.Sprintf("%s … [%d bytes clipped] … %s", s[:head], begin-head+more, s[begin:]), true
}

// bound cuts what is kept of a failure that was read from text, of which more bytes
// were not read. The fields are parts of the text; if that is not kept whole, they
// must not share its memory.
func (f *Failure) bound(text string, more int) {
	f.Text, f.Clipped = clipped(text, more, MaxFailure)
	f.boundFields(f.Clipped)
	room := maxOthers
	for i, other := range f.Others {
		other.Text, other.Clipped = clipped(strings.TrimSpace(other.Text), 0, maxError)
		other.boundFields(f.Clipped || other.Clipped)
		if room -= other.size(); room < 0 {
			f.Others = f.Others[:i]
			break
		}
	}
}

// boundFields cuts all fields but Text. With copied set they get memory of their own.
func (f *Failure) boundFields(copied bool) {
	own := func(s string, limit int) string {
		if s = bounded(s, limit); copied {
			return strings.Clone(s)
		}
		return s
	}
	f.Text = own(f.Text, MaxFailure)
	for _, field := range []struct {
		text  *string
		limit int
	}{
		{&f.Leaf, maxError},
		{&f.GRPCCode, maxStatus},
		{&f.Reference, maxReference},
		{&f.Repository, maxReference},
		{&f.Method, maxStatus},
		{&f.URL, maxURL},
		{&f.StatusText, maxStatus},
		{&f.Lookup, maxName},
		{&f.Resolver, maxName},
		{&f.Peer, maxName},
		{&f.Socket, maxName},
	} {
		*field.text = own(*field.text, field.limit)
	}
	for i, entry := range f.Registry {
		f.Registry[i] = RegistryError{own(entry.Code, maxStatus), own(entry.Message, maxMessage)}
	}
}

// maxOthers bounds the further errors of a failure together, in bytes.
const maxOthers = 16 << 10

// size is how many bytes of text a failure holds.
func (f *Failure) size() int {
	n := len(f.Text) + len(f.Leaf) + len(f.Reference) + len(f.Repository) + len(f.URL) + len(f.StatusText) +
		len(f.Lookup) + len(f.Resolver) + len(f.Peer) + len(f.Socket)
	for _, e := range f.Registry {
		n += len(e.Message)
	}
	return n
}
