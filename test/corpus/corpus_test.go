// Package corpus_test runs the corpus through detection and diagnosis: records
// as runtimes, kubelets and kubectl print them, each with the program, version
// and source file that does, and what the agent is to make of it.
//
// The cases are text files in cases/. A case is
//
//	case <name>
//	from <program, version and file that writes it>
//	note <anything>
//	| <a line of the record, verbatim>
//	want key=value key="quoted value" …
//
// with one want for each signal, in order, or "want nothing". Only the keys
// named are compared; without=text says that no text of the signal contains it.
// A note that begins with "not searched for" excuses the record from detect.Find. One
// that begins with "not in a log" marks text that explain reads and the agent does not.
package corpus_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/logtail"
)

// read is when the records are read; the year of those that have none.
var read = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func TestCorpus(t *testing.T) {
	for _, c := range load(t) {
		t.Run(c.file+"/"+c.name, func(t *testing.T) {
			var got []detect.Signal
			rec := logtail.Record{Body: []byte(c.record()), Observed: read}
			detect.Detect(rec, time.UTC, func(s detect.Signal) { got = append(got, s) })
			if len(got) != len(c.want) {
				t.Fatalf("%d signals, want %d: %+v\nrecord: %s", len(got), len(c.want), got, c.record())
			}
			for i, want := range c.want {
				check(t, got[i], want)
			}
		})
	}
}

// TestLogs checks that the agent, which reads logs that others write to as well, makes
// the same of the records of runtimes and kubelets, and nothing of any other text.
func TestLogs(t *testing.T) {
	for _, c := range load(t) {
		t.Run(c.file+"/"+c.name, func(t *testing.T) {
			var got []detect.Signal
			rec := logtail.Record{Body: []byte(c.record()), Observed: read}
			detector := detect.Detector{Zone: time.UTC}
			detector.Detect(rec, func(s detect.Signal) { got = append(got, s) })
			switch {
			case len(c.want) > 0 && !c.logged():
				if len(got) > 0 {
					t.Errorf("got %+v, want nothing: it is no record of a program\nrecord: %s", got, c.record())
				}
			case len(got) != len(c.want):
				t.Errorf("%d signals, want %d: %+v\nrecord: %s", len(got), len(c.want), got, c.record())
			default:
				for i, want := range c.want {
					check(t, got[i], want)
				}
			}
		})
	}
}

// TestLines checks that a record of several lines is put together from them.
func TestLines(t *testing.T) {
	for _, c := range load(t) {
		record := []byte(c.lines[0])
		for _, line := range c.lines[1:] {
			if !detect.MayContinue(record) || !detect.Continues(record, []byte(line)) {
				t.Errorf("%s/%s: the record ends before %q", c.file, c.name, line)
			}
			record = append(append(record, '\n'), line...)
		}
		if detect.Unfinished(record) {
			t.Errorf("%s/%s: the record has no end", c.file, c.name)
		}
	}
}

// TestNoStranger checks that no record swallows the first line of another.
func TestNoStranger(t *testing.T) {
	cases := load(t)
	for _, c := range cases {
		record := []byte(c.record())
		for _, next := range cases {
			if detect.Continues(record, []byte(next.lines[0])) {
				t.Errorf("%s/%s swallows the first line of %s/%s", c.file, c.name, next.file, next.name)
			}
		}
	}
}

// TestFind checks that what Detect understands is searched for in logs. Events
// as kubectl prints them and the output of clients stand in no log.
func TestFind(t *testing.T) {
	for _, c := range load(t) {
		if len(c.want) == 0 || !c.logged() || strings.HasPrefix(c.note, "not searched for") {
			continue
		}
		record := []byte(c.record())
		at := detect.Find(record)
		if at < 0 {
			t.Errorf("%s/%s is not found: %s", c.file, c.name, record)
			continue
		}
		// Of a record of several lines the first one must be found: it opens the others.
		if first := bytes.IndexByte(record, '\n'); first >= 0 && at > first && detect.Unfinished(record[:first]) {
			t.Errorf("%s/%s: only a later line is found: %s", c.file, c.name, record)
		}
	}
}

// check compares what is named in want with the signal and its diagnosis.
func check(t *testing.T, s detect.Signal, want []pair) {
	t.Helper()
	facts := factsOf(s)
	var gotten, wanted []string
	for _, w := range want {
		if w.key == "without" {
			if text := fmt.Sprintf("%+v %+v", s, s.Failure); strings.Contains(text, w.value) {
				t.Errorf("%q leaves: %s", w.value, text)
			}
			continue
		}
		got, ok := facts[w.key]
		if !ok {
			t.Errorf("no such key: %s", w.key)
		}
		gotten, wanted = append(gotten, w.key+"="+got), append(wanted, w.key+"="+w.value)
	}
	if diff := cmp.Diff(wanted, gotten); diff != "" {
		t.Errorf("(-want +got):\n%s\nsignal: %+v\nfailure: %+v", diff, s, s.Failure)
	}
}

func factsOf(s detect.Signal) map[string]string {
	a := attempt.FromSignal(s)
	d := diagnose.Diagnose(a, diagnose.Facts{})
	facts := map[string]string{
		"kind": string(s.Kind), "program": s.Program, "image": a.Image, "registry": a.Registry,
		"uid": s.Pod.UID, "container": s.Container, "ckind": string(s.ContainerKind), "reason": s.Reason,
		"host": s.Host.Host, "method": s.Host.Method, "url": s.Host.URL, "role": string(s.Host.Role),
		"id": s.RequestID, "bytes": strconv.FormatInt(s.Bytes, 10), "duration": s.Duration.String(),
		"time": s.Time.UTC().Format(time.RFC3339Nano), "cause": string(d.Cause), "detail": d.Detail,
		"confidence": string(d.Confidence), "pod": strings.TrimPrefix(s.Pod.Namespace+"/"+s.Pod.Name, "/"), "status": strconv.Itoa(s.Host.Status),
	}
	if s.Kind != detect.HostFailed && s.Failure != nil {
		facts["status"] = strconv.Itoa(s.Failure.Status)
	}
	return facts
}

type pair struct{ key, value string }

// corpusCase is one record and the signals wanted of it.
type corpusCase struct {
	file, name, from, note string
	lines                  []string
	want                   [][]pair
}

// logged reports whether a program writes the record to its log. Events as kubectl
// prints them and the output of clients stand in none.
func (c corpusCase) logged() bool {
	return c.file != "event" && !strings.HasPrefix(c.from, "docker v") && !strings.HasPrefix(c.note, "not in a log")
}

func (c corpusCase) record() string { return strings.Join(c.lines, "\n") }

// load reads all cases.
func load(t *testing.T) []corpusCase {
	t.Helper()
	files, err := filepath.Glob("cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var cases []corpusCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, parse(t, strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))...)
	}
	return cases
}

func parse(t *testing.T, file, text string) []corpusCase {
	t.Helper()
	var cases []corpusCase
	for n, line := range strings.Split(text, "\n") {
		key, rest, _ := strings.Cut(line, " ")
		if key == "case" {
			cases = append(cases, corpusCase{file: file, name: rest})
			continue
		}
		if line == "" || key == "#" {
			continue
		}
		if len(cases) == 0 {
			t.Fatalf("%s:%d: no case begins before %q", file, n+1, line)
		}
		c := &cases[len(cases)-1]
		switch key {
		case "from":
			c.from = rest
		case "note":
			c.note = rest
		case "|":
			c.lines = append(c.lines, rest)
		case "want":
			if rest != "nothing" {
				c.want = append(c.want, pairs(t, rest))
			}
		default:
			t.Fatalf("%s:%d: want case, from, note, | or want, got %q", file, n+1, line)
		}
	}
	for _, c := range cases {
		if c.from == "" || len(c.lines) == 0 {
			t.Fatalf("%s: case %q has no source or no line", file, c.name)
		}
	}
	return cases
}

func pairs(t *testing.T, text string) []pair {
	t.Helper()
	var list []pair
	for text != "" {
		key, rest, found := strings.Cut(text, "=")
		if !found {
			t.Fatalf("want key=value, got %q", text)
		}
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			after = strings.TrimPrefix(rest[len(quoted):], " ")
			value, _ = strconv.Unquote(quoted)
		}
		list = append(list, pair{key, value})
		text = after
	}
	return list
}

// TestNames checks that no two cases of a file have the same name.
func TestNames(t *testing.T) {
	var names []string
	for _, c := range load(t) {
		names = append(names, c.file+"/"+c.name)
	}
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
		t.Errorf("%d names for %d cases", n, len(names))
	}
}
