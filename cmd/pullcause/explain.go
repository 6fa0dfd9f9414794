package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/logtail"
)

// explainCmd diagnoses failed pulls in logs that lie somewhere.
type explainCmd struct {
	Files   []string `arg:"" optional:"" name:"file" help:"Logs to read; - or none for standard input. Formats may be mixed: containerd, kubelet, CRI-O, dockerd, journalctl, kubectl describe, kubectl get events."`
	Journal []string `placeholder:"DIR" help:"Folder with the files of a systemd journal, such as a copy of /var/log/journal or of one folder in it. May be given several times."`
	Output  string   `short:"o" enum:"text,json" default:"text" help:"text, or json for one object a line."`
	Zone    string   `default:"UTC" placeholder:"NAME" help:"Time zone of times that are written without one (the kubelet's are in the node's): UTC, Local, Europe/Berlin."`
}

// Help is printed below the flags.
func (*explainCmd) Help() string {
	return `Prints one diagnosis for each record that reports a failed pull and nothing about the rest.

Examples:

    journalctl -u kubelet -u containerd --since -1h | pullcause explain
    kubectl describe pod web-0 | pullcause explain
    pullcause explain -o json /var/log/k3s.log
    pullcause explain --journal /mnt/node-7/var/log/journal`
}

// Run implements the command.
func (c *explainCmd) Run(ctx context.Context, std stdio) error {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone=%q: want UTC, Local or a name of the time zone database such as Europe/Berlin: %w", c.Zone, err)
	}
	out := bufio.NewWriter(std.Out)
	x := &explainer{out: out, print: newPrinter(c.Output, out, isTerminal(std.Out)), zone: zone}
	err = errors.Join(x.explainAll(ctx, c, std.In), out.Flush())
	for _, line := range x.notes {
		fmt.Fprintf(std.Err, "pullcause: %s\n", line)
	}
	if err != nil {
		return err
	}
	if x.found == 0 && isTerminal(std.Out) {
		fmt.Fprintf(std.Err, "no failed pull in %d lines\n", x.lines)
	}
	return nil
}

// explainAll reads what the command names, up to the first that cannot be read.
func (x *explainer) explainAll(ctx context.Context, c *explainCmd, stdin io.Reader) error {
	files := c.Files
	if len(files) == 0 && len(c.Journal) == 0 {
		files = []string{"-"}
	}
	several := len(files)+len(c.Journal) > 1
	for _, dir := range c.Journal {
		if several {
			x.file = dir
		}
		if err := x.explainJournal(ctx, dir); err != nil {
			return err
		}
	}
	for _, name := range files {
		if several {
			x.file = name
		}
		if err := x.explainFile(ctx, name, stdin); err != nil {
			return err
		}
	}
	return nil
}

// explainer reads logs line by line and prints what it finds.
type explainer struct {
	out   *bufio.Writer
	print printer
	zone  *time.Location
	file  string // named in the output where there are several

	ref          time.Time // completes dates without a year
	lines, found int
	record       []byte // lines that may continue
	first        int    // number of the record's first line
	notes        []string
}

// maxNotes bounds how often it is told that something was not read.
const maxNotes = 10

func (x *explainer) explainFile(ctx context.Context, name string, stdin io.Reader) error {
	x.ref = time.Now()
	if name == "-" {
		return x.explain(ctx, stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		x.ref = info.ModTime()
	}
	if err := x.explain(ctx, f); err != nil {
		return fmt.Errorf("read log %s: %w", name, err)
	}
	return nil
}

// explain reads to the end of in. Memory is bounded by the longest line
// ([logtail.MaxLine]) and the longest record.
func (x *explainer) explain(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, 256<<10)
	x.lines = 0
	for ctx.Err() == nil {
		line, skipped, err := readLine(r)
		if err != nil {
			x.flush()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		x.lines++
		x.noteCut(skipped)
		x.line(line)
		if r.Buffered() == 0 {
			if err := x.out.Flush(); err != nil { // somebody may be watching a live log
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// line takes one line: it belongs to the record before it or begins another.
func (x *explainer) line(line []byte) {
	if len(x.record) > 0 {
		if detect.Continues(x.record, line) {
			x.record = append(append(x.record, '\n'), line...)
			return
		}
		x.flush()
	}
	x.first = x.lines
	if detect.MayContinue(line) {
		x.record = append(x.record, line...)
		return
	}
	x.detect(logtail.Record{Body: line, Observed: x.ref})
}

func (x *explainer) flush() {
	if len(x.record) > 0 {
		x.detect(logtail.Record{Body: x.record, Observed: x.ref})
	}
	x.record = x.record[:0]
}

func (x *explainer) detect(rec logtail.Record) {
	skipped := detect.Detect(rec, x.zone, func(s detect.Signal) {
		if !failedPull(s) {
			return
		}
		s.Line = x.first
		a := attempt.FromSignal(s)
		x.found++
		diagnosis := diagnose.Diagnose(a, diagnose.Facts{})
		if s.Program == detect.Text { // anybody can have written it
			diagnosis.Confidence = diagnose.Possible
		}
		x.print.print(explanationOf(x.file, s, a, diagnosis))
	})
	if skipped > 0 {
		x.note("%sline %d: read the first %d failures, skipped %d", x.named(), x.first, detect.MaxFailures, skipped)
	}
}

// failedPull reports whether a signal alone says that a pull failed. One host
// of several does not, nor does a missing pull secret that may not be needed; a
// credential plugin that failed for an image does.
func failedPull(s detect.Signal) bool {
	switch s.Kind {
	case detect.PullFailed, detect.BackOff, detect.PullStalled:
		return true
	case detect.CredentialProblem:
		return s.Image != ""
	}
	return false
}

// noteCut notes a line that was longer than is read.
func (x *explainer) noteCut(skipped int64) {
	if skipped == 0 {
		return
	}
	x.note("%sline %d: read the first %d bytes, skipped %d", x.named(), x.lines, logtail.MaxLine, skipped)
}

// named is the file in front of a note, if there are several.
func (x *explainer) named() string {
	if x.file == "" {
		return ""
	}
	return x.file + " "
}

// note keeps something for the end of the output.
func (x *explainer) note(format string, args ...any) {
	switch {
	case len(x.notes) < maxNotes:
		x.notes = append(x.notes, fmt.Sprintf(format, args...))
	case len(x.notes) == maxNotes:
		x.notes = append(x.notes, "more was not read")
	}
}

// readLine returns the next line without its newline, at most
// [logtail.MaxLine] bytes of it, and how many more were skipped. The line is
// valid until the next call.
func readLine(r *bufio.Reader) (line []byte, skipped int64, err error) {
	line, err = r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, skipped, err = readLong(r, append([]byte(nil), line...))
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, skipped, err
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return line, skipped, nil
}

// readLong goes on where the reader's buffer was full.
func readLong(r *bufio.Reader, line []byte) (whole []byte, skipped int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		room := min(logtail.MaxLine-len(line), len(part))
		line = append(line, part[:room]...)
		skipped += int64(len(part) - room)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, skipped, err
		}
	}
}
