// Package redact takes credentials out of text before it is stored, shown or
// sent: userinfo and query values of URLs, Authorization values, tokens with a
// known shape, values of keys that name a secret, private keys.
//
// It is pure and works on any text: plain, Go-quoted at any depth, JSON,
// percent-encoded, cut off. Digests, image names, hosts, ports and paths stay.
// Start at [Text]; [URL] is for a string that is known to be a URL. There is
// one file for each kind of secret (url.go, pairs.go, header.go, tokens.go).
package redact

import "strings"

// Replacement stands where a credential was.
const Replacement = "REDACTED"

// maxPasses bounds how often a text is looked at again after something was
// replaced in it. One pass is enough for all but contrived texts.
const maxPasses = 8

// Text returns s with every credential replaced by [Replacement]. It takes
// linear time, allocates nothing when there is nothing to replace, and
// Text(Text(s)) == Text(s).
func Text(s string) string {
	for range maxPasses {
		t := pass(s)
		if t == s {
			return s
		}
		s = t
	}
	return s
}

// scanner goes through a text once, from left to right.
type scanner struct {
	s    string
	out  strings.Builder
	done int // s[:done] is in out
	url  int // end of the URL that the scanner is in
	at   int // the last @ of that URL, but for those of digests; -1 if there is none
	// pathAt is that before its query and fragment, if a host follows it.
	pathAt int
	pair   int // the last = seen by bareQuery
}

func pass(s string) string {
	x := scanner{s: s}
	for i := 0; i < len(s); {
		if !triggers[s[i]] || neverToken(s, i) {
			i++
			continue
		}
		i = max(x.look(i), i+1)
	}
	if x.done == 0 {
		return s
	}
	x.out.WriteString(s[x.done:])
	return x.out.String()
}

// triggers are the bytes at which a secret, or what introduces one, can be
// recognised. They are chosen to be rare, so that ordinary text is skipped.
var triggers = [256]bool{
	':': true, '=': true, '?': true, '@': true, '%': true,
	'J': true, '_': true, '-': true, '.': true, 'I': true,
	'B': true, 'b': true,
}

// look examines the text around a trigger and returns where to go on.
func (x *scanner) look(i int) int {
	switch x.s[i] {
	case ':':
		if strings.HasPrefix(x.s[i:], "://") {
			return x.userinfo(i + len("://"))
		}
		return x.colonPair(i)
	case '=':
		return x.equalsPair(i, i+1)
	case '?':
		return x.bareQuery(i + 1)
	case '@':
		return x.looseUserinfo(i)
	case '%':
		return x.percent(i)
	case 'B', 'b':
		return x.scheme(i)
	default:
		return x.token(i)
	}
}

// replace takes s[start:end] out and returns where to go on.
func (x *scanner) replace(start, end int) int {
	start = max(start, x.done)
	if start >= end || x.s[start:end] == Replacement {
		return end
	}
	x.out.WriteString(x.s[x.done:start])
	x.out.WriteString(Replacement)
	x.done = end
	return end
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// startsWord reports whether a word begins at s[i].
func startsWord(s string, i int) bool { return i == 0 || !isWord(s[i-1]) }

// hasPrefixFold is strings.HasPrefix for an ASCII prefix in lower case.
func hasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && strings.EqualFold(s[:len(lower)], lower)
}
