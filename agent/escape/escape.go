// Package escape writes text so that the reader sees every character of it. Image names
// and errors are written by pod authors and registries, and may hold characters that a
// terminal obeys (C0 and C1 controls), that reorder what stands around them (bidirectional
// controls, Unicode UAX #9) or that cannot be seen (zero-width and other format
// characters). Start at [JSON] and [Hidden].
package escape

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Hidden reports whether r must not be shown as it is. Newlines and tabs are hidden too;
// whoever writes several lines makes an exception for them.
func Hidden(r rune) bool {
	if r >= ' ' && r <= '~' {
		return false
	}
	// Letters and marks of these two properties are drawn as nothing: Hangul fillers,
	// U+034F, variation selectors.
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// JSON returns v as JSON on one line, with each hidden character as \uXXXX. A parser reads
// the same text from it. The characters < > & stay as they are.
func JSON(v any) ([]byte, error) { return encode(v, "") }

// IndentedJSON is [JSON] on several lines.
func IndentedJSON(v any) ([]byte, error) { return encode(v, "  ") }

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	text := b.Bytes()
	return visible(text[:len(text)-1]), nil // without Encode's newline
}

// NewEncoder returns an encoder that writes values to w as [JSON] does, each with a
// newline.
func NewEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(Writer(w))
	enc.SetEscapeHTML(false)
	return enc
}

// Writer returns a writer that passes JSON on to w with its hidden characters escaped.
// Each Write must end between two characters, as those of encoding/json and log/slog do.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ w io.Writer }

func (w writer) Write(text []byte) (int, error) {
	if _, err := w.w.Write(visible(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// visible escapes what is hidden in JSON. Outside of its strings JSON is ASCII, and inside
// of them encoding/json has escaped all controls below U+0020.
func visible(text []byte) []byte {
	first := bytes.IndexFunc(text, hiddenInJSON)
	if first < 0 {
		return text
	}
	escaped := append(make([]byte, 0, len(text)+64), text[:first]...)
	for rest := text[first:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if hiddenInJSON(r) {
			escaped = appendEscape(escaped, r)
		} else {
			escaped = append(escaped, rest[:size]...)
		}
		rest = rest[size:]
	}
	return escaped
}

// hiddenInJSON leaves the white space between JSON's tokens alone.
func hiddenInJSON(r rune) bool { return r > '~' && Hidden(r) }

// appendEscape writes r as JSON does: what is beyond U+FFFF as two surrogates (RFC 8259
// section 7).
func appendEscape(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return appendUnit(appendUnit(b, high), low)
	}
	return appendUnit(b, r)
}

func appendUnit(b []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
