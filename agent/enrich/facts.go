package enrich

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/containerd/platforms"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/cri"
)

// Facts are those of one attempt.
type Facts struct {
	// ImagePlatform is that of an image which was pulled and cannot run here.
	ImagePlatform string
	Cache         *diagnose.Cache
}

// Facts completes an attempt by what the node knows: roles of the hosts that were
// asked, pods that may have waited, and what it returns. A pull that succeeded
// but left an image that cannot run here becomes one that did not.
func (e *Enricher) Facts(ctx context.Context, a attempt.Attempt) (attempt.Attempt, Facts) {
	select {
	case <-e.started:
	case <-ctx.Done():
	}
	if a.Late || a.BackOff {
		return a, Facts{Cache: e.cache(ctx, a)}
	}
	if a.Succeeded {
		if !e.isContainerd() {
			poke(e.changed)
		}
		return e.checkPlatform(ctx, a)
	}
	a.Hosts = e.withRoles(a.Hosts, a.Registry)
	if len(a.Pods) == 0 && !e.cfg.KubeletRead() {
		a.Pods = e.candidates(ctx, a.End)
		if len(a.Pods) > 0 {
			a.Attribution = attempt.ByCandidate
		}
	}
	if e.images.unasked(a.Ref) {
		if found, ok := ask(ctx, e, statusOf(a.Ref), nil); ok && found.ID != "" {
			e.images.noteStatus(found)
		}
	}
	return a, Facts{Cache: e.cache(ctx, a)}
}

// cache is what the node has of the image; nil if that is not known.
func (e *Enricher) cache(ctx context.Context, a attempt.Attempt) *diagnose.Cache {
	c := e.images.lookup(a.Ref)
	if c == nil {
		return nil
	}
	c.Incomplete = c.Present && !e.startable(ctx, a)
	fs := e.Filesystem()
	c.AvailableBytes, c.UsedRatio = int64(fs.AvailableBytes), fs.usedRatio()
	return c
}

// withRoles gives the hosts the parts that the configuration gives them, which the
// log lines do not always tell.
func (e *Enricher) withRoles(hosts []detect.Host, registry string) []detect.Host {
	if len(hosts) == 0 || registry == "" {
		return hosts
	}
	roles := map[string]detect.Role{}
	for _, h := range e.hosts.Effective(registry).Hosts {
		roles[h.Host] = detect.Role(h.Role)
	}
	for i := range hosts {
		if role, ok := roles[hosts[i].Host]; ok && hosts[i].Role != detect.RoleToken {
			hosts[i].Role = role
		}
	}
	return hosts
}

func statusOf(ref string) question[cri.ImageStatus] {
	return func(ctx context.Context, c *cri.Client) (cri.ImageStatus, error) { return c.ImageStatus(ctx, ref) }
}

// checkPlatform looks at what a pull has left on the node.
func (e *Enricher) checkPlatform(ctx context.Context, a attempt.Attempt) (attempt.Attempt, Facts) {
	if a.Ref == "" {
		return a, Facts{}
	}
	found, ok := ask(ctx, e, statusOf(a.Ref), func(found cri.ImageStatus) {
		if b, facts, unfit := e.judge(a, found); unfit {
			e.cfg.Unfit(b, facts)
		}
	})
	if !ok {
		return a, Facts{}
	}
	b, facts, _ := e.judge(a, found)
	return b, facts
}

// judge returns the attempt as it is, or as a failed one if the image cannot run here.
func (e *Enricher) judge(a attempt.Attempt, found cri.ImageStatus) (b attempt.Attempt, f Facts, unfit bool) {
	if found.Platform == (cri.Platform{}) {
		return a, Facts{}, false
	}
	e.images.noteStatus(found)
	if e.runs(found.Platform) {
		return a, Facts{}, false
	}
	b, f = e.unfit(a, found.ID, found.Platform)
	return b, f, true
}

// unfit is the failed attempt that a pull of an image of another platform is.
func (e *Enricher) unfit(a attempt.Attempt, id string, p cri.Platform) (attempt.Attempt, Facts) {
	text := "image " + id + " is built for " + p.String() + ", the node runs " + e.cfg.OS + "/" + e.cfg.Arch
	a.Succeeded, a.Whole = false, true
	a.Failure = &detect.Failure{Text: text, Leaf: "built for " + p.String() + " alone"}
	sum := sha256.Sum256([]byte(e.cfg.Node + "\x00" + a.UID + "\x00" + id))
	a.UID = hex.EncodeToString(sum[:16])
	return a, Facts{ImagePlatform: p.String()} // and not that it is cached: that copy does not run either
}

// runs reports whether the node runs programs of a platform: its own, and the 32-bit
// ones that its processor knows too. Of its own architecture every variant is taken,
// since nobody says what the processor lacks.
func (e *Enricher) runs(p cri.Platform) bool {
	if p.Arch == e.cfg.Arch {
		return p.OS == e.cfg.OS
	}
	node := platforms.Platform{OS: e.cfg.OS, Architecture: e.cfg.Arch}
	return platforms.Only(node).Match(platforms.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant})
}

// How long an attempt waits for the runtime's answers.
const (
	patience   = 100 * time.Millisecond
	impatience = 10 * time.Second // after an answer that came too late, nothing is waited for
	// maxQuestions is how many may be open at once; those beyond it are not asked.
	maxQuestions = 16
)

// question is something to ask the runtime.
type question[T any] func(context.Context, *cri.Client) (T, error)

// ask asks the runtime and waits for the answer, but only for [patience]. An answer that
// comes later goes to late, if that is not nil.
func ask[T any](ctx context.Context, e *Enricher, q question[T], late func(T)) (answer T, ok bool) {
	client := e.connected()
	wait := patience
	if time.Now().UnixNano() < e.slowUntil.Load() {
		wait = 0
	}
	if client == nil || wait == 0 && late == nil {
		return answer, false
	}
	select {
	case e.questions <- struct{}{}:
	default:
		return answer, false // a backlog of pulls must not flood a slow runtime
	}
	type reply struct {
		answer T
		ok     bool
	}
	replies := make(chan reply, 1)
	e.asking.Go(func() {
		defer func() { <-e.questions }()
		answer, err := q(ctx, client)
		replies <- reply{answer, err == nil}
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-replies:
		return r.answer, r.ok
	case <-timer.C:
	}
	if wait > 0 { // else nobody knows whether it is slow still
		e.slowUntil.Store(time.Now().Add(impatience).UnixNano())
	}
	if late != nil {
		e.asking.Go(func() {
			if r := <-replies; r.ok {
				late(r.answer)
			}
		})
	}
	return answer, false
}
