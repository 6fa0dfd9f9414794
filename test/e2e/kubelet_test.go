//go:build linux

package e2e

import (
	"context"
	"regexp"
	"sync"
	"testing"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/logtail/journal/journaltest"
	"pullcause/test/lab"
)

// eachKubelet runs a test on a node with each kubelet: the newest writes to files, the
// older one to a journal, side by side.
func eachKubelet(t *testing.T, o lab.Options, test func(*testing.T, *lab.Node)) {
	t.Helper()
	requireRoot(t)
	for i, version := range lab.KubeletVersions() {
		o := o
		o.Journal = i > 0
		name := version + map[bool]string{false: ", files", true: ", journal"}[o.Journal]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			test(t, startNode(t, version, o))
			t.Logf("%s took %s", name, time.Since(began).Round(time.Second))
		})
	}
}

// buildingKubelet is held while the lab builds one.
var buildingKubelet sync.Mutex

// startNode starts a node with a kubelet. Its logs are shown if the test fails.
func startNode(t *testing.T, version string, o lab.Options) *lab.Node {
	t.Helper()
	o.Containerd = build(t)
	buildingKubelet.Lock()
	kubelet, err := lab.BuildKubelet(t.Context(), bin, version, t.Logf)
	buildingKubelet.Unlock()
	if err != nil {
		cannot(t, err.Error())
	}
	if _, err := journaltest.Host(); err != nil && o.Journal {
		cannot(t, err.Error())
	}
	o.Kubelet, o.Logf = kubelet, t.Logf
	node, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

// kubeletLog is what the kubelet has written.
func kubeletLog(t *testing.T, n *lab.Node) string {
	t.Helper()
	text, err := n.ReadKubeletLog(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// failedStart is what a kubelet says of a container whose pull has just failed; of
// several containers of a pod it says it in one line.
var failedStart = regexp.MustCompile(`failed to \\"(?:StartContainer|InitContainer)\\" for \\"([^"\\]+)\\" with ErrImagePull`)

// waiter is a container that waits for an image.
type waiter struct{ Namespace, Pod, UID, Container, Kind string }

// waiterOf is the one that a record names.
func waiterOf(r otlptest.Record) waiter {
	return waiter{
		text(r, export.NamespaceKey), text(r, export.PodNameKey), text(r, export.PodUIDKey),
		text(r, export.ContainerNameKey), text(r, export.ContainerKindKey),
	}
}

// until waits until is holds, or fails the test.
func until(t *testing.T, patience time.Duration, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(time.Second) // what is looked at may take a moment
	defer again.Stop()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
		<-again.C
	}
}
