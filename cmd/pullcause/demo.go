package main

import (
	"context"
	"fmt"

	"pullcause/agent"
	"pullcause/agent/demo"
)

// demoCmd plays the recorded session of a node through the whole agent.
type demoCmd struct {
	Once  bool    `help:"End after the table, with exit code 1 if a scenario was not diagnosed as expected."`
	Speed float64 `help:"How many times faster than recorded the session is played." default:"10" placeholder:"10"`
}

// Help is what demo --help says beside its flags.
func (demoCmd) Help() string {
	return `Examples:

    pullcause demo
    pullcause demo --once

It plays what containerd and the kubelet of a real node wrote while pulls failed, into temporary files that the agent follows, and shows what a receiver in the same process got. No cluster and no root are needed. The debug page stays open until Ctrl-C.`
}

// Validate is called by kong.
func (d demoCmd) Validate() error {
	if d.Speed <= 0 {
		return fmt.Errorf("--speed: got %g, takes a number above 0", d.Speed)
	}
	return nil
}

// Run is called by kong.
func (d demoCmd) Run(ctx context.Context, std stdio) error {
	return demo.Run(ctx, demo.Options{
		Once: d.Once, Speed: d.Speed, Version: readBuild().Version, Out: std.Out,
		Log: newLogger(agent.LogConfig{Level: "warn", Format: agent.FormatAuto}, std.Err),
	})
}
