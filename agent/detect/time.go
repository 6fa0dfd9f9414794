package detect

import (
	"bytes"
	"strconv"
	"time"
)

// LineTime is when a line was written, in any of the formats that Detect
// reads; ok is false if it does not say. klog and syslog write neither year nor
// zone: the year is the one that brings the line closest before ref (a line may
// be up to a day ahead of it), the zone is loc, the node's own; nil is UTC.
func LineTime(line []byte, ref time.Time, loc *time.Location) (t time.Time, ok bool) {
	e := open(line)
	return e.time(ref, orUTC(loc))
}

func orUTC(loc *time.Location) *time.Location {
	if loc == nil {
		return time.UTC
	}
	return loc
}

// plausible reports whether a record can have been written then. A clock that was
// never set, and the zero time of Go, lie before it.
func plausible(t time.Time) bool {
	const first, last = 946_684_800, 7_258_118_400 // the years 2000 to 2199
	return t.Unix() >= first && t.Unix() < last
}

// ahead is how far a line without a year may lie ahead of ref: clocks differ.
const ahead = 24 * time.Hour

// inYear completes a date that has no year.
func inYear(month time.Month, day int, clock time.Duration, ref time.Time, loc *time.Location) (time.Time, bool) {
	if ref.IsZero() {
		return time.Time{}, false
	}
	for year := ref.In(loc).Year() + 1; year > ref.Year()-5; year-- {
		t := time.Date(year, month, day, 0, 0, 0, int(clock), loc)
		if t.Month() != month || t.Day() != day { // 29 February
			continue
		}
		if t.Sub(ref) <= ahead {
			return t, true
		}
	}
	return time.Time{}, false
}

// klogTime reads "E1123 22:48:47.626362".
func klogTime(b []byte, ref time.Time, loc *time.Location) (time.Time, bool) {
	month, day := digits(b[1:3]), digits(b[3:5])
	clock, ok := clockTime(b[6:21])
	if !ok || month < 1 || month > 12 || day < 1 || day > 31 {
		return time.Time{}, false
	}
	return inYear(time.Month(month), day, clock, ref, loc)
}

// clockTime reads "22:48:47" with up to nine digits of a fraction.
func clockTime(b []byte) (time.Duration, bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, false
	}
	h, m, s := digits(b[:2]), digits(b[3:5]), digits(b[6:8])
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 {
		return 0, false
	}
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	if len(b) == 8 {
		return clock, true
	}
	fraction := b[9:]
	n := digits(fraction)
	if b[8] != '.' && b[8] != ',' || n < 0 || len(fraction) == 0 || len(fraction) > 9 {
		return 0, false
	}
	for range 9 - len(fraction) {
		n *= 10
	}
	return clock + time.Duration(n), true
}

// digits reads a number of digits only, -1 if it is none.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// stampTime reads the time field of a record: RFC 3339 (logrus, slog), CRI-O's
// with a space, or the kubelet's milliseconds since 1970.
func stampTime(v value, loc *time.Location) (time.Time, bool) {
	raw := v.raw
	if v.enc == bare {
		if t, ok := epochTime(raw); ok {
			return t, true
		}
	}
	return isoTime(raw, loc)
}

// epochTime reads seconds or, beyond any second that can be meant,
// milliseconds since 1970.
func epochTime(raw []byte) (time.Time, bool) {
	const (
		longest    = 32
		mustBeMsec = 1e11
		largest    = 1e14
	)
	if len(raw) == 0 || len(raw) > longest {
		return time.Time{}, false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n <= 0 || n > largest {
		return time.Time{}, false
	}
	if n < mustBeMsec {
		n *= 1000
	}
	return time.UnixMicro(int64(n * 1000)).UTC(), true
}

// isoTime reads RFC 3339 and its relatives: a space for the T, a comma for the
// point, an offset without a colon, no offset at all.
func isoTime(raw []byte, loc *time.Location) (time.Time, bool) {
	const shortest, longest = len("2006-01-02T15:04:05"), 40
	if len(raw) < shortest || len(raw) > longest || raw[4] != '-' || raw[7] != '-' {
		return time.Time{}, false
	}
	var t time.Time
	if raw[10] == 'T' && t.UnmarshalText(raw) == nil {
		return t, true
	}
	s := string(raw[:10]) + "T" + string(raw[11:])
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// headTime reads the time in front of a line: ISO ("2026-11-23T22:48:47Z",
// "2026-11-23 22:48:47"), or syslog's ("Nov 23 22:48:47").
func headTime(head []byte, ref time.Time, loc *time.Location) (time.Time, bool) {
	first, rest := word(head)
	second, rest := word(rest)
	if t, ok := isoTime(first, loc); ok {
		return t, true
	}
	if len(first) == len("2006-01-02") && len(second) >= len("15:04:05") {
		both := append(append(append(make([]byte, 0, 40), first...), ' '), second...)
		if t, ok := isoTime(both, loc); ok {
			return t, true
		}
	}
	third, _ := word(rest)
	month, day := monthNamed(first), digits(second)
	clock, ok := clockTime(third)
	if !ok || month == 0 || day < 1 || day > 31 {
		return time.Time{}, false
	}
	return inYear(month, day, clock, ref, loc)
}

func word(b []byte) (first, rest []byte) {
	b = bytes.TrimLeft(b, " \t")
	n := bytes.IndexAny(b, " \t")
	if n < 0 {
		return b, nil
	}
	return b[:n], b[n:]
}

// monthNamed is the month of an abbreviation in English, or of a number with a
// suffix as in the Chinese and Japanese locales ("6月"); 0 if it is neither.
func monthNamed(name []byte) time.Month {
	for m := time.January; m <= time.December; m++ {
		if string(name) == m.String()[:3] {
			return m
		}
	}
	if n := digits(bytes.TrimSuffix(name, []byte("月"))); n >= 1 && n <= 12 && len(name) > 2 {
		return time.Month(n)
	}
	return 0
}
