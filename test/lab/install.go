//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// Containerd is a containerd program.
type Containerd struct {
	Path    string
	Version string // "1.6.20", "2.4.2"
	Major   int
	Minor   int
}

// builtVersion is the containerd 2 that the lab builds.
const builtVersion = "2.4.2"

// distributionPath is where the packages of Debian and Ubuntu put theirs.
const distributionPath = "/usr/bin/containerd"

// Build returns containerd 2.4, built from its module into the folder bin if it
// is not there yet. That takes one or two minutes on two cores, once.
func Build(ctx context.Context, bin string, logf func(string, ...any)) (Containerd, error) {
	dir, err := filepath.Abs(filepath.Join(bin, "containerd-"+builtVersion))
	if err != nil {
		return Containerd{}, fmt.Errorf("build containerd: %w", err)
	}
	path := filepath.Join(dir, "containerd")
	if _, err := os.Stat(path); err == nil {
		return inspect(ctx, path)
	}
	logf("building containerd %s from its module into %s: the first time only, one or two minutes on two cores", builtVersion, dir)
	began := time.Now()
	const module = "github.com/containerd/containerd/v2"
	err = GoInstall(ctx, dir, "-s -w -X "+module+"/version.Version=v"+builtVersion,
		module+"/cmd/containerd@v"+builtVersion, module+"/cmd/containerd-shim-runc-v2@v"+builtVersion)
	if err != nil {
		return Containerd{}, fmt.Errorf("build containerd: %w", err)
	}
	logf("built containerd in %s", time.Since(began).Round(time.Second))
	return inspect(ctx, path)
}

// Install returns the distribution's containerd (1.6 in Debian 12), installed
// with apt-get if it is not there yet. That takes half a minute, once.
func Install(ctx context.Context, logf func(string, ...any)) (Containerd, error) {
	if _, err := os.Stat(distributionPath); err == nil {
		return inspect(ctx, distributionPath)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return Containerd{}, errors.New("install containerd: there is no " + distributionPath + " and no apt-get: install the distribution's containerd")
	}
	logf("installing the distribution's containerd and runc with apt-get: the first time only, half a minute")
	for _, args := range [][]string{
		{"update", "-q"},
		{"install", "-q", "-y", "--no-install-recommends", "containerd", "runc"},
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return Containerd{}, fmt.Errorf("install containerd: %s: %w\n%s", cmd, err, lastOf(out, 2000))
		}
	}
	return inspect(ctx, distributionPath)
}

// containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3
var versionLine = regexp.MustCompile(`^containerd \S+ v?(\d+\.\d+\.\d+)`)

func inspect(ctx context.Context, path string) (Containerd, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Containerd{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return Containerd{}, fmt.Errorf("ask %s for its version: it answers %q, wanted \"containerd MODULE 2.4.2\"", path, out)
	}
	c := Containerd{Path: path, Version: string(m[1])}
	if _, err := fmt.Sscanf(c.Version, "%d.%d", &c.Major, &c.Minor); err != nil {
		return Containerd{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return c, nil
}

func lastOf(text []byte, size int) []byte {
	return bytes.TrimSpace(text[max(0, len(text)-size):])
}
