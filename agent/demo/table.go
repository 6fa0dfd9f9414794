package demo

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Scenario is one pull and what is to be said about it.
type Scenario struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	// Cause and Detail that are expected; no cause means that the pull succeeds
	// and nothing is to be reported.
	Cause  string `json:"cause,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Status is the HTTP status that is expected, 0 for none.
	Status int `json:"status,omitempty"`
}

// Finding is what the receiver got about one pull.
type Finding struct {
	Image, Cause, Detail, Remedy string
	Status                       int
	// After is the time from the last log line of the attempt to the receiver.
	After time.Duration
}

// result is one row of the table.
type result struct {
	Scenario
	found []Finding
}

// problem says what is wrong with a result; empty if nothing is.
func (r result) problem() string {
	switch {
	case r.Cause == "" && len(r.found) > 0:
		return "reported, but the pull succeeded"
	case r.Cause == "":
		return ""
	case len(r.found) == 0:
		return "not reported"
	case len(r.found) > 1:
		return fmt.Sprintf("%d records for one pull", len(r.found))
	}
	f := r.found[0]
	want, got := answer(r.Cause, r.Detail, r.Status), answer(f.Cause, f.Detail, f.Status)
	if want != got {
		return fmt.Sprintf("want %s, got %s", want, got)
	}
	return ""
}

func answer(cause, detail string, status int) string {
	text := cause
	if detail != "" {
		text += "/" + detail
	}
	if status != 0 {
		text += " " + strconv.Itoa(status)
	}
	return text
}

// match finds what was received about each scenario.
func match(scenarios []Scenario, findings []Finding) []result {
	results := make([]result, len(scenarios))
	for i, s := range scenarios {
		results[i].Scenario = s
		for _, f := range findings {
			if f.Image == s.Image {
				results[i].found = append(results[i].found, f)
			}
		}
	}
	return results
}

// maxRemedy and maxImage bound what a row shows, in characters.
const (
	maxRemedy = 76
	maxImage  = 44
)

// printTable writes the table and a summary, and reports whether all is as expected.
func printTable(w io.Writer, results []result) (ok bool, err error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tCAUSE\tDETAIL\tHTTP\tAFTER\tREMEDY")
	good := 0
	var wrong []result
	var times []time.Duration
	for _, r := range results {
		if r.problem() == "" {
			good++
		} else {
			wrong = append(wrong, r)
		}
		times = append(times, row(table, r)...)
	}
	if err := table.Flush(); err != nil {
		return false, err
	}
	fmt.Fprintf(w, "\n%d of %d as expected", good, len(results))
	if len(times) > 0 {
		slices.Sort(times)
		fmt.Fprintf(w, "; from log line to received record: median %s, longest %s",
			milliseconds(times[len(times)/2]), milliseconds(times[len(times)-1]))
	}
	fmt.Fprintln(w, ".")
	for _, r := range wrong {
		fmt.Fprintf(w, "NOT AS EXPECTED  %s (%s): %s\n", r.Name, r.Image, r.problem())
	}
	return len(wrong) == 0, nil
}

func row(w io.Writer, r result) (times []time.Duration) {
	image := shorten(r.Image, maxImage)
	if len(r.found) == 0 {
		word := "(not reported)"
		if r.Cause == "" {
			word = "(pulled)"
		}
		fmt.Fprintf(w, "%s\t%s\t\t\t\t\n", image, word)
	}
	for _, f := range r.found {
		status := "-"
		if f.Status != 0 {
			status = strconv.Itoa(f.Status)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", image, f.Cause, cmp.Or(f.Detail, "-"), status,
			milliseconds(f.After), shorten(f.Remedy, maxRemedy))
		times = append(times, f.After)
	}
	return times
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}

// shorten cuts a text for one line of the table; control characters in it
// would move the cursor.
func shorten(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}
