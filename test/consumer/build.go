package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The versions that are built.
const (
	// VictoriaLogs is required by VictoriaMetrics, the version of which is named: on
	// its own it asks for a commit of VictoriaMetrics that module proxies do not have.
	victoriaLogs     = "v1.51.1-0.20260624061259-dc94972a8708"
	victoriaMetrics  = "v1.150.0"
	collectorVersion = "v0.165.0"
	providersVersion = "v1.71.0" // of the same release: the Collector's stable modules
)

const victoriaLogsModule = `module build

go 1.26.0

require (
	github.com/VictoriaMetrics/VictoriaLogs ` + victoriaLogs + `
	github.com/VictoriaMetrics/VictoriaMetrics ` + victoriaMetrics + `
)
`

// Build returns the path of VictoriaLogs, built from its module into the folder
// bin if it is not there yet. That takes a minute or two on two cores, once.
func Build(ctx context.Context, bin string, logf func(string, ...any)) (string, error) {
	return buildOnce(ctx, bin, "victoria-logs-"+victoriaLogs[:len("v1.51.1")], logf, func(dir, program string) error {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(victoriaLogsModule), 0o600); err != nil {
			return err
		}
		const command = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"
		if err := run(ctx, dir, "go", "get", command); err != nil {
			return err
		}
		return run(ctx, dir, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, command)
	})
}

// manifest is for the Collector's builder.
const manifest = `
dist: {module: build, name: otelcol, description: for tests, version: ` + collectorVersion + `, output_path: out}
receivers: [{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver ` + collectorVersion + `}]
exporters: [{gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter ` + collectorVersion + `}]
providers:
  - {gomod: go.opentelemetry.io/collector/confmap/provider/envprovider ` + providersVersion + `} # it refuses to run without
  - {gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider ` + providersVersion + `}
`

// BuildCollector returns the path of an OpenTelemetry Collector, built by its own
// builder into the folder bin if it is not there yet: from OTLP over HTTP and gRPC
// to OTLP over HTTP. That takes two or three minutes on two cores, once.
func BuildCollector(ctx context.Context, bin string, logf func(string, ...any)) (string, error) {
	return buildOnce(ctx, bin, "otelcol-"+collectorVersion, logf, func(dir, program string) error {
		builder := exec.CommandContext(ctx, "go", "install", "go.opentelemetry.io/collector/cmd/builder@"+collectorVersion)
		builder.Env = append(environment(), "GOBIN="+dir)
		if err := runCommand(builder, os.TempDir()); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o600); err != nil {
			return err
		}
		if err := run(ctx, dir, filepath.Join(dir, "builder"), "--config", "manifest.yaml"); err != nil {
			return err
		}
		return os.Rename(filepath.Join(dir, "out", "otelcol"), program)
	})
}

// buildOnce has a program built in a folder of its own below bin and moves it to
// its name when it is whole.
func buildOnce(
	ctx context.Context, bin, name string, logf func(string, ...any), build func(dir, program string) error,
) (path string, err error) {
	failed := func(err error) (string, error) { return "", fmt.Errorf("build %s: %w", name, err) }
	if bin, err = filepath.Abs(bin); err != nil {
		return failed(err)
	}
	path = filepath.Join(bin, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	logf("building %s from its module into %s: the first time only, minutes on two cores", name, bin)
	began := time.Now()
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return failed(err)
	}
	dir, err := os.MkdirTemp(bin, ".build-")
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, name)
	if err := build(dir, program); err != nil {
		return failed(errors.Join(err, ctx.Err()))
	}
	if err := os.Rename(program, path); err != nil {
		return failed(err)
	}
	logf("built %s in %s", name, time.Since(began).Round(time.Second))
	return path, nil
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	return runCommand(cmd, dir)
}

func runCommand(cmd *exec.Cmd, dir string) error {
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, lastOf(out, 2000))
	}
	return nil
}

// environment keeps our own settings out of what is built: no go.mod but its own
// has a say.
func environment() []string {
	return append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
}

func lastOf(text []byte, size int) []byte {
	return bytes.TrimSpace(text[max(0, len(text)-size):])
}
