package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promtoolVersion is that of the module that holds Prometheus 3.16.
const promtoolVersion = "v0.316.0"

// TestPromtool has Prometheus's own tool read the rules, and say of each case what the other
// tests say.
func TestPromtool(t *testing.T) {
	program := promtool(t)
	for _, args := range [][]string{
		{"check", "rules", "--lint-fatal", rulesFile},
		{"test", "rules", promtoolFile},
	} {
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		t.Logf("promtool %s: %s", strings.Join(args, " "), out)
	}
}

// promtool is the path of promtool, built from its module once; that takes five minutes on two cores.
func promtool(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin/promtool-" + promtoolVersion)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "promtool")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	t.Logf("building promtool %s into %s: the first time only, minutes", promtoolVersion, dir)
	build := exec.CommandContext(t.Context(), "go", "install", "-trimpath", "-ldflags", "-s -w", "github.com/prometheus/prometheus/cmd/promtool@"+promtoolVersion)
	build.Dir = os.TempDir() // outside of any module
	build.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("cannot build promtool, and on CI it must: %v\n%s", err, out)
		}
		t.Skipf("cannot build promtool: %v\n%s", err, out)
	}
	return program
}
