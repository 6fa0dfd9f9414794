package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"pullcause/test/bench/nodelog"
)

// byteSize is a flag: "64MiB", "1GiB", "1000000".
type byteSize int64

// String is the number of bytes.
func (s *byteSize) String() string { return strconv.FormatInt(int64(*s), 10) }

// Set reads a number with an optional KiB, MiB or GiB.
func (s *byteSize) Set(text string) error {
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(text, 10, 33)
	if err != nil || n < 1 || n<<shift>>shift != n {
		return fmt.Errorf("got %q, want a size such as 64MiB", text)
	}
	*s = byteSize(n << shift)
	return nil
}

// backlogStep is the time between two lines of a generated log: a gigabyte
// covers an hour.
const backlogStep = time.Hour / ((1 << 30) / nodelog.Average)

// backlog is a log on disk and what is in it.
type backlog struct {
	path  string
	bytes int64
	lines int64
	// causes are the failed pulls: the expected cause by tag.
	causes map[string]string
}

// writeBacklog writes a log of about size bytes that ends at a time, with the
// last line of a failed pull.
func writeBacklog(w io.Writer, cfg nodelog.Config, size int64, end time.Time) (b backlog, err error) {
	log := nodelog.New(cfg)
	b.causes = make(map[string]string)
	at := end.Add(-backlogStep * time.Duration(size/nodelog.Average))
	var buf []byte
	for ending := false; !ending || log.Pending() > 0; at = at.Add(backlogStep) {
		if !ending && b.bytes >= size {
			ending = true
			log.Stop()
			log.Begin(at)
		}
		var pull *nodelog.Pull
		buf, pull, _ = log.Next(buf[:0], at)
		if pull != nil {
			b.causes[pull.Tag] = pull.Cause
		}
		n, err := w.Write(buf)
		if b.bytes += int64(n); err != nil {
			return b, fmt.Errorf("write generated log: %w", err)
		}
	}
	b.lines = log.Lines()
	return b, nil
}

// newBacklog writes a log to a file.
func newBacklog(path string, cfg nodelog.Config, size int64, end time.Time) (backlog, error) {
	f, err := os.Create(path)
	if err != nil {
		return backlog{}, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	b, err := writeBacklog(w, cfg, size, end)
	b.path = path
	// Written back now, so that it does not disturb what is measured.
	return b, errors.Join(err, w.Flush(), f.Sync(), f.Close())
}

// runGen is the command gen.
func runGen(args []string, stdout, stderr io.Writer) error {
	size := byteSize(64 << 20)
	flags := flag.NewFlagSet("bench gen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Var(&size, "size", "about how many `bytes`, such as 64MiB")
	seed := flags.Uint64("seed", 1, "`seed`: the same one and the same end yield the same text")
	failing := flags.Float64("failing", 0.001, "`share` of the lines that belong to failed pulls, 0 to 1")
	quiet := flags.Float64("quiet", 0, "`share` of the failed pulls that the kubelet does not tell of, 0 to 1")
	end := flags.String("end", "", "`time` of the last lines as 2006-01-02T15:04:05Z; now if empty")
	out := flags.String("out", "", "`file` to write; standard output if empty")
	causes := flags.String("causes", "", "`file` for the expected causes, as a JSON object by image tag")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	at := time.Now()
	if *end != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, *end); err != nil {
			return fmt.Errorf("-end: %w", err)
		}
	}
	cfg := nodelog.Config{Seed: *seed, Failing: *failing, Quiet: *quiet}
	b, err := genTo(*out, stdout, cfg, int64(size), at)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d bytes, %d lines, %d failed pulls\n", b.bytes, b.lines, len(b.causes))
	if *causes == "" {
		return nil
	}
	text, err := json.Marshal(b.causes)
	if err != nil {
		return err
	}
	return os.WriteFile(*causes, text, 0o600)
}

func genTo(path string, stdout io.Writer, cfg nodelog.Config, size int64, at time.Time) (backlog, error) {
	if path != "" {
		return newBacklog(path, cfg, size, at)
	}
	w := bufio.NewWriterSize(stdout, 1<<20)
	b, err := writeBacklog(w, cfg, size, at)
	return b, errors.Join(err, w.Flush())
}
