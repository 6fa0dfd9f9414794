package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
	"pullcause/logtail/checkpoint"
)

// noEntries passes over the incidents of a stored state.
type noEntries struct{}

func (noEntries) Reset()           {}
func (noEntries) Set([]byte) error { return nil }
func (noEntries) Remove(string)    {}

// stored lists the files of which a position is stored.
func (n *node) stored() []string {
	n.t.Helper()
	positions, err := checkpoint.Open(n.cfg.Delivery.StateDir).Load(noEntries{})
	if err != nil {
		n.t.Fatal(err)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(positions)) {
		names = append(names, filepath.Base(name))
	}
	return names
}

func (n *node) expectStored(when string, want ...string) {
	n.t.Helper()
	if diff := cmp.Diff(want, n.stored()); diff != "" {
		n.t.Errorf("positions that are stored %s (-want +got):\n%s", when, diff)
	}
}

// settled has an agent read both logs to their ends and stops it.
func (n *node) settled() {
	n.t.Helper()
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "v1"))
	n.wait(1)
	stop()
	n.expectStored("after a run", "containerd.log", "kubelet.log")
}

// An agent that is stopped before its sources have looked knows where they were.
func TestStoppedAtOnceKeepsPositions(t *testing.T) {
	n := newNode(t)
	n.settled()
	a, err := agent.New(t.Context(), n.cfg, agent.Deps{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	n.expectStored("after a stop at once", "containerd.log", "kubelet.log")
}

// A log that is away for one run of the agent is read from where it was left.
func TestAbsentLogKeepsItsPosition(t *testing.T) {
	n := newNode(t)
	n.settled()
	n.cfg.Sources.Lookback = agent.Lookback{}
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "v2"))
	away := n.kubelet + ".hidden"
	if err := os.Rename(n.kubelet, away); err != nil {
		t.Fatal(err)
	}
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v3"))
	n.waitImage("registry.example.com/team/app:v3")
	stop()
	n.expectStored("while the log is away", "containerd.log", "kubelet.log")
	if err := os.Rename(away, n.kubelet); err != nil {
		t.Fatal(err)
	}
	_, stop = n.run()
	n.waitImage("registry.example.com/team/app:v2")
	stop()
}

// The position in a log that the configuration no longer names goes.
func TestPositionOfADroppedLogGoes(t *testing.T) {
	n := newNode(t)
	n.settled()
	n.cfg.Sources.Files = n.cfg.Sources.Files[:1]
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v2"))
	n.waitImage("registry.example.com/team/app:v2")
	stop()
	n.expectStored("without the kubelet's log", "containerd.log")
}
