package redact

import "strings"

// scanner walks one view of a text from left to right. Each rule is given a
// place, hides what it finds there and returns where to go on.
type scanner struct {
	s     string
	at    []int32 // of the view
	found spans   // in all views
	// addresses is set if there is an @ anywhere, which few texts have.
	addresses bool
	base64    int // end of the last run that was tested for being random
	opaque    int // end of the last text behind a ? that holds no =
}

// maxLook bounds how far a rule looks for what it may not find, so that a text
// takes linear time whatever it repeats.
const maxLook = 1024

func (x *scanner) scan(v view) {
	x.s, x.at, x.base64, x.opaque = v.text, v.at, 0, 0
	x.addresses = strings.IndexByte(x.s, '@') >= 0
	for i := 0; i < len(x.s); {
		switch c := x.s[i]; {
		case classes[c]&keyByte != 0:
			i = max(x.run(i), i+1)
		case classes[c]&mark == 0:
			i++
		case c == '@':
			i = x.address(i)
		case c == '?':
			i = x.query(i)
		case c == '#':
			i = x.fragment(i)
		case c == '<':
			i = x.element(i)
		case c == '&' && strings.HasPrefix(x.s[i:], "&{"):
			i = x.unnamedStruct(i + len("&{"))
		default:
			i++
		}
	}
}

// run applies the rules for names, tokens and random text to the run of key
// bytes that begins at i.
func (x *scanner) run(i int) int {
	s := x.s
	var seen class
	named := false
	end := i
	for trigram := uint(0); ; end++ {
		if end == len(s) || classes[s[end]]&keyByte == 0 {
			named = named || nounBegins.has(nounBegins.next(trigram, 0))
			break
		}
		seen |= classes[s[end]]
		trigram = nounBegins.next(trigram, s[end])
		named = named || nounBegins.has(trigram)
	}
	if end < len(s) && s[end] == ':' && strings.HasPrefix(s[end:], "://") {
		return x.userinfo(i, end+len("://"))
	}
	if classes[s[i]]&leader != 0 {
		if next := x.led(i, end); next > i {
			return next
		}
	}
	if end-i >= minRandom && seen.mayBeRandom() || end < len(s) && isBase64Mark(s[end]) {
		if next := x.random(i, end); next > i {
			return next
		}
	}
	if named {
		if kind := nameOf(s[i:end]); kind != noName {
			return max(end, x.named(i, end, kind))
		}
	}
	return end
}

// led applies the rules for runs that are told by how they begin.
func (x *scanner) led(i, end int) int {
	if next := x.shape(i, end); next > i {
		return next
	}
	if x.s[i] == '-' {
		return x.flag(i, end)
	}
	if next := x.scheme(i, end); next > i {
		return next
	}
	return x.echo(i, end)
}

// hide marks s[start:end] as a credential and returns end.
func (x *scanner) hide(start, end int) int {
	if start >= end || isPlaceholder(x.s[start:end]) {
		return end
	}
	if x.at != nil {
		x.found = append(x.found, span{int(x.at[start]), int(x.at[end])})
	} else {
		x.found = append(x.found, span{start, end})
	}
	return end
}

// class is what a byte can be a part of.
type class uint8

const (
	keyByte class = 1 << iota // of names, tokens and words
	upper
	lower
	digit
	mark   // a rule begins at it
	leader // a run that begins with it may be a token, a flag or a scheme
)

// classes of all bytes.
var classes = func() (classes [256]class) {
	for i := range classes {
		c := byte(i)
		switch {
		case isUpper(c):
			classes[i] = keyByte | upper
		case isLower(c):
			classes[i] = keyByte | lower
		case isDigit(c):
			classes[i] = keyByte | digit
		case c == '-' || c == '_' || c == '.':
			classes[i] = keyByte | leader
		case strings.IndexByte("@?#<&", c) >= 0:
			classes[i] = mark
		}
		if i < len(shapes) && shapes[i] != nil || strings.IndexByte("bBep", c) >= 0 {
			classes[i] |= leader
		}
	}
	return classes
}()

// mayBeRandom reports whether bytes of these classes can be a random run.
func (c class) mayBeRandom() bool { return c&(upper|lower) != 0 && c&(upper|digit) != 0 }

func isKeyByte(c byte) bool { return classes[c]&keyByte != 0 }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }
func isHex(c byte) bool    { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }
func isSpace(c byte) bool  { return isBlank(c) || c == '\n' || c == '\r' }

// skipBlanks returns where the blanks at s[i] end.
func skipBlanks(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

// skipSpace returns where the white space at s[i] ends.
func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// hasPrefixFold is strings.HasPrefix for an ASCII prefix in lower case.
func hasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && strings.EqualFold(s[:len(lower)], lower)
}

// startsLine reports whether nothing but blanks and dashes stands before s[i] in its line.
func startsLine(s string, i int) bool {
	for i > 0 && (isBlank(s[i-1]) || s[i-1] == '-') {
		i--
	}
	return i == 0 || s[i-1] == '\n' || s[i-1] == '\r'
}
