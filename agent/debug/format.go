package debug

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pullcause/agent/escape"
)

// The most that the page shows of one text, in bytes. The JSON has all of it.
const (
	maxShort = 300      // in a list
	maxLong  = 4 << 10  // on the page of one incident
	maxLines = 16 << 10 // log lines
)

// visible makes hostile text fit to be shown: at most limit bytes, and what
// would not print, or would reorder what stands around it, written as an
// escape. Newlines and tabs stay.
func visible(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
			s = s[:len(s)-1]
		}
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || r == '\t' || !escape.Hidden(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// short is visible text of one line for a list.
func short(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(visible(s, maxShort))
}

// moment is a time as the page shows it: how far away it is, and exactly.
type moment struct {
	Machine, Exact, Span string
}

func (p *page) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t = t.UTC()
	return moment{
		Machine: t.Format(time.RFC3339Nano),
		Exact:   t.Format("2006-01-02 15:04:05 UTC"),
		Span:    span(p.now.Sub(t).Abs()),
	}
}

// span is a duration in at most two units; the script writes it the same way.
func span(d time.Duration) string {
	seconds := int(d / time.Second)
	minutes, hours, days := seconds/60, seconds/3600, seconds/86400
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case hours < 24:
		return fmt.Sprintf("%d h", hours) + part(minutes%60, "min")
	default:
		return fmt.Sprintf("%d d", days) + part(hours%24, "h")
	}
}

func part(n int, unit string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d %s", n, unit)
}

// count is a number with its noun: "1 image", "9,812 images".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return comma(n) + " " + noun + "s"
}

func comma[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
