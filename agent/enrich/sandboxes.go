package enrich

import (
	"context"
	"sync"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/cri"
)

// maxCandidates bounds the pods that may have waited.
const maxCandidates = 100

// sandboxesFor is how long one answer about sandboxes serves all who ask.
const sandboxesFor = 2 * time.Second

// sandboxes is the last answer about them.
type sandboxes struct {
	mu    sync.Mutex
	asked time.Time
	list  []cri.Sandbox
	known bool
}

// candidates are the pods that may have waited for an image at a time: their sandbox was
// up, and no container was in it.
func (e *Enricher) candidates(ctx context.Context, at time.Time) []attempt.Pod {
	var pods []attempt.Pod
	for _, s := range e.readySandboxes(ctx, at) {
		if s.Containers == 0 && len(pods) < maxCandidates && (at.IsZero() || s.Created.Before(at)) {
			pods = append(pods, attempt.Pod{Pod: detect.Pod{Namespace: s.Namespace, Name: s.Name, UID: s.UID}})
		}
	}
	return pods
}

// readySandboxes are those that the runtime has now. An answer that was asked for after a
// pull began to wait, or none, serves the next pulls too: of a hundred that fail together
// each would cost two calls.
func (e *Enricher) readySandboxes(ctx context.Context, at time.Time) []cri.Sandbox {
	s := &e.sandboxes
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.asked) < sandboxesFor && (!s.known || !s.asked.Before(at)) {
		return s.list
	}
	s.asked = now
	s.list, s.known = ask(ctx, e, func(ctx context.Context, c *cri.Client) ([]cri.Sandbox, error) {
		list, cut, err := c.ReadySandboxes(ctx)
		e.cuts.note("sandboxes and containers", cut)
		return list, err
	}, nil)
	return s.list
}
