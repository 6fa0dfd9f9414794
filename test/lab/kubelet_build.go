//go:build linux

package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Kubelet is a kubelet program. The zero value is none.
type Kubelet struct {
	Path    string
	Version string // "1.37.2"
	Minor   int
	// pause is the program that the lab's images hold.
	pause string
}

// KubeletVersions are those that the lab is used with: what they write differs.
func KubeletVersions() []string { return []string{"1.37.2", "1.34.4"} }

//go:embed pause/main.go
var pauseSource []byte

const kubernetes = "k8s.io/kubernetes"

// BuildKubelet returns a kubelet of Kubernetes 1.x, built from its module into
// the folder bin if it is not there yet. That takes about eight minutes on two
// cores, once for each version.
func BuildKubelet(ctx context.Context, bin, version string, logf func(string, ...any)) (Kubelet, error) {
	k := Kubelet{Version: version}
	if _, err := fmt.Sscanf(version, "1.%d.", &k.Minor); err != nil {
		return Kubelet{}, fmt.Errorf("build kubelet: got version %q, want one such as 1.37.2: %w", version, err)
	}
	dir, err := filepath.Abs(filepath.Join(bin, "kubelet-"+version))
	if err != nil {
		return Kubelet{}, fmt.Errorf("build kubelet: %w", err)
	}
	k.Path, k.pause = filepath.Join(dir, "kubelet"), filepath.Join(dir, "pause")
	_, errKubelet := os.Stat(k.Path)
	_, errPause := os.Stat(k.pause)
	if errKubelet != nil || errPause != nil {
		if err := k.build(ctx, dir, logf); err != nil {
			return Kubelet{}, fmt.Errorf("build kubelet %s: %w", version, err)
		}
	}
	return k, k.check(ctx)
}

// check asks the program for its version.
func (k Kubelet) check(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, k.Path, "--version").Output()
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", k.Path, err)
	}
	if got, want := strings.TrimSpace(string(out)), "Kubernetes v"+k.Version; got != want {
		return fmt.Errorf("ask %s for its version: got %q, want %q", k.Path, got, want)
	}
	return nil
}

// build makes both programs in a module that is made for it, below a temporary
// folder, so that no go.mod but the kubelet's own has a say.
func (k Kubelet) build(ctx context.Context, dir string, logf func(string, ...any)) (err error) {
	logf("building kubelet %s from its module into %s: the first time only, about 8 minutes on two cores", k.Version, dir)
	began := time.Now()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	module, err := os.MkdirTemp("", "pullcause-kubelet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(module)) }()
	if err := os.WriteFile(filepath.Join(module, "pause.go"), pauseSource, 0o644); err != nil {
		return err
	}
	if err := goBuild(ctx, module, k.pause, "-s -w", "pause.go"); err != nil {
		return err
	}
	if err := k.writeModule(ctx, module); err != nil {
		return err
	}
	const version = "k8s.io/component-base/version"
	flags := fmt.Sprintf("-s -w -X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=%[3]d", version, k.Version, k.Minor)
	if err := goBuild(ctx, module, k.Path, flags, kubernetes+"/cmd/kubelet"); err != nil {
		return err
	}
	logf("built kubelet %s in %s", k.Version, time.Since(began).Round(time.Second))
	return nil
}

// moduleFile is what "go mod edit -json" tells of a go.mod.
type moduleFile struct {
	Go      string
	Replace []struct {
		Old, New struct{ Path string }
	}
}

// writeModule writes a go.mod with which the kubelet can be built: Kubernetes
// replaces its staging modules by folders of its repository, which hold only for
// the repository itself. They are published with the same minor and patch as v0.
func (k Kubelet) writeModule(ctx context.Context, dir string) error {
	var download struct{ GoMod string }
	out, err := goRun(ctx, dir, "mod", "download", "-json", kubernetes+"@v"+k.Version)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &download); err != nil {
		return fmt.Errorf("read what go mod download says: %w", err)
	}
	if out, err = goRun(ctx, dir, "mod", "edit", "-json", download.GoMod); err != nil {
		return err
	}
	var theirs moduleFile
	if err := json.Unmarshal(out, &theirs); err != nil {
		return fmt.Errorf("read %s: %w", download.GoMod, err)
	}
	text := fmt.Appendf(nil, "module kubelet\n\ngo %s\n\nrequire %s v%s\n\n", theirs.Go, kubernetes, k.Version)
	for _, r := range theirs.Replace {
		if strings.HasPrefix(r.New.Path, "./staging/") {
			text = fmt.Appendf(text, "replace %s => %[1]s v0.%s\n", r.Old.Path, strings.TrimPrefix(k.Version, "1."))
		}
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644)
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
