//go:build linux

// Command lab runs a node whose image pulls fail: see package lab.
//
//	lab demo                        show what the agent says about each pull
//	lab pull                        only pull, and print containerd's log
//	lab record --out DIR            write the logs of a session, with a kubelet's
//	lab record --runtime --out DIR  without
//	lab kubelet                     let a real kubelet run pods whose images cannot be pulled
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"pullcause/test/lab"
	"pullcause/test/lab/record"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// options of all commands.
type options struct {
	containerd string
	bin        string
	format     string
	out        string
	runtime    bool
	once       bool
	journal    bool
	pace       time.Duration
	kubelet    string // its version; empty for none
	parallel   int
	noPause    bool
	duration   time.Duration
}

const usage = "usage: lab demo|pull|record|kubelet [flags]; lab demo --help lists them"

func run(ctx context.Context, args []string) (err error) {
	commands := map[string]func(context.Context, *lab.Node, options) error{
		"demo": show, "pull": pull, "record": session, "kubelet": pods,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New(usage)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	node, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	return commands[args[0]](ctx, node, o)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("lab "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.containerd, "containerd", "built", "built: containerd 2.4 from its module; distribution: the one of apt-get")
	flags.StringVar(&o.bin, "bin", "bin", "folder for what is built")
	flags.StringVar(&o.format, "log-format", "text", "containerd's log format: text or json")
	flags.BoolVar(&o.journal, "journal", false, "containerd writes to a journald instead of to a file")
	flags.DurationVar(&o.pace, "pace", 0, "pause between two pulls")
	flags.StringVar(&o.out, "out", "session", "record: folder for the session")
	flags.BoolVar(&o.runtime, "runtime", false, "record: the runtime's log only")
	flags.BoolVar(&o.once, "once", false, "demo: end after the table")
	if args[0] == "kubelet" {
		flags.StringVar(&o.kubelet, "version", lab.KubeletVersions()[0], "kubelet: which, such as 1.34.4")
		flags.IntVar(&o.parallel, "parallel", 0, "kubelet: how many pulls at a time")
		flags.BoolVar(&o.noPause, "no-pause", false, "kubelet: the pause image cannot be pulled")
		flags.DurationVar(&o.duration, "for", 2*time.Minute, "kubelet: how long")
	}
	return o, flags.Parse(args[1:])
}

func start(ctx context.Context, o options) (*lab.Node, error) {
	var (
		c   lab.Containerd
		err error
	)
	switch o.containerd {
	case "built":
		c, err = lab.Build(ctx, o.bin, logf)
	case "distribution":
		c, err = lab.Install(ctx, logf)
	default:
		err = fmt.Errorf("--containerd: got %q, want built or distribution", o.containerd)
	}
	if err != nil {
		return nil, err
	}
	var k lab.Kubelet
	if o.kubelet != "" {
		if k, err = lab.BuildKubelet(ctx, o.bin, o.kubelet, logf); err != nil {
			return nil, err
		}
	}
	return lab.Start(ctx, lab.Options{
		Containerd: c, LogFormat: o.format, Journal: o.journal, Pace: o.pace, Logf: logf,
		Kubelet: k, MaxParallelPulls: o.parallel,
	})
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// pull shows what containerd answers and writes.
func pull(ctx context.Context, n *lab.Node, _ options) error {
	err := n.Run(ctx, lab.Scenarios(), func(s lab.Scenario, r lab.Result) {
		logf("%-32s %6.2f s  %v", s.Name, r.End.Sub(r.Start).Seconds(), r.Err)
	})
	if err != nil {
		return err
	}
	log, err := n.Log(ctx)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(log)
	return err
}

func session(ctx context.Context, n *lab.Node, o options) error {
	if o.runtime {
		return record.Runtime(ctx, n, lab.Scenarios(), o.out)
	}
	return record.Session(ctx, n, lab.Scenarios(), o.out)
}
