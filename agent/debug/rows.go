package debug

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

// causeCell is a diagnosis in a table.
type causeCell struct {
	Summary string // in words, empty if there are none
	Code    string // rate_limited
	Detail  string
	Status  int    // HTTP; 0 if none
	Doubt   string // likely or possible; empty if certain
}

func cell(d Diagnosis, status int) causeCell {
	c := causeCell{Summary: short(d.Summary), Code: short(string(d.Cause)), Detail: short(d.Detail), Status: status}
	if d.Confidence != "certain" {
		c.Doubt = short(string(d.Confidence))
	}
	return c
}

// incidentRow is an open or closed incident in a table.
type incidentRow struct {
	ID, Image string
	Cause     causeCell
	Remedy    string
	Pods      podList
	Attempts  string
	First     moment
	Last      moment
	Closed    moment
	Outage    string
	Recovered bool
}

func (p *page) incidentRows(incidents []Incident) []incidentRow {
	rows := make([]incidentRow, len(incidents))
	for n := range incidents {
		rows[n] = p.incidentRow(&incidents[n])
	}
	return rows
}

func (p *page) incidentRow(i *Incident) incidentRow {
	return incidentRow{
		ID: i.ID, Image: nameOf(i.Image, i.Ref), Cause: cell(diagnosis(i.Diagnosis), i.HTTPStatus),
		Remedy: visible(i.Diagnosis.Remedy, maxLong), Pods: podsOf(i.Pods, i.PodsDropped, 2),
		Attempts: triesShort(&i.Incident),
		First:    p.moment(i.FirstSeen), Last: p.moment(i.LastSeen), Closed: p.moment(i.ClosedAt),
		Outage: span(i.Lasted()), Recovered: i.State == incident.StateRecovered,
	}
}

// triesShort is [tries] for a column of numbers.
func triesShort(i *incident.Incident) string {
	if i.Diagnosis.Cause == diagnose.BackOff {
		return "–"
	}
	return comma(i.Attempts)
}

// nameOf is an image in a list. The first digits of a digest do there.
func nameOf(image, ref string) string {
	const algorithm, shown, digits = "@sha256:", 12, 64
	name := cmp.Or(image, ref, "an image that no line names")
	if at := strings.LastIndex(name, algorithm); at >= 0 && len(name) == at+len(algorithm)+digits {
		return short(name[:at+len(algorithm)+shown] + "…")
	}
	return short(name)
}

// podList names the first pods and counts the rest.
type podList struct {
	First []string
	More  int
}

func podsOf(pods []attempt.Pod, dropped, shown int) podList {
	l := podList{More: dropped + max(len(pods)-shown, 0)}
	for _, pod := range pods[:min(len(pods), shown)] {
		l.First = append(l.First, short(podName(pod)))
	}
	return l
}

func podName(pod attempt.Pod) string {
	name := cmp.Or(pod.Name, pod.UID, "unknown pod")
	if pod.Namespace != "" {
		name = pod.Namespace + "/" + name
	}
	if pod.Container != "" {
		name += " " + pod.Container
	}
	return name
}

// attemptRow is one attempt in a table.
type attemptRow struct {
	Time, Image string
	At          moment
	Incident    string // its id
	Cause       causeCell
	Pods        podList
	Source      string
}

func (p *page) attemptRows(attempts []Attempt) []attemptRow {
	rows := make([]attemptRow, len(attempts))
	for n := range attempts {
		a := &attempts[n]
		rows[n] = attemptRow{
			Time: a.Time.UTC().Format(time.TimeOnly), At: p.moment(a.Time),
			Image: nameOf(a.Image, a.Ref), Cause: cell(a.Diagnosis, a.HTTPStatus),
			Pods: podsOf(a.Pods, 0, 1), Source: short(a.Source), Incident: a.Incident,
		}
	}
	return rows
}

// sourceRow is one log in a table.
type sourceRow struct {
	Path, Program, State, Error string
	Reading                     bool
	LastRead, LastLine          moment
	Lines, Behind               string
}

func (p *page) sourceRow(s logtail.Status) sourceRow {
	row := sourceRow{
		Path: short(cmp.Or(s.Path, s.Name)), Program: short(s.Program), State: short(s.State),
		Error: visible(cmp.Or(s.Error, strings.Join(s.Problems, "; ")), maxLong), Reading: s.State == logtail.StateReading,
		LastRead: p.moment(s.LastRead), LastLine: p.moment(s.LastLine), Lines: comma(s.Lines),
	}
	if s.Kind == "journal" {
		row.Path = "journal in " + row.Path
	}
	if s.Behind > 0 {
		row.Behind = export.Size(s.Behind)
	}
	return row
}

// delivery is what the page knows of what DebugConfig.Delivery returns, by its
// names in JSON: this package need not know who delivers.
type delivery struct {
	Endpoint    string           `json:"endpoint"`
	Outcome     string           `json:"outcome"`
	Answer      string           `json:"answer"`
	Queued      int              `json:"queued"`
	QueuedBytes int64            `json:"queued_bytes"`
	Delivered   int64            `json:"delivered"`
	Lost        map[string]int64 `json:"lost"`
	LastTry     time.Time        `json:"last_try"`
	LastSuccess time.Time        `json:"last_success"`
	NextTry     time.Time        `json:"next_try"`
	Unstored    string           `json:"unstored"`
	Spool       *struct {
		Records  int64     `json:"records"`
		Bytes    int64     `json:"bytes"`
		MaxBytes int64     `json:"max_bytes"`
		Oldest   time.Time `json:"oldest"`
		Err      string    `json:"err"`
	} `json:"spool"`
}

// deliveryRow is the state of delivery for people.
type deliveryRow struct {
	Endpoint, Answer, State string
	Tone                    string
	Delivered, Waiting      string
	Lost                    string // empty if nothing is
	LastTry, LastSuccess    moment
	NextTry                 moment
	Stored                  string // "12 records, 40.0 KiB of 64.0 MiB"; empty if none is
	Oldest                  moment
	Trouble                 string // of the disk
}

// deliveryRow is nil where what delivery tells cannot be read.
func (p *page) deliveryRow(v any) *deliveryRow {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var s delivery
	if err := json.Unmarshal(text, &s); err != nil {
		return nil
	}
	row := &deliveryRow{
		Endpoint: visible(s.Endpoint, maxLong), Answer: visible(s.Answer, maxLong),
		Delivered: count(int(s.Delivered), "record"), Waiting: count(s.Queued, "record"),
		Lost:    losses(s.Lost),
		LastTry: p.moment(s.LastTry), LastSuccess: p.moment(s.LastSuccess), NextTry: p.moment(s.NextTry),
	}
	if s.Spool != nil {
		row.Trouble = visible(cmp.Or(s.Spool.Err, s.Unstored), maxLong)
		if s.Spool.Records > 0 {
			row.Stored = count(int(s.Spool.Records), "record") + ", " + export.Size(s.Spool.Bytes) + " of " + export.Size(s.Spool.MaxBytes)
			row.Oldest = p.moment(s.Spool.Oldest)
		}
	}
	if s.Queued > 0 {
		row.Waiting += ", " + export.Size(s.QueuedBytes)
	}
	row.State, row.Tone = deliveryState(s)
	return row
}

// deliveryState puts the receiver's last answer into words.
func deliveryState(s delivery) (state, tone string) {
	switch s.Outcome {
	case "":
		return "Nothing has been sent yet", ""
	case "acknowledged":
		return "The receiver takes records", "good"
	case "retry":
		return "The receiver does not answer, records wait", "warn"
	case "misconfigured":
		return "The receiver refuses every record until something is changed", "bad"
	case "rejected":
		return "The receiver refused a record", "warn"
	default:
		return short(s.Outcome), "warn"
	}
}

func losses(lost map[string]int64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(lost)) {
		if n := lost[reason]; n > 0 {
			parts = append(parts, comma(n)+" "+strings.ReplaceAll(short(reason), "_", " "))
		}
	}
	return strings.Join(parts, ", ")
}
