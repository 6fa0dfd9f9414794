//go:build linux

package lab

import (
	"context"
	_ "embed"
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

// build makes both programs.
func (k Kubelet) build(ctx context.Context, dir string, logf func(string, ...any)) error {
	logf("building kubelet %s from its module into %s: the first time only, about 8 minutes on two cores", k.Version, dir)
	began := time.Now()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := inKubernetesModule(ctx, k.Version, func(module string) error {
		if err := os.WriteFile(filepath.Join(module, "pause.go"), pauseSource, 0o644); err != nil {
			return err
		}
		if err := goBuild(ctx, module, k.pause, "-s -w", "pause.go"); err != nil {
			return err
		}
		return goBuild(ctx, module, k.Path, kubernetesFlags(k.Version), kubernetes+"/cmd/kubelet")
	})
	if err == nil {
		logf("built kubelet %s in %s", k.Version, time.Since(began).Round(time.Second))
	}
	return err
}
