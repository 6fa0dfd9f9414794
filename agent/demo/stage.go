package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"pullcause/agent"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
)

// settleTime is how long to wait for further records when all have come that
// were expected: one too many is a mistake too.
const settleTime = 300 * time.Millisecond

// patience is how long to wait for records that do not come.
const patience = 15 * time.Second

// StageConfig of a [Stage].
type StageConfig struct {
	// Files are values of sources.files; their paths begin at HostRoot, if it is set.
	Files []string
	// HostRoot is a folder with a node's file system, below which the agent finds the
	// runtime's socket and, if there are no Files, logs by itself; empty if it is to
	// read the Files only.
	HostRoot string
	// Node is what to call a node that was recorded: it has no runtime to ask, and the
	// agent must not take this machine for it. Empty is this machine.
	Node string
	// StateDir keeps the positions.
	StateDir string
	Version  string
	Log      *slog.Logger
}

// Stage is an agent at work, with a receiver of its own.
type Stage struct {
	receiver *otlptest.Receiver
	agent    *agent.Agent
	stop     context.CancelFunc
	ended    chan error
}

// Start runs an agent that follows the given logs from their beginning and
// sends to a receiver in this process. The caller must Stop it.
func Start(ctx context.Context, c StageConfig) (*Stage, error) {
	receiver, err := otlptest.ListenHTTP(otlptest.Config{})
	if err != nil {
		return nil, err
	}
	cfg := agent.Default()
	cfg.Sources.Auto = len(c.Files) == 0
	cfg.HostRoot = cmp.Or(c.HostRoot, "/")
	cfg.Resource.NodeName = c.Node
	if c.HostRoot == "" || c.Node != "" {
		cfg.CRI.Socket = enrich.Off // this machine is not the node
	}
	cfg.Sources.Lookback = agent.Lookback{All: true}
	cfg.Delivery.StateDir = c.StateDir
	cfg.OTLP.Logs.Endpoint = receiver.URL()
	cfg.Server.Listen = "127.0.0.1:0"
	cfg.Server.Debug.Listen = "127.0.0.1:0"
	for _, f := range c.Files {
		var file agent.SourceFile
		if err := file.UnmarshalText([]byte(f)); err != nil {
			receiver.Close()
			return nil, fmt.Errorf("demo log %s: %w", f, err)
		}
		cfg.Sources.Files = append(cfg.Sources.Files, file)
	}
	a, err := agent.New(ctx, cfg, agent.Deps{Logger: c.Log, Version: c.Version, Stdout: io.Discard})
	if err != nil {
		receiver.Close()
		return nil, err
	}
	s := &Stage{receiver: receiver, agent: a, ended: make(chan error, 1)}
	ctx, s.stop = context.WithCancel(ctx)
	go func() { s.ended <- a.Run(ctx) }()
	return s, nil
}

// DebugURL is where the page is.
func (s *Stage) DebugURL() string { return "http://" + s.agent.DebugAddr() }

// Stop ends the agent and the receiver.
func (s *Stage) Stop() error {
	s.stop()
	err := <-s.ended
	s.receiver.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Finish waits for the records of the scenarios and prints the table. Then it
// returns, with [ErrUnexpected] if one was not diagnosed as expected; or, unless
// once is set, leaves the page open until ctx ends.
func (s *Stage) Finish(ctx context.Context, w io.Writer, scenarios []Scenario, once bool) error {
	results := match(scenarios, s.findings(ctx, scenarios))
	ok, err := printTable(w, results)
	if err != nil {
		return err
	}
	if err := s.receiver.Problems(); err != nil {
		return fmt.Errorf("the receiver refused records: %w", err)
	}
	if !once {
		fmt.Fprintf(w, "\nThe debug page stays open at %s until Ctrl-C.\n", s.DebugURL())
		<-ctx.Done()
		return nil
	}
	if !ok {
		return ErrUnexpected
	}
	return nil
}

// findings waits until each failing scenario has been reported, and a little
// longer for what should not come.
func (s *Stage) findings(ctx context.Context, scenarios []Scenario) []Finding {
	expected := 0
	for _, scenario := range scenarios {
		if scenario.Cause != "" {
			expected++
		}
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// The table shows what is missing; the error would say no more.
	_, _ = s.receiver.WaitNamed(waiting, export.EventFailed, expected) //nolint:errcheck // see above
	_ = sleep(ctx, settleTime)                                         //nolint:errcheck // ends early with ctx, which is noticed later
	var findings []Finding
	for _, r := range s.receiver.Records() {
		if r.Name == export.EventFailed {
			findings = append(findings, finding(r))
		}
	}
	return findings
}

func finding(r otlptest.Record) Finding {
	text := func(key string) string {
		value, _ := r.Attributes[key].(string) //nolint:errcheck // absent is empty
		return value
	}
	status, _ := r.Attributes[export.HTTPStatusKey].(int64) //nolint:errcheck // absent is 0
	return Finding{
		Image: text(export.ImageRefKey), Cause: text(export.ErrorTypeKey), Detail: text(export.CauseDetailKey),
		Remedy: text(export.RemedyKey), Status: int(status),
		After: r.Received.Sub(r.Time),
	}
}
