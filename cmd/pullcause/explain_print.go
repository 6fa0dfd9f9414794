package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/escape"
)

// explanation is one diagnosis as explain prints it; the JSON names are a
// contract. What is not known is left out.
type explanation struct {
	File       string              `json:"file,omitempty"` // only if several are read
	Line       int                 `json:"line"`
	Source     string              `json:"source"`
	Time       time.Time           `json:"time,omitzero"`
	Image      string              `json:"image,omitempty"`
	Registry   string              `json:"registry,omitempty"`
	Cause      diagnose.Cause      `json:"cause"`
	Detail     string              `json:"detail,omitempty"`
	HTTPStatus int                 `json:"http_status,omitempty"`
	Pod        string              `json:"pod,omitempty"`
	PodUID     string              `json:"pod_uid,omitempty"`
	Container  string              `json:"container,omitempty"`
	Confidence diagnose.Confidence `json:"confidence,omitempty"`
	Error      string              `json:"error,omitempty"`
	Remedy     string              `json:"remedy,omitempty"`

	summary string
}

func explanationOf(file string, s detect.Signal, a attempt.Attempt, d diagnose.Diagnosis) explanation {
	e := explanation{
		File: file, Line: s.Line, Source: s.Program, Time: s.Time,
		Image: a.Image, Registry: a.Registry,
		Cause: d.Cause, Detail: d.Detail, Confidence: d.Confidence, Remedy: d.Remedy, summary: d.Summary,
		Pod: s.Pod.Name, PodUID: s.Pod.UID, Container: s.Container,
		Error: s.Raw,
	}
	if s.Undated {
		e.Time = time.Time{}
	}
	if s.Pod.Namespace != "" {
		e.Pod = s.Pod.Namespace + "/" + s.Pod.Name
	}
	if s.Failure != nil {
		e.HTTPStatus, e.Error = s.Failure.Status, s.Failure.Text
	}
	return e
}

// printer writes explanations.
type printer interface {
	print(explanation)
}

func newPrinter(output string, w io.Writer, terminal bool) printer {
	if output == "json" {
		return jsonPrinter{escape.NewEncoder(w)}
	}
	return textPrinter{w: w, colour: terminal && os.Getenv("NO_COLOR") == ""}
}

type jsonPrinter struct{ enc *json.Encoder }

func (p jsonPrinter) print(e explanation) {
	_ = p.enc.Encode(e) //nolint:errcheck,errchkjson // the buffered writer keeps the error for Flush
}

// textPrinter writes a paragraph for each explanation.
type textPrinter struct {
	w      io.Writer
	colour bool
}

func (p textPrinter) print(e explanation) {
	var b strings.Builder
	where := "line " + strconv.Itoa(e.Line)
	if e.File != "" {
		where = e.File + ":" + strconv.Itoa(e.Line)
	}
	b.WriteString(p.paint(dim, visible(where)+", "+e.Source))
	if !e.Time.IsZero() {
		b.WriteString(p.paint(dim, ", "+e.Time.Format("2006-01-02 15:04:05Z07:00")))
	}
	b.WriteByte('\n')
	row(&b, "image", visible(e.Image))
	row(&b, "pod", visible(strings.TrimSpace(e.Pod+" "+e.Container)))
	row(&b, "cause", p.paint(red, e.cause())+visible(e.why()))
	row(&b, "error", visible(e.Error))
	row(&b, "remedy", visible(e.Remedy))
	b.WriteByte('\n')
	_, _ = io.WriteString(p.w, b.String()) //nolint:errcheck // the buffered writer keeps the error for Flush
}

func (e explanation) cause() string {
	if e.Detail == "" {
		return string(e.Cause)
	}
	return string(e.Cause) + "/" + e.Detail
}

// why is the cause in words, and how sure it is.
func (e explanation) why() string {
	var s string
	if e.summary != "" {
		s = ": " + e.summary
	}
	if e.Confidence != "" {
		s += " (" + string(e.Confidence) + ")"
	}
	return s
}

// row writes a name and its value, which may have several lines.
func row(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	for i, line := range strings.Split(strings.TrimSpace(value), "\n") {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "  %-7s %s\n", name, line)
	}
}

// ANSI codes of the few colours used.
const (
	dim = "\x1b[2m"
	red = "\x1b[31m"
	off = "\x1b[0m"
)

func (p textPrinter) paint(colour, s string) string {
	if !p.colour {
		return s
	}
	return colour + s + off
}

// visible escapes what a terminal would obey: log text may hold anything.
func visible(s string) string {
	if strings.IndexFunc(s, obeyed) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if obeyed(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func obeyed(r rune) bool { return escape.Hidden(r) && r != '\n' && r != '\t' }

// isTerminal reports whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
