//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// GoInstall builds static programs from packages such as "helm.sh/helm/v4/cmd/helm@v4.3.1" into
// the folder dir, which must be an absolute path. No go.mod but that of their module has a say.
func GoInstall(ctx context.Context, dir, linkerFlags string, packages ...string) error {
	args := append([]string{"install", "-trimpath", "-ldflags", linkerFlags}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, lastOf(out, 2000))
	}
	return nil
}

// goBuild builds a static program, and puts it into place when it is whole.
func goBuild(ctx context.Context, dir, program, linkerFlags, pkg string) error {
	unfinished := program + ".unfinished"
	if _, err := goRun(ctx, dir, "build", "-trimpath", "-ldflags", linkerFlags, "-o", unfinished, pkg); err != nil {
		return err
	}
	return os.Rename(unfinished, program)
}

// goRun runs the go command in dir and returns what it prints.
func goRun(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		var complaints []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			complaints = lastOf(exit.Stderr, 2000)
		}
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, complaints)
	}
	return out, nil
}
