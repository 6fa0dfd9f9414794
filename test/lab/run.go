//go:build linux

package lab

import (
	"context"
	"sync"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Pod names a pod.
type Pod struct{ Namespace, Name, UID string }

// Result is how a scenario ended on a node.
type Result struct {
	// Err is what the runtime answered over CRI; nil if the image was pulled.
	Err        error
	Start, End time.Time
}

// Run plays the scenarios and hands over each result, one at a time. Slow ones
// run beside the others; one that spoils the node runs alone at the end. It
// returns early, with its error, when ctx ends.
func (n *Node) Run(ctx context.Context, scenarios []Scenario, each func(Scenario, Result)) error {
	var (
		slow sync.WaitGroup
		mu   sync.Mutex
	)
	play := func(s Scenario) {
		r := n.Play(ctx, s)
		mu.Lock()
		defer mu.Unlock()
		each(s, r)
	}
	for _, s := range scenarios {
		if s.slow {
			slow.Go(func() { play(s) })
		}
	}
	for _, s := range scenarios {
		if !s.slow && !s.last && ctx.Err() == nil {
			play(s)
			pause(ctx, n.pace)
		}
	}
	slow.Wait()
	for _, s := range scenarios {
		if s.last && ctx.Err() == nil {
			play(s)
		}
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Play plays one scenario.
func (n *Node) Play(ctx context.Context, s Scenario) Result {
	if s.abort > 0 && !n.Containerd.hasProgressTimeout() {
		timed, cancel := context.WithCancel(ctx)
		defer time.AfterFunc(s.abort, cancel).Stop()
		ctx = timed
	}
	result := Result{Start: time.Now()}
	if s.Sandbox {
		result.Err = n.cri.runSandbox(ctx, s.Pod())
	} else {
		result.Err = n.cri.pull(ctx, s.Pod(), s.Image, s.Login.auth())
	}
	result.End = time.Now()
	return result
}

func (l *Login) auth() *cri.AuthConfig {
	if l == nil {
		return nil
	}
	return &cri.AuthConfig{Username: l.User, Password: l.Password}
}

// hasProgressTimeout tells whether the lab's configuration makes containerd
// cancel a pull without progress. 1.6 cannot; 1.7 would cancel a connection
// that times out as well.
func (c Containerd) hasProgressTimeout() bool { return c.Major > 1 }
