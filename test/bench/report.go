package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// figure is one thing that was measured.
type figure struct {
	Part  string  `json:"part"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Most is what it may be at most; 0 if there is no target.
	Most float64 `json:"target_at_most,omitempty"`
	OK   bool    `json:"ok"`
	// Note says more, for people.
	Note string `json:"note,omitempty"`
}

// report prints figures as they come: a table, or JSON lines.
type report struct {
	out    io.Writer
	json   bool
	part   string
	misses int
}

func newReport(out io.Writer, asJSON bool) *report { return &report{out: out, json: asJSON} }

// begin starts a part of the table.
func (r *report) begin(part, title string) {
	r.part = part
	if !r.json {
		fmt.Fprintf(r.out, "\n%s\n", title)
	}
}

// tell prints a figure without a target.
func (r *report) tell(name string, value float64, unit, note string) {
	r.print(figure{Name: name, Value: value, Unit: unit, Note: note, OK: true})
}

// hold prints a figure that may be most at most.
func (r *report) hold(name string, value, most float64, unit, note string) {
	r.print(figure{Name: name, Value: value, Unit: unit, Most: most, Note: note, OK: value <= most})
}

// none prints a number that must be 0.
func (r *report) none(name string, value int, note string) {
	r.print(figure{Name: name, Value: float64(value), Note: note, OK: value == 0})
}

func (r *report) print(f figure) {
	f.Part = r.part
	if !f.OK {
		r.misses++
	}
	if r.json {
		text, err := json.Marshal(f)
		if err != nil {
			text = fmt.Appendf(nil, `{"error":%q}`, err)
		}
		fmt.Fprintf(r.out, "%s\n", text)
		return
	}
	target, verdict := "", ""
	if f.Most > 0 {
		target, verdict = "at most "+number(f.Most), "ok"
	}
	if !f.OK {
		verdict = "MISS"
	}
	fmt.Fprintf(r.out, "  %-34s %10s %-9s %-16s %-5s %s\n", f.Name, number(f.Value), f.Unit, target, verdict, f.Note)
}

// number writes what is to be read, with three digits.
func number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func (r *report) missed() int { return r.misses }
