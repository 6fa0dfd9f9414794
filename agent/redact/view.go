package redact

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLevels bounds how many levels of escaping are read. The kubelet quotes a
// runtime's error up to three times, and a log driver once more.
const maxLevels = 7

// view is a text with some levels of escaping taken off.
type view struct {
	text string
	// at is where each byte of text begins in the original; nil for the original.
	at []int32
}

// unescape takes one level of escaping off; ok is false if there is none. The
// result is shorter than v, so all levels together take linear time.
func (v view) unescape() (next view, ok bool) {
	i := nextEscape(v.text, 0)
	if i < 0 {
		return v, false
	}
	var out strings.Builder
	out.Grow(len(v.text))
	at := make([]int32, 0, len(v.text)+1)
	done := 0
	for i >= 0 {
		out.WriteString(v.text[done:i])
		at = v.origins(at, done, i)
		r, n := escapeAt(v.text[i:])
		for range utf8.RuneLen(r) {
			at = append(at, v.origin(i))
		}
		out.WriteRune(r)
		done = i + n
		i = nextEscape(v.text, done)
	}
	out.WriteString(v.text[done:])
	at = v.origins(at, done, len(v.text))
	return view{out.String(), append(at, v.origin(len(v.text)))}, true
}

// origins appends where v.text[from:to] is in the original text.
func (v view) origins(at []int32, from, to int) []int32 {
	if v.at != nil {
		return append(at, v.at[from:to]...)
	}
	for i := from; i < to; i++ {
		at = append(at, int32(i))
	}
	return at
}

// origin is where the byte at i begins in the original text.
func (v view) origin(i int) int32 {
	if v.at == nil {
		return int32(i)
	}
	return v.at[i]
}

// nextEscape returns where the next escape at or behind i begins; -1 if there is none.
func nextEscape(s string, i int) int {
	for ; i < len(s); i++ {
		if c := s[i]; c != '\\' && c != '%' && c != '&' {
			continue
		}
		if _, n := escapeAt(s[i:]); n > 0 {
			return i
		}
	}
	return -1
}

// escapeAt decodes the escape at the beginning of s; n is 0 if there is none.
func escapeAt(s string) (r rune, n int) {
	switch s[0] {
	case '\\':
		return backslash(s)
	case '%':
		if len(s) > 2 && isHex(s[1]) && isHex(s[2]) {
			return hexRune(s[1:3]), 3
		}
	case '&':
		return entity(s)
	}
	return 0, 0
}

// backslash decodes an escape of Go, JSON or JavaScript. Any other backslash,
// such as that of a Windows path, stays.
func backslash(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case 'r':
		return '\r', 2
	case '"', '\'', '\\', '/', '`':
		return rune(c), 2
	case 'x':
		return fixedHex(s, 2)
	case 'u':
		return fixedHex(s, 4)
	}
	return 0, 0
}

// fixedHex decodes \xNN or \uNNNN.
func fixedHex(s string, digits int) (r rune, n int) {
	if len(s) < 2+digits {
		return 0, 0
	}
	for _, c := range []byte(s[2 : 2+digits]) {
		if !isHex(c) {
			return 0, 0
		}
	}
	return hexRune(s[2 : 2+digits]), 2 + digits
}

func hexRune(digits string) rune {
	n, _ := strconv.ParseUint(digits, 16, 32) //nolint:errcheck // all digits were tested
	if n >= utf8.RuneSelf && len(digits) == 2 || n >= 0xd800 && n < 0xe000 {
		return '_' // a part of a longer character: none of the rules needs it
	}
	return rune(n)
}

// entities are the characters that HTML and XML escape.
var entities = [...]struct {
	name string
	r    rune
}{
	{"&quot;", '"'},
	{"&amp;", '&'},
	{"&lt;", '<'},
	{"&gt;", '>'},
	{"&apos;", '\''},
}

func entity(s string) (r rune, n int) {
	if len(s) < 4 || s[1] != '#' && !isLetter(s[1]) {
		return 0, 0
	}
	if s[1] == '#' {
		return numbered(s)
	}
	for _, e := range entities {
		if len(s) >= len(e.name) && strings.EqualFold(s[:len(e.name)], e.name) {
			return e.r, len(e.name)
		}
	}
	return 0, 0
}

// numbered decodes &#34; or &#x22;.
func numbered(s string) (r rune, n int) {
	base, i := 10, len("&#")
	if s[i]|0x20 == 'x' {
		base, i = 16, i+1
	}
	end := strings.IndexByte(s[:min(len(s), i+7)], ';')
	if end < 0 {
		return 0, 0
	}
	code, err := strconv.ParseUint(s[i:end], base, 16)
	if err != nil || code == 0 || code >= 0xd800 {
		return 0, 0
	}
	return rune(code), end + 1
}
