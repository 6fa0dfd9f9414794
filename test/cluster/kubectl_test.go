//go:build linux

package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl runs kubectl as the cluster's administrator and returns what it prints.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), c.kubectlPath, append([]string{"--kubeconfig=" + c.node.Cluster.Kubeconfig}, args...)...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := c.node.Command(cmd); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, &out)
	}
	return out.String()
}

// kustomization is as docs/install.md has it, with the image from elsewhere.
const kustomization = `resources: [../manifests]
images: [{name: ghcr.io/pullcause/pullcause, newName: %s, newTag: "1"}]
patches:
  - target: {kind: DaemonSet, name: pullcause}
    patch: |
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: {name: PULLCAUSE_OTLP_LOGS_ENDPOINT, value: %q}
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value: {name: PULLCAUSE_INCIDENTS_REPORT, value: all}
`

// kustomize makes the folder of a kustomization beside the manifests.
func kustomize(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "manifests"), os.DirFS(repository+"/deploy/manifests")); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(kustomization, imageName, receiverURL)
	if err := os.WriteFile(filepath.Join(mine, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return mine
}

// describe is what kubectl tells of the cluster and of the agent, for a test that failed.
func (c *cluster) describe() string {
	var all bytes.Buffer
	for _, args := range []string{
		"get pods --all-namespaces --output=wide",
		"describe pods --namespace=" + namespace,
		"get events --all-namespaces",
		"logs --namespace=" + namespace + " daemonset/pullcause --tail=30",
	} {
		cmd := exec.Command(c.kubectlPath, append([]string{"--kubeconfig=" + c.node.Cluster.Kubeconfig}, strings.Fields(args)...)...)
		cmd.Stdout, cmd.Stderr = &all, &all
		fmt.Fprintf(&all, "\nkubectl %s\n", args)
		if err := c.node.Command(cmd); err != nil {
			fmt.Fprintln(&all, err)
		}
	}
	return all.String()
}
