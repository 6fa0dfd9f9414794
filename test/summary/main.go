// Command summary reads what go test -json prints and writes what go test would print
// without it; then which tests were skipped, and why. A reader who runs make test as an
// ordinary user sees what was not tested. It fails where a test did.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	ok, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// event is one of go test -json (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// summary is what is known of the packages so far.
type summary struct {
	out     io.Writer
	output  map[string][]event // of packages that run
	skipped []string
	ended   int
	failed  bool
}

// summarize reports whether all packages passed, and that there were some.
func summarize(in io.Reader, out io.Writer) (ok bool, err error) {
	s := summary{out: out, output: make(map[string][]event)}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if len(line) > 0 && json.Unmarshal(line, &e) == nil {
			s.add(e)
		} else if len(line) > 0 {
			fmt.Fprintf(out, "%s", line) // go test itself complains
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	for name := range s.output {
		fmt.Fprintf(out, "FAIL\t%s\tgo test ended before it did\n", name)
	}
	if len(s.skipped) > 0 {
		fmt.Fprintf(out, "\nSkipped tests (%d):\n  %s\n", len(s.skipped), strings.Join(s.skipped, "\n  "))
	}
	return s.ended > 0 && !s.failed && len(s.output) == 0, nil
}

func (s *summary) add(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "build-fail":
		s.failed = true
	case "start":
		s.output[e.Package] = nil
	case "output":
		s.output[e.Package] = append(s.output[e.Package], e)
	case "skip":
		if e.Test != "" {
			s.skipped = append(s.skipped, e.Package+" "+e.Test+": "+s.reason(e))
			return
		}
		s.end(e)
	case "pass", "fail":
		if e.Test == "" {
			s.end(e)
		}
	}
}

// reason is what a test said last before it was skipped, such as
// "    x_test.go:20: needs root".
func (s *summary) reason(skip event) string {
	reason := "it does not say why"
	for _, e := range s.output[skip.Package] {
		if text := strings.TrimSpace(e.Output); e.Test == skip.Test && !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- ") {
			reason = text
		}
	}
	if _, after, ok := strings.Cut(reason, "_test.go:"); ok {
		_, reason, _ = strings.Cut(after, ": ")
	}
	return reason
}

// end writes the result of a package, and all that it printed if it failed.
func (s *summary) end(e event) {
	s.ended++
	failed := e.Action == "fail"
	s.failed = s.failed || failed
	for _, line := range s.output[e.Package] {
		progress := strings.HasPrefix(line.Output, "=== ") || strings.HasPrefix(strings.TrimSpace(line.Output), "--- PASS") || line.Output == "PASS\n"
		if !progress && (failed || line.Test == "") {
			fmt.Fprint(s.out, line.Output)
		}
	}
	delete(s.output, e.Package)
}
