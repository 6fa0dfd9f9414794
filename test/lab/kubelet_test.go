//go:build linux

package lab

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A real kubelet tells about a pull that fails, holds back, and runs the pod when
// the registry is mended.
func TestKubelet(t *testing.T) {
	requireRoot(t)
	for _, version := range KubeletVersions() {
		t.Run(version, func(t *testing.T) {
			t.Run("file", func(t *testing.T) { testKubelet(t, version, false) })
			t.Run("journal", func(t *testing.T) {
				requireJournald(t)
				testKubelet(t, version, true)
			})
		})
	}
}

func testKubelet(t *testing.T, version string, journal bool) {
	n := startWithKubelet(t, version, Options{Journal: journal})
	const repository = "registry.lab.test/app/late"
	if err := n.SetFault(repository, NotFound); err != nil {
		t.Fatal(err)
	}
	pod, err := n.AddPod(Manifest{Namespace: "shop", Name: "late", Containers: []Container{{Name: "app", Image: repository + ":1.0"}}})
	if err != nil {
		t.Fatal(err)
	}
	skipped := []string{`"Error syncing pod, skipping"`, `pod="shop/late-node-a" podUID="` + pod.UID + `"`, `\"StartContainer\" for \"app\"`}
	waitKubelet(t, n, append(skipped, "with ErrImagePull")...)
	waitKubelet(t, n, append(skipped, "with ImagePullBackOff")...)
	if err := n.SetFault(repository, OK); err != nil {
		t.Fatal(err)
	}
	waitRequest(t, n, "app/late", 200)
	waitContainers(t, n, 2) // the sandbox and the container
	if err := n.RemovePod(pod); err != nil {
		t.Fatal(err)
	}
	waitKubelet(t, n, "SyncLoop REMOVE", "shop/late-node-a")
	checkClose(t, n)
}

// A pause image that cannot be pulled keeps the whole pod from starting.
func TestKubeletSandbox(t *testing.T) {
	requireRoot(t)
	n := startWithKubelet(t, KubeletVersions()[0], Options{})
	if err := n.SetListening(pauseHost, false); err != nil {
		t.Fatal(err)
	}
	const image = "registry.lab.test/app/web:1.0"
	pod, err := n.AddPod(Manifest{Namespace: "shop", Name: "web", Containers: []Container{{Name: "app", Image: image}}})
	if err != nil {
		t.Fatal(err)
	}
	waitKubelet(t, n, `"Error syncing pod, skipping"`, "with CreatePodSandboxError", "connection refused", pod.UID)
	if err := n.SetListening(pauseHost, true); err != nil {
		t.Fatal(err)
	}
	waitRequest(t, n, "pause", 200)
	waitRequest(t, n, "app/web", 200)
	checkClose(t, n)
}

// Init containers, image volumes and the node's logins let a pod run.
func TestKubeletRunsPods(t *testing.T) {
	requireRoot(t)
	for _, version := range KubeletVersions() {
		t.Run(version, func(t *testing.T) {
			n := startWithKubelet(t, version, Options{
				MaxParallelPulls: 3,
				Logins:           map[string]Login{"registry.lab.test": GoodLogin()},
			})
			if err := n.SetFault("registry.lab.test/app/private", Unauthorized); err != nil {
				t.Fatal(err)
			}
			_, err := n.AddPod(Manifest{
				Name:           "whole",
				InitContainers: []Container{{Name: "first", Image: "registry.lab.test/app/first:1.0"}},
				Containers: []Container{
					{Name: "app", Image: "registry.lab.test/app/private:1.0", Policy: Always},
					{Name: "side", Image: "registry.lab.test/team/web:1.0", Policy: IfNotPresent},
				},
				ImageVolumes: []ImageVolume{{Name: "model", Image: "registry.lab.test/app/model:1.0"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			waitRequest(t, n, "app/model", 200)
			waitRequest(t, n, "app/private", 200)
			waitContainers(t, n, 3) // the sandbox and two containers
			checkClose(t, n)
		})
	}
}

func startWithKubelet(t *testing.T, version string, o Options) *Node {
	t.Helper()
	var err error
	if o.Containerd, err = Build(t.Context(), "../../bin", t.Logf); err != nil {
		cannot(t, err.Error())
	}
	if o.Kubelet, err = BuildKubelet(t.Context(), "../../bin", version, t.Logf); err != nil {
		cannot(t, err.Error())
	}
	o.Logf = t.Logf
	t.Setenv("TMPDIR", t.TempDir())
	n, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := n.ReadKubeletLog(context.Background())
			t.Logf("the kubelet's last lines:\n%s", lastLines(text, 20))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func waitKubelet(t *testing.T, n *Node, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	line, err := n.WaitKubelet(ctx, parts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(line)
}

// waitRequest waits until a repository has answered a request with a status.
func waitRequest(t *testing.T, n *Node, repository string, status int) {
	t.Helper()
	eventually(t, "a request for "+repository, func() bool {
		for _, r := range n.Requests() {
			if r.Repository == repository && r.Status == status && r.Reference != "" {
				return true
			}
		}
		return false
	})
}

func waitContainers(t *testing.T, n *Node, count int) {
	t.Helper()
	eventually(t, "containers", func() bool { return len(n.runningContainers()) == count })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// checkClose closes the node while containers may run, and looks for what is left.
func checkClose(t *testing.T, n *Node) {
	t.Helper()
	running := n.runningContainers()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		for _, id := range running {
			if bytes.Contains(line, []byte(id)) {
				t.Errorf("a process after Close: %q", line)
			}
		}
	}
	for _, id := range running {
		if groups, _ := filepath.Glob("/sys/fs/cgroup/*/k8s.io/" + id); len(groups) > 0 {
			t.Errorf("control groups after Close: %q", groups)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), n.Dir) {
		t.Errorf("mounts after Close: %s", mounts)
	}
}
