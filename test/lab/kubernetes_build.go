//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const kubernetes = "k8s.io/kubernetes"

// inKubernetesModule calls build with a folder, and removes it then, whose go.mod
// selects what Kubernetes of that version is built of: no other has a say.
func inKubernetesModule(ctx context.Context, version string, build func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "pullcause-kubernetes-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := writeKubernetesModule(ctx, version, dir); err != nil {
		return err
	}
	return build(dir)
}

// moduleFile is what "go mod edit -json" tells of a go.mod.
type moduleFile struct {
	Go      string
	Replace []struct {
		Old, New struct{ Path string }
	}
}

// writeKubernetesModule writes a go.mod with which Kubernetes can be built: it
// replaces its staging modules by folders of its repository, which hold only for
// the repository itself. They are published with the same minor and patch as v0.
func writeKubernetesModule(ctx context.Context, version, dir string) error {
	var download struct{ GoMod string }
	out, err := goRun(ctx, dir, "mod", "download", "-json", kubernetes+"@v"+version)
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
	text := fmt.Appendf(nil, "module kubernetes\n\ngo %s\n\nrequire %s v%s\n\n", theirs.Go, kubernetes, version)
	for _, r := range theirs.Replace {
		if strings.HasPrefix(r.New.Path, "./staging/") {
			text = fmt.Appendf(text, "replace %s => %[1]s v0.%s\n", r.Old.Path, strings.TrimPrefix(version, "1."))
		}
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644)
}

// kubernetesFlags are the linker's that make a program of Kubernetes tell its version.
func kubernetesFlags(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
		"k8s.io/component-base/version", version, major, minor)
}
