package agent

import (
	"context"
	"sync"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/incident"
)

// settle queues an attempt that is complete, or will not become more complete, for its
// facts. The stored positions stay before its lines until its records are delivered.
func (p *pipeline) settle(a attempt.Attempt) {
	it := enrichItem{attempt: &a}
	if !a.Late { // its lines are held for the one that it adds to
		it.hold = p.hold(a.Spans)
	}
	p.waiting.push(it)
}

// podGone notes that a pod was deleted, after the attempts that are waiting. Nearly all pods
// that are have their images.
func (p *pipeline) podGone(s detect.Signal, now time.Time) {
	if !p.waiting.anyFailed() && !p.incidents.Waits(s.Pod) {
		return
	}
	it := enrichItem{gone: s.Pod}
	if p.waiting.idle() {
		p.conclude(it, enrich.Facts{}, now)
		return
	}
	it.hold = p.hold(s.Spans())
	p.waiting.push(it)
}

// gather completes attempts with their facts and reports them, one after the other, until
// ctx ends. One line may report hundreds of failures, so it waits for room in the exporter
// before each.
func (p *pipeline) gather(ctx context.Context) error {
	for {
		it, ok := p.waiting.next(ctx)
		if !ok {
			return nil
		}
		var facts enrich.Facts
		if it.attempt != nil && it.facts == nil && !it.attempt.Unfinished {
			*it.attempt, facts = p.enricher.Facts(ctx, *it.attempt)
		}
		_ = p.exporter.WaitRoom(ctx) //nolint:errcheck // it only says that ctx has ended
		p.mu.Lock()
		p.conclude(it, facts, time.Now())
		p.mu.Unlock()
	}
}

// conclude diagnoses an attempt and reports what changed in its incident. facts are used
// unless the item has its own. The caller holds mu.
func (p *pipeline) conclude(it enrichItem, facts enrich.Facts, now time.Time) {
	if it.attempt == nil {
		p.incidents.PodGone(it.gone, now, func(c incident.Change) { p.tell(c, it.hold) })
		it.hold.release()
		return
	}
	a := *it.attempt
	if it.facts != nil {
		facts = *it.facts
	}
	if a.Unfinished {
		d := diagnose.Diagnose(a, p.node.facts(facts))
		p.incidents.Stall(a, d, now, func(c incident.Change) { p.tell(c, nil) })
		return
	}
	var d diagnose.Diagnosis
	if !a.Succeeded {
		d = diagnose.Diagnose(a, p.node.facts(facts))
	}
	if !a.Late && !a.BackOff {
		p.count(a, d)
	}
	if a.Succeeded && !p.incidents.Has(a) {
		it.hold.release()
		return // nothing to tell, as of nearly all pulls
	}
	again := p.incidents.Counted(a)
	p.incidents.Apply(a, d, now, func(c incident.Change) { p.tell(c, it.hold) })
	if !a.Succeeded && !a.Late {
		p.recent.add(debug.View(a, d, p.incidents.IDOf(a)))
	}
	p.moved() // the incidents have changed
	// What an earlier run has reported does not wait for late lines again: else runs that last
	// for a few seconds would never come further.
	if a.Whole || a.Succeeded || a.BackOff || a.Late || again {
		it.hold.release()
		return
	}
	p.lingering.add(it.hold, now.Add(p.linger))
	p.pokeIfDue()
}

// unfit queues a pull that has succeeded with an image that turned out not to run here.
func (p *pipeline) unfit(a attempt.Attempt, facts enrich.Facts) {
	p.waiting.push(enrichItem{attempt: &a, facts: &facts})
}

// stalled queues a pull in flight that makes no progress, or takes long.
func (p *pipeline) stalled(a attempt.Attempt) {
	p.waiting.push(enrichItem{attempt: &a})
}

// runtimeGone gives up what the runtime was pulling when it went.
func (p *pipeline) runtimeGone(since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joiner.RuntimeGone(since, time.Now())
	p.poke()
}

// cached tells what is on the node.
func (p *pipeline) cached(r enrich.Report) {
	p.exporter.Enqueue(export.NodeCache(export.CacheState{
		Images: r.Images, Bytes: r.Bytes, Mountpoint: r.Filesystem.Mountpoint,
		FilesystemUsed: r.Filesystem.UsedBytes, FilesystemSize: r.Filesystem.SizeBytes,
		FilesystemAvailable: r.Filesystem.AvailableBytes, Inodes: r.Filesystem.Inodes, InodesFree: r.Filesystem.InodesFree,
	}, p.node.Name, time.Now()), nil)
}

// begun lists the pulls in flight.
func (p *pipeline) begun() []attempt.InFlight {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.joiner.Begun()
}

// tell queues the record of a change. The positions stay before the lines of h, and a
// closed incident is remembered, until the record is delivered.
func (p *pipeline) tell(c incident.Change, h *hold) {
	if c.Kind == incident.Recovered {
		p.metrics.Recovered(c.Incident.Lasted())
	}
	closed := "" // the id of an incident that has ended
	if c.Incident.State != incident.Open {
		closed = c.Incident.ID
	}
	h.retain()
	p.exporter.Enqueue(export.FromChange(c, p.node.Name), func(delivered bool) {
		if !delivered && p.stopping.Load() {
			return
		}
		h.release()
		if closed != "" {
			p.arrivals.add(closed)
			p.moved()
		}
	})
}

func (p *pipeline) count(a attempt.Attempt, d diagnose.Diagnosis) {
	if a.Succeeded {
		p.metrics.Succeeded(a.Registry, a.Duration, a.Bytes)
		return
	}
	p.metrics.Failed(a.Registry, d.Cause, a.Duration, a.Bytes)
}

// arrivals are the incidents of which nobody has to be told any more how they
// ended. The exporter tells of them at any time, also from within tell.
type arrivals struct {
	mu  sync.Mutex
	ids []string
}

func (a *arrivals) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, id)
}

func (a *arrivals) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := a.ids
	a.ids = nil
	return ids
}
