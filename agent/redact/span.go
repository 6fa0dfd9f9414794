package redact

import (
	"cmp"
	"slices"
	"strings"
)

// span is a part of the original text that holds a credential.
type span struct{ start, end int }

// spans are what the rules found in all views, in the order of finding.
type spans []span

// replace returns s with each span replaced. Spans that overlap or touch are
// one credential that was found more than once.
func (found spans) replace(s string) string {
	if len(found) == 0 {
		return s
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var out strings.Builder
	done := 0
	for i := 0; i < len(found); {
		start, end := found[i].start, found[i].end
		for i++; i < len(found) && found[i].start <= end; i++ {
			end = max(end, found[i].end)
		}
		out.WriteString(s[done:start])
		out.WriteString(Replacement)
		done = end
	}
	out.WriteString(s[done:])
	return out.String()
}
