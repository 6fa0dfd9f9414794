package export

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"pullcause/agent/escape"
)

// Bounds of the attributes of one record, in bytes. All of it comes out of logs that
// pod authors and registries have a say in. [MaxRecord] bounds their sum.
const (
	// MaxOriginal bounds log.record.original.
	MaxOriginal = 16 << 10
	maxText     = 8 << 10 // an error, the hosts tried
	maxPods     = 32 << 10
	maxName     = 2 << 10 // an image, a name, a URL
	maxBody     = 1 << 10
)

// attributes grows in the order of its calls and leaves out what is unknown.
type attributes []Attribute

// text adds a string of at most limit bytes; an empty one is left out.
func (a *attributes) text(key, value string, limit int) {
	if value != "" {
		*a = append(*a, Attribute{Key: key, Value: clip(value, limit)})
	}
}

// name is text for what should be short.
func (a *attributes) name(key, value string) { a.text(key, value, maxName) }

// nonzero adds a number that is never 0 where it is known.
func (a *attributes) nonzero(key string, value int64) {
	if value != 0 {
		*a = append(*a, Attribute{Key: key, Value: value})
	}
}

func (a *attributes) add(key string, value any) {
	*a = append(*a, Attribute{Key: key, Value: value})
}

// array adds items as one JSON array of at most limit bytes; where that is not
// enough, with the later half of them left out, and half again.
func array[T any](a *attributes, key string, items []T, limit int) {
	for ; len(items) > 0; items = items[:len(items)/2] {
		if text, err := escape.JSON(items); err == nil && len(text) < limit {
			a.add(key, string(text))
			return
		}
	}
}

// clip returns at most limit bytes of s, cut between runes.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	limit -= len(ellipsis)
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + ellipsis
}

const ellipsis = "…"

// clipAll clips each text.
func clipAll(texts []string, limit int) []string {
	clipped := make([]string, len(texts))
	for i, s := range texts {
		clipped[i] = clip(s, limit)
	}
	return clipped
}

// oneLine makes s fit for one line on a terminal: every run of white space
// becomes a blank, every other control character a replacement.
func oneLine(s string, limit int) string {
	s = clip(s, limit)
	if isPrintable(s) {
		return s
	}
	s = strings.Join(strings.Fields(s), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
	return clip(s, limit) // a replacement may be longer than what it replaces
}

// isPrintable reports whether s is plain ASCII text without control characters.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
