// Command bench measures what the agent costs, as a process and by its whole
// way from a log to records that have arrived: a backlog of a gigabyte compared
// with ripgrep on the same file, a live log, an idle node and the start. The
// texts come from nodelog; each failed pull has an image tag of its own, so that
// what arrives is counted one by one.
//
//	go run ./test/bench                       # everything, about 8 minutes
//	go run ./test/bench -short                # the same on less, under 2 minutes
//	go run ./test/bench -only live -o json
//	go run ./test/bench gen -size 64MiB -failing 0.1 -out node.log
//
// Start reading at [bench] in bench.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	beWriter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "gen" {
		return runGen(args[1:], stdout, stderr)
	}
	if len(args) == 3 && args[0] == "read" { // a process of the part journal
		return runRead(ctx, args[1:], stdout)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	b := &bench{options: o, report: newReport(stdout, o.json)}
	if err := b.run(ctx); err != nil {
		return err
	}
	if missed := b.report.missed(); missed > 0 && o.strict {
		return fmt.Errorf("%d figures missed their target", missed)
	}
	return nil
}

// options are the flags.
type options struct {
	agent, dir, profile string
	size                byteSize
	seed                uint64
	only                []string
	rounds              int
	short, strict, json bool
}

// The parts that -only takes.
var parts = []string{"backlog", "busy", "live", "idle", "start", "journal"} //nolint:gochecknoglobals // a constant list

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{size: 1 << 30}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.agent, "agent", "bin/pullcause", "the agent's `binary`")
	flags.StringVar(&o.dir, "dir", "", "`folder` for logs and state; one in the temporary folder that is removed afterwards if empty")
	flags.StringVar(&o.profile, "profile", "", "`folder` to write CPU and heap profiles of the agent to")
	flags.Var(&o.size, "size", "`bytes` of each backlog, such as 1GiB")
	flags.Uint64Var(&o.seed, "seed", 1, "`seed` of the texts")
	flags.IntVar(&o.rounds, "rounds", 3, "`runs` of each backlog; the median counts")
	flags.BoolVar(&o.short, "short", false, "take 256 MiB and 10 s instead of 1 GiB, 30 s and 60 s")
	flags.BoolVar(&o.strict, "strict", false, "fail if a target is missed")
	only := flags.String("only", "", "`parts` to run, of "+strings.Join(parts, ","))
	format := flags.String("o", "text", "`format`: text or json")
	if err := flags.Parse(args); err != nil {
		return o, flag.ErrHelp
	}
	o.only = parts
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if o.short && !isSet(flags, "size") {
		o.size = 256 << 20
	}
	o.json = *format == "json"
	return o, o.validate(flags.Args(), *format)
}

func isSet(flags *flag.FlagSet, name string) (set bool) {
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func (o options) validate(rest []string, format string) error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("got argument %q, want gen or flags", rest[0]))
	}
	if format != "text" && format != "json" {
		errs = append(errs, fmt.Errorf("-o: got %q, want text or json", format))
	}
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			errs = append(errs, fmt.Errorf("-only: got %q, want one of %s", part, strings.Join(parts, ",")))
		}
	}
	if o.size < 1<<20 || o.rounds < 1 {
		errs = append(errs, fmt.Errorf("got -size %s and -rounds %d, want at least 1MiB and 1", o.size.String(), o.rounds))
	}
	if _, err := os.Stat(o.agent); err != nil {
		errs = append(errs, fmt.Errorf("-agent: %w; build it with: make build", err))
	}
	return errors.Join(errs...)
}
