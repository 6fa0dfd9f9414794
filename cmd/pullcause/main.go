// Command pullcause tells why a Kubernetes node cannot pull images. This
// package turns flags and files into an agent.Config and errors into exit codes;
// the rest is in package agent. There is one file for each command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Run     runCmd     `cmd:"" help:"Run the agent: follow the node's logs, diagnose failed pulls, send records."`
	Demo    demoCmd    `cmd:"" help:"Show the agent at work on the recorded logs of a node."`
	Explain explainCmd `cmd:"" help:"Diagnose failed pulls in log files or standard input."`
	Version versionCmd `cmd:"" help:"Print version, commit, Go and platform."`
}

// stdio is what a command may read and write.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so the second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// execute runs one command line and returns the exit code: 0 well, 1 the run
// failed, 2 wrong usage or configuration.
func execute(ctx context.Context, args []string, std stdio) int {
	parser := kong.Must(&cli{Run: newRunCmd()},
		kong.Name("pullcause"),
		kong.Description("Tells why this node cannot pull images: one record for each failed attempt, with cause, evidence and remedy."),
		kong.Writers(std.Out, std.Err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std))
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(std.Err, "pullcause: %v\nRun \"pullcause --help\", or --help behind a command, to see what there is.\n", err)
		return 2
	}
	if err = command.Run(); err == nil {
		return 0
	}
	fmt.Fprintf(std.Err, "pullcause: %v\n", err)
	if _, wrong := errors.AsType[configErrors](err); wrong {
		return 2
	}
	return 1
}
