package agent_test

import (
	"errors"
	"fmt"
	"testing"

	"pullcause/agent/export"
	"pullcause/logtail/checkpoint"
)

// The agent of the next release starts while the one before it drains: it waits for
// the state folder, and goes on from there.
func TestUpgrade(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	if lock, err := checkpoint.Lock(n.cfg.Delivery.StateDir); err == nil {
		lock.Close()
		t.Error("got a lock on the state folder of an agent that runs")
	} else if !errors.Is(err, checkpoint.ErrInUse) {
		t.Skipf("no lock to be had here: %v", err)
	}
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "v1"))
	n.wait(1)
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	_, stop2 := n.run()
	<-stopped // else it would have started beside it
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v2"))
	n.waitImage("registry.example.com/team/app:v2")
	stop2()
	seen := map[any]bool{}
	for _, r := range n.receiver.Records() {
		uid := r.Attributes[export.LogRecordUIDKey]
		if seen[uid] {
			t.Errorf("the record %v came twice", uid)
		}
		seen[uid] = true
	}
}
