package export

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxRecord bounds a record, in bytes of the JSON that the spool stores. It holds for every
// record that this package makes, so that the spool refuses none, receivers accept each of
// them, and a number of records bounds memory.
const MaxRecord = 64 << 10

// fit cuts the longest attributes of a record in half until it is within [MaxRecord], and
// marks it as truncated. Each attribute has a bound of its own that leaves usual records
// alone; all of them together, or texts that JSON has to escape, may be too much.
func fit(r *Record) {
	const fixed, pair = 256, len(`{"k":"","v":""},`)
	sizes := make([]int, len(r.Attributes))
	total := fixed + jsonSize(r.UID) + jsonSize(r.Name) + jsonSize(r.Severity) + jsonSize(r.Body)
	for i, a := range r.Attributes {
		sizes[i] = valueSize(a.Value)
		total += pair + len(a.Key) + sizes[i]
	}
	if total <= MaxRecord {
		return
	}
	total += pair + len(TruncatedKey)
	for total > MaxRecord {
		i := slices.Index(sizes, slices.Max(sizes))
		a := &r.Attributes[i]
		a.Value = half(a.Value)
		total -= sizes[i]
		sizes[i] = valueSize(a.Value)
		total += sizes[i]
	}
	if !slices.ContainsFunc(r.Attributes, func(a Attribute) bool { return a.Key == TruncatedKey }) {
		r.Attributes = append(r.Attributes, Attribute{Key: TruncatedKey, Value: true})
	}
}

// half is about the first half of a value; of a list, or of a JSON array in a text, that of
// its elements.
func half(value any) any {
	switch v := value.(type) {
	case string:
		var items []json.RawMessage
		if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &items) == nil {
			var a attributes
			array(&a, "", items[:len(items)/2], len(v))
			if len(a) == 0 {
				return "[]"
			}
			return a[0].Value
		}
		return clip(v, max(len(v)/2, len(ellipsis)))
	case []string:
		if len(v) > 1 {
			return v[:len(v)/2]
		}
		return []string{}
	default:
		return value // a number or a truth value, which is never the longest
	}
}

// valueSize is how many bytes a value takes as JSON, without the quotes of a text.
func valueSize(value any) int {
	const number = 24
	switch v := value.(type) {
	case string:
		return jsonSize(v)
	case []string:
		n := 2
		for _, s := range v {
			n += jsonSize(s) + len(`"",`)
		}
		return n
	default:
		return number
	}
}

// jsonSize is how many bytes encoding/json makes of a text, without HTML escapes and quotes.
func jsonSize(s string) int {
	n := len(s)
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
				n += len(`\u2028`) - size
			}
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
			n++
		case c < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}
