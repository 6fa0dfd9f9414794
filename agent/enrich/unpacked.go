package enrich

import (
	"context"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/cri"
)

// startable reports whether a container could start from the image that the node has
// under the name of a failed pull. containerd 1.6 records an image before it unpacks it
// (v1.6.20 pull.go Client.Pull): after a pull that failed while unpacking the name is
// there, and its layers are not. Its snapshot tells; where nobody can be asked for it, a
// pull that had got as far as the layers is no proof of anything.
func (e *Enricher) startable(ctx context.Context, a attempt.Attempt) bool {
	chain := e.images.chainOf(a.Ref)
	e.mu.Lock()
	snapshotters := e.snapshotters
	e.mu.Unlock()
	if chain != "" && len(snapshotters) > 0 && e.isContainerd() {
		unpacked, ok := ask(ctx, e, func(ctx context.Context, c *cri.Client) (bool, error) {
			return c.HasSnapshot(ctx, snapshotters, chain)
		}, nil)
		if ok {
			return unpacked
		}
	}
	return !reachedLayers(a.Failure)
}

// reachedLayers reports whether a pull failed only after its manifest was known.
func reachedLayers(f *detect.Failure) bool {
	if f == nil {
		return false
	}
	switch f.Step {
	case detect.StepFetch, detect.StepCommit, detect.StepUnpack:
		return true
	case detect.StepUnknown, detect.StepReference, detect.StepPolicy, detect.StepResolve, detect.StepAuthorize, detect.StepRuntime:
		return false
	}
	return false
}
