//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const guest = "guest"

// welcomeGuest has a pod run, for checkLetsGo.
func (c *cluster) welcomeGuest(t *testing.T) {
	t.Helper()
	pods := c.client.CoreV1().Pods(shop)
	_, err := pods.Create(t.Context(), &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: guest},
		Spec: core.PodSpec{
			TerminationGracePeriodSeconds: new(int64(0)),
			Containers:                    []core.Container{{Name: "app", Image: "registry.lab.test/app/setup:1.0", Command: []string{"/pause"}}},
		},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the pod that is to be deleted", func() bool {
		pod, err := pods.Get(t.Context(), guest, meta.GetOptions{})
		return err == nil && pod.Status.Phase == core.PodRunning
	})
}

// checkLetsGo deletes a pod that ran before the agent and looks whether the agent still has the file
// systems of its containers mounted: their disk space would be taken as long as it runs. It has its
// own copies of the mounts, which the node's umount does not reach; but who removes the folder below
// a mount takes it away everywhere (Linux since 3.18, fs/namespace.c, detach_mounts), as the runtime does.
func (c *cluster) checkLetsGo(t *testing.T) {
	t.Helper()
	before := fileSystems(t, agentProcess(t))
	if err := c.client.CoreV1().Pods(shop).Delete(t.Context(), guest, meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	node := filepath.Dir(c.node.FileSystem())
	until(t, time.Minute, "the file systems of the deleted pod to be gone from the node", func() bool {
		return len(fileSystems(t, node)) <= len(before)-2 // its container's and its sandbox's
	})
	// The runtime unmounts first and removes the folder next: only the latter reaches the agent.
	within(time.Minute, func() bool { return slices.Equal(fileSystems(t, node), fileSystems(t, agentProcess(t))) })
	if diff := cmp.Diff(fileSystems(t, node), fileSystems(t, agentProcess(t))); diff != "" {
		t.Errorf("file systems of containers that the node has mounted, and the agent:\n%s", diff)
	}
}

// fileSystems are the containers whose file systems a process has mounted, its own maybe twice.
func fileSystems(t *testing.T, process string) []string {
	t.Helper()
	mounts, err := os.ReadFile(filepath.Join(process, "mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(mounts)) {
		if where := strings.Fields(line)[4]; filepath.Base(where) == "rootfs" {
			ids = append(ids, filepath.Base(filepath.Dir(where)))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
