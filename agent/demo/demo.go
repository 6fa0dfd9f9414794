// Package demo shows the agent at work on one machine: the whole of it, from
// log files to an OTLP receiver inside the process, with a table of what it
// found at the end. [Run] plays the recorded session of a node; [Start] is for
// whoever has the logs written by a real runtime.
package demo

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// session is what test/lab recorded: the logs of a containerd and the kubelet's
// lines about the same pulls, and what is to be said about each.
//
//go:embed session
var session embed.FS

// The logs of the session, by the program that wrote them.
var programs = [...]string{"containerd", "kubelet"}

// ErrUnexpected is returned when a scenario was not diagnosed as expected.
var ErrUnexpected = errors.New("not every scenario was diagnosed as expected")

// Options of the demo.
type Options struct {
	// Once ends after the table; else the debug page stays open until ctx ends.
	Once bool
	// Speed is how many times faster than recorded the session is played.
	Speed float64
	// Version is shown on the page.
	Version string
	// Out gets the table, Log what the agent logs.
	Out io.Writer
	Log *slog.Logger
}

// recordedNode is what the page and the records call the node whose logs are played. Its
// files, such as hosts.toml, were not recorded: those of this machine are not its own.
const recordedNode = "recorded-node"

// longestPause keeps the demo short where the recorded node waited for a timeout.
const longestPause = 300 * time.Millisecond

// Run plays the recorded session through an agent and prints the table. It
// removes all that it made.
func Run(ctx context.Context, o Options) (err error) {
	scenarios, lines, err := readSession()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pullcause-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	logs, files, err := createLogs(dir)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range logs {
			err = errors.Join(err, f.Close())
		}
	}()
	fmt.Fprintf(o.Out, "Playing %d pulls of a recorded node, not of this machine: containerd's and the kubelet's logs, line by line.\n", len(scenarios))
	stage, err := Start(ctx, StageConfig{Files: files, HostRoot: dir, Node: recordedNode, StateDir: filepath.Join(dir, "state"), Version: o.Version, Log: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Stop()) }()
	fmt.Fprintf(o.Out, "Debug page: %s\n\n", stage.DebugURL())
	if err := play(ctx, logs, lines, o.Speed, longestPause); err != nil {
		return err
	}
	return stage.Finish(ctx, o.Out, scenarios, o.Once)
}

func readSession() ([]Scenario, []line, error) {
	var scenarios []Scenario
	text, err := session.ReadFile("session/expect.json")
	if err != nil {
		return nil, nil, fmt.Errorf("read recorded session: %w", err)
	}
	if err := json.Unmarshal(text, &scenarios); err != nil {
		return nil, nil, fmt.Errorf("read recorded session: %w", err)
	}
	var lines []line
	for i, program := range programs {
		log, err := session.ReadFile("session/" + program + ".log")
		if err != nil {
			return nil, nil, fmt.Errorf("read recorded session: %w", err)
		}
		more, err := readLines(i, log)
		if err != nil {
			return nil, nil, err
		}
		lines = append(lines, more...)
	}
	return scenarios, lines, nil
}

// createLogs makes the files that the agent follows, and the value of
// sources.files for them.
func createLogs(dir string) (logs []*os.File, files []string, err error) {
	for _, program := range programs {
		f, err := os.Create(filepath.Join(dir, program+".log"))
		if err != nil {
			return logs, nil, fmt.Errorf("make a log for the demo: %w", err)
		}
		logs = append(logs, f)
		files = append(files, program+":/"+program+".log") // below host_root
	}
	return logs, files, nil
}
