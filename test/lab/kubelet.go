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
	"strings"
	"syscall"
	"time"
)

// Whom the kubelet writes to the journal as.
const (
	kubeletIdentifier = "kubelet"
	kubeletUnit       = "kubelet.service"
)

// kubelet is a running kubelet.
type kubelet struct {
	process *process
	inside  *namespace // the thread that it was started from
}

// kubeletStart is how long the kubelet may take until it looks after pods.
const kubeletStart = time.Minute

// startKubelet runs the kubelet beside containerd, and returns when it looks
// after pods.
func (n *Node) startKubelet(ctx context.Context, k Kubelet) error {
	began := time.Now()
	out, err := n.openKubeletOutput(ctx)
	if err != nil {
		return fmt.Errorf("start kubelet: %w", err)
	}
	defer out.Close() // the kubelet has its own
	inside, err := joinNamespaces(n.process.cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("start kubelet: %w", err)
	}
	script := becomeKubelet
	if n.Cluster != nil {
		script += " --kubeconfig=" + innerDir + strings.TrimPrefix(n.Cluster.Kubeconfig, n.Dir)
	}
	if n.journald != nil {
		script = joinRootGroup + script
	}
	cmd := exec.Command("/bin/sh", "-euc", script)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=" + programPath, "TZ=UTC", "GODEBUG=netdns=go"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it ends with its PID namespace
	p, err := startProcess(inside, cmd)
	if err != nil {
		inside.close()
		return fmt.Errorf("start kubelet: %w", err)
	}
	n.kubelet = &kubelet{process: p, inside: inside}
	if err := n.waitKubeletReady(ctx); err != nil {
		return err
	}
	n.logf("kubelet %s looks after pods after %s", k.Version, time.Since(began).Round(time.Millisecond))
	return nil
}

func (n *Node) openKubeletOutput(ctx context.Context) (*os.File, error) {
	if n.journald != nil {
		return n.journald.open(ctx, kubeletIdentifier, kubeletUnit)
	}
	return os.OpenFile(n.KubeletLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

func (n *Node) waitKubeletReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kubeletStart)
	defer cancel()
	_, err := n.WaitKubelet(ctx, "Starting kubelet main sync loop")
	if err == nil && n.journald != nil {
		err = n.journald.check(ctx, kubeletUnit)
	}
	if err == nil {
		return nil
	}
	text, _ := n.ReadKubeletLog(context.WithoutCancel(ctx)) //nolint:errcheck // what there is of it is in the message
	return fmt.Errorf("start kubelet: %w; its last lines:\n%s", err, lastLines(text, 15))
}

func (k *kubelet) stop() error {
	defer k.inside.close()
	return k.process.stop()
}

// ReadKubeletLog returns what the kubelet has written until now.
func (n *Node) ReadKubeletLog(ctx context.Context) ([]byte, error) {
	if n.journald != nil {
		return n.journald.read(ctx, "SYSLOG_IDENTIFIER="+kubeletIdentifier)
	}
	return os.ReadFile(n.KubeletLog)
}

// WaitKubelet returns the first line of the kubelet's log that has all the parts,
// when it is there.
func (n *Node) WaitKubelet(ctx context.Context, parts ...string) (string, error) {
	const patience = 300 * time.Millisecond // a look at a journal takes a moment, too
	again := time.NewTicker(patience)
	defer again.Stop()
	for {
		text, err := n.ReadKubeletLog(ctx)
		if err != nil {
			return "", fmt.Errorf("wait for the kubelet to write %q: %w", parts, err)
		}
		for line := range bytes.Lines(text) {
			if hasAll(line, parts) {
				return string(bytes.TrimSuffix(line, []byte("\n"))), nil
			}
		}
		select {
		case <-n.kubelet.process.done:
			return "", fmt.Errorf("wait for the kubelet to write %q: %w", parts, errors.New("it ended"))
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the kubelet to write %q: %w", parts, ctx.Err())
		case <-again.C:
		}
	}
}

func hasAll(line []byte, parts []string) bool {
	for _, part := range parts {
		if !bytes.Contains(line, []byte(part)) {
			return false
		}
	}
	return true
}

// runningContainers are the ids of the containers and sandboxes that run, or ran
// when containerd ended.
func (n *Node) runningContainers() []string {
	paths, err := filepath.Glob(n.Dir + "/run/state/io.containerd.runtime.v2.task/k8s.io/*")
	if err != nil {
		return nil // the pattern is right
	}
	ids := make([]string, 0, len(paths))
	for _, path := range paths {
		ids = append(ids, filepath.Base(path))
	}
	return ids
}

// removeControlGroups removes what killed containers leave below /sys/fs/cgroup,
// which is the only trace of them outside of the namespaces.
func removeControlGroups(ids []string) error {
	var errs []error
	for _, id := range ids {
		for _, pattern := range []string{"/sys/fs/cgroup/k8s.io/", "/sys/fs/cgroup/*/k8s.io/"} {
			groups, err := filepath.Glob(pattern + id)
			errs = append(errs, err)
			for _, group := range groups {
				errs = append(errs, removeControlGroup(group))
				// Another containerd may have containers there.
				os.Remove(filepath.Dir(group)) //nolint:errcheck // then it stays
			}
		}
	}
	return errors.Join(errs...)
}

// removeControlGroup waits for the last process to be gone, which takes a moment.
func removeControlGroup(path string) error {
	const moment = 2 * time.Second
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for began := time.Now(); ; <-again.C {
		err := os.Remove(path)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Since(began) > moment {
			return fmt.Errorf("remove the control group of a container: %w", err)
		}
	}
}
