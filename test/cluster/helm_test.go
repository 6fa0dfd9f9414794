//go:build linux

package cluster

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pullcause/test/lab"
)

const (
	helmVersion = "v4.3.1"
	// chart is where the chart is in the repository, where Helm is run.
	chart = "deploy/helm/pullcause"
)

// helmProgram is the path of Helm, built from its module once.
var helmProgram = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(bin, "helm-"+helmVersion))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "helm")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := lab.GoInstall(context.Background(), dir, "-s -w", "helm.sh/helm/v4/cmd/helm@"+helmVersion); err != nil {
		return "", err
	}
	return path, nil
})

// helmCommand is Helm with nothing of the user's own.
func helmCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := helmProgram()
	if err != nil {
		cannot(t, err.Error())
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = repository
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	return cmd
}

// helm runs Helm without a cluster and returns what it prints.
func helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := helmCommand(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// helm runs Helm as the cluster's administrator and returns what it prints.
func (c *cluster) helm(t *testing.T, args ...string) string {
	t.Helper()
	cmd := helmCommand(t, args...)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+c.node.Cluster.Kubeconfig)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := c.node.Command(cmd); err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, &out)
	}
	return out.String()
}
