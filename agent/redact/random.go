package redact

import "strings"

// minRandom is the length from which on a random run is taken for a credential.
const minRandom = 20

// random hides the run that begins with s[i:end] if it is long and random, and
// no path, host, digest or id. Base64 goes on behind the key bytes.
func (x *scanner) random(i, end int) int {
	s := x.s
	if i < x.base64 {
		return i
	}
	for end < len(s) && (isKeyByte(s[end]) || isBase64Mark(s[end])) {
		end++
	}
	x.base64 = end
	if end-i < minRandom {
		return i
	}
	start := i
	for start < end && strings.IndexByte("-.=", s[start]) >= 0 {
		start++
	}
	for start < end && isWord(s[start]) && strings.IndexByte(s[start:end], '=') > 0 { // a=VALUE
		n := strings.IndexByte(s[start:end], '=')
		if start+n+1 >= end || strings.Trim(s[start+n:end], "=") == "" {
			break // the padding of base64
		}
		start += n + 1
	}
	stop := trimPunctuation(s, start, end)
	run := s[start:stop]
	if label := longestLabel(run); len(label) < minRandom || !looksRandom(label) || isSnapshotKey(run) || x.isIdentified(start) || x.isPlace(i, run, stop) {
		return i
	}
	return x.hide(start, stop)
}

// longestLabel returns the longest part of a run between dots, which base64 does
// not have: io.k8s.api.apps.v1beta2 is a name.
func longestLabel(run string) string {
	longest := ""
	for label := range strings.SplitSeq(run, ".") {
		if len(label) > len(longest) {
			longest = label
		}
	}
	return longest
}

func isBase64Mark(c byte) bool { return c == '/' || c == '+' || c == '=' || c == '~' }

// isPlace reports whether a run is a part of a URL, a path, a host name or an image.
func (x *scanner) isPlace(i int, run string, end int) bool {
	s := x.s
	if i > 0 && strings.IndexByte("/\\@%.$", s[i-1]) >= 0 && !x.startsEscape(i) {
		return true
	}
	if end < len(s) && (s[end] == '\\' && !endsInEscape(s[end:]) || s[end] == '@' || s[end] == ':' && end+1 < len(s) && isDigit(s[end+1])) {
		return true
	}
	if i > 1 && s[i-1] == ':' && isKeyByte(s[i-2]) && (isTag(run) || strings.Contains(s[wordStart(s, i):i], "/")) {
		return true // the tag of an image
	}
	first, _, found := strings.Cut(run, "/")
	return found && (first == "" || strings.Contains(first, ".")) || isHost(first)
}

// startsEscape reports whether the backslash before s[i] begins an escape that ends in s[i].
func (x *scanner) startsEscape(i int) bool {
	return x.s[i-1] == '\\' && strings.IndexByte("nrt", x.s[i]) >= 0
}

// isHost reports whether v is a name of several labels in lower case, the last of letters.
func isHost(v string) bool {
	n := strings.LastIndexByte(v, '.')
	return n > 0 && len(v)-n <= 12 && isLetters(v[n+1:]) && strings.ToLower(v) == v
}

// ids end the names of values that identify a request, an upload or an object,
// and explain a failure to the registry's operators.
var ids = [...]string{
	"id", "ids", "uid", "id-2", "id2", "ray", "trace", "uploads", "requestid", "hostid", "uploadid", "etag", "digest", "cursor", "sha256",
	"correlation", "reference", "fingerprint", "checksum", "md5",
}

// isIdentified reports whether the run at s[i] is named as an id before it: id=x,
// "RequestId":"x", <HostId>x.
func (x *scanner) isIdentified(i int) bool {
	end := i
	for end > 0 && i-end < 8 && strings.IndexByte(" \"':=>[(", x.s[end-1]) >= 0 {
		end--
	}
	start := end
	for start > 0 && end-start < maxName && isKeyByte(x.s[start-1]) {
		start--
	}
	name := x.s[start:end]
	for _, id := range ids {
		if hasSuffixFold(name, id) && isPart(name, len(name)-len(id), len(name)) {
			return true
		}
	}
	return hasSuffixFold(name, "requestid") || hasSuffixFold(name, "uploadid")
}

// looksRandom reports whether v is made of pieces too short for words, or
// without vowels: a piece is a word, perhaps capitalised, a number, or letters
// in upper case. Digests, UUIDs and other ids in hexadecimal or lower case are
// not random in this sense, nor are names in camel case.
func looksRandom(v string) bool {
	var n pieces
	for i := range len(v) {
		n.add(v, i)
	}
	n.end()
	switch {
	case n.size < 8 || !n.notHex && (n.upper == 0 || n.lower == 0):
		return false
	case n.upper == 0 && n.digits > 0:
		return n.size >= 32 && n.size == len(v) && n.count*3 > n.size
	case n.lower == 0:
		return n.digits > 2 && n.upper > 2 && n.size >= minRandom && n.size != 26 && n.size == len(v) && (n.numbers > 2 || n.count*4 > n.size)
	case n.upper < 3 || n.lower < 3:
		return false
	}
	if n.size == len(v) && n.size >= 32 && n.count*4 > n.size {
		return true
	}
	words := n.count - n.numbers
	return n.count*3 > n.size && (n.mute*4 >= words || n.numbers > 2) || n.size == len(v) && n.count*5 > n.size && n.mute*2 > words
}

// pieces counts what a text is made of.
type pieces struct {
	upper, lower, digits, size int
	count                      int // of pieces
	numbers                    int // pieces of digits
	mute                       int // pieces of letters without a vowel
	notHex                     bool
	kind                       byte // of the byte before
	vowel                      bool // the piece has one
}

func (p *pieces) add(v string, i int) {
	c := v[i]
	kind := kinds[c]
	switch kind {
	case 'A':
		p.upper++
	case 'a':
		p.lower++
	case '0':
		p.digits++
	}
	p.notHex = p.notHex || kind != 0 && !isHex(c)
	if kind != 0 {
		p.size++
		if capitalised := p.kind == 'A' && kind == 'a' && (i < 2 || kinds[v[i-2]] != 'A'); kind != p.kind && !capitalised {
			p.end()
			p.count++
			if kind == '0' {
				p.numbers++
			}
		}
		p.vowel = p.vowel || strings.IndexByte("aeiou", c|0x20) >= 0
	} else {
		p.end()
	}
	p.kind = kind
}

// end ends a piece.
func (p *pieces) end() {
	if (p.kind == 'A' || p.kind == 'a') && !p.vowel {
		p.mute++
	}
	p.vowel = false
}

// kinds of bytes: 0 for a digit, A and a for letters, nothing for separators.
var kinds = func() (kinds [256]byte) {
	for c := range kinds {
		switch b := byte(c); {
		case isDigit(b):
			kinds[c] = '0'
		case isUpper(b):
			kinds[c] = 'A'
		case isLower(b):
			kinds[c] = 'a'
		}
	}
	return kinds
}()
