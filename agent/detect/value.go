package detect

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding says how a value stands in its record.
type encoding uint8

const (
	bare   encoding = iota
	quoted          // between double quotes, with the escapes of Go or JSON
	block           // klog's lines behind "=<", a tab before each
)

// value is a value as it stands in its record, not decoded yet: a record that
// is of no interest is never decoded.
type value struct {
	raw []byte
	enc encoding
}

// startsWith compares the beginning, which must have nothing to escape.
func (v value) startsWith(prefix string) bool {
	raw := v.raw
	if v.enc == block {
		raw = bytes.TrimLeft(raw, "\t")
	}
	return starts(raw, prefix)
}

// text decodes the value. It is valid UTF-8.
func (v value) text() string {
	var s string
	switch v.enc {
	case quoted:
		s = unescape(v.raw)
	case block:
		s = unindent(v.raw)
	default:
		s = string(v.raw)
	}
	return valid(s)
}

// valid is s with what is no UTF-8 replaced.
func valid(s string) string {
	if utf8.ValidString(s) { // several times faster than to look for what to replace
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}

// unindent takes the tab off each line of a block.
func unindent(raw []byte) string {
	lines := strings.Split(string(raw), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "\t")
	}
	return strings.Join(lines, "\n")
}

// unescape decodes what stood between quotes: Go's escapes (strconv.Quote) and
// JSON's. It takes what it cannot read as it is, for lines that were cut.
func unescape[T []byte | string](raw T) string {
	n := indexByte(raw, '\\')
	if n < 0 {
		return string(raw)
	}
	var out strings.Builder
	out.Grow(len(raw))
	for n >= 0 && n+1 < len(raw) {
		write(&out, raw[:n])
		raw = raw[n+writeEscape(&out, string(raw[n:min(len(raw), n+maxEscape)])):]
		n = indexByte(raw, '\\')
	}
	write(&out, raw)
	return out.String()
}

// write is that of a builder for bytes or a text, without a copy.
func write[T []byte | string](out *strings.Builder, s T) {
	if b, ok := any(s).([]byte); ok {
		out.Write(b)
		return
	}
	out.WriteString(string(s))
}

// simpleEscapes are those of one letter.
var simpleEscapes = [256]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '"': '"', '\'': '\'', '/': '/',
}

// maxEscape is the length of the longest escape: a pair of surrogates.
const maxEscape = len(`\ud83d\ude00`)

// indexByte is that of package bytes or strings.
func indexByte[T []byte | string](s T, c byte) int {
	if b, ok := any(s).([]byte); ok {
		return bytes.IndexByte(b, c)
	}
	return strings.IndexByte(string(s), c)
}

// writeEscape decodes the escape at the start of b, which has at least two
// bytes, and returns how many it used.
func writeEscape(out *strings.Builder, b string) int {
	if c := simpleEscapes[b[1]]; c != 0 {
		out.WriteByte(c)
		return 2
	}
	digits := hexDigits(b[1])
	if digits == 0 || len(b) < 2+digits {
		out.WriteByte(b[0])
		return 1
	}
	code, err := strconv.ParseUint(string(b[2:2+digits]), 16, 32)
	if err != nil {
		out.WriteByte(b[0])
		return 1
	}
	used := 2 + digits
	if b[1] == 'x' {
		out.WriteByte(byte(code))
		return used
	}
	r := rune(code)
	if utf16.IsSurrogate(r) && len(b) >= used+6 && strings.HasPrefix(b[used:], `\u`) {
		low, err := strconv.ParseUint(string(b[used+2:used+6]), 16, 32)
		if err == nil {
			out.WriteRune(utf16.DecodeRune(r, rune(low)))
			return used + 6
		}
	}
	out.WriteRune(r)
	return used
}

// hexDigits is how many follow the letter of an escape.
func hexDigits(letter byte) int {
	switch letter {
	case 'x':
		return 2
	case 'u':
		return 4
	case 'U':
		return 8
	}
	return 0
}
