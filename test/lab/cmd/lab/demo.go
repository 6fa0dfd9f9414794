//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pullcause/agent/demo"
	"pullcause/test/lab"
)

// show lets the whole agent follow the node's log while it pulls, and prints
// what a receiver got.
func show(ctx context.Context, n *lab.Node, o options) (err error) {
	cfg := demo.StageConfig{
		HostRoot: n.HostRoot,
		StateDir: filepath.Join(n.Dir, "state"),
		Version:  "lab",
		Log:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if n.LogFile != "" {
		cfg.Files = []string{"containerd:" + strings.TrimPrefix(n.LogFile, n.HostRoot)}
	}
	stage, err := demo.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Stop()) }()
	scenarios := lab.Scenarios()
	expected := expectations(n.Containerd, scenarios)
	fmt.Fprintf(os.Stdout, "A real containerd %s pulls %d images, of which %d fail on purpose, each in its own way.\n", n.Containerd.Version, len(scenarios), failing(expected))
	if n.LogFile == "" {
		fmt.Fprintln(os.Stdout, "It writes to a real journald, whose journal is all that is read.")
	}
	fmt.Fprintf(os.Stdout, "Debug page: %s\n\n", stage.DebugURL())
	if err := n.Run(ctx, scenarios, func(lab.Scenario, lab.Result) {}); err != nil {
		return err
	}
	return stage.Finish(ctx, os.Stdout, expected, o.once)
}

// failing counts the pulls that are to fail.
func failing(expected []demo.Scenario) (n int) {
	for _, s := range expected {
		if s.Cause != "" {
			n++
		}
	}
	return n
}

func expectations(c lab.Containerd, scenarios []lab.Scenario) []demo.Scenario {
	all := make([]demo.Scenario, 0, len(scenarios))
	for _, s := range scenarios {
		want := s.Expect(c)
		all = append(all, demo.Scenario{Name: s.Name, Image: s.Image, Cause: want.Cause, Detail: want.Detail, Status: want.Status})
	}
	return all
}
