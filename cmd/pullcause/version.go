package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker (-X main.version=…).
var version, commit string

type versionCmd struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Help is what version --help says beside its flags.
func (versionCmd) Help() string {
	return `Examples:

    pullcause version
    pullcause version -o json`
}

// build is what is known of this binary.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run is called by kong.
func (v versionCmd) Run(std stdio) error {
	b := readBuild()
	if v.Output == "json" {
		return json.NewEncoder(std.Out).Encode(b)
	}
	_, err := fmt.Fprintf(std.Out, "pullcause %s\ncommit    %s\ngo        %s\nplatform  %s\n", b.Version, b.Commit, b.Go, b.Platform)
	return err
}

// readBuild prefers what the linker was told; go install leaves the rest.
func readBuild() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = cmp.Or(b.Commit, s.Value)
			}
		}
	}
	b.Version = cmp.Or(b.Version, "(devel)")
	b.Commit = cmp.Or(b.Commit, "unknown")
	return b
}
