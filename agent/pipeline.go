package agent

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/agent/incident"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// maxOpenAttempts bounds the attempts that are being joined.
const maxOpenAttempts = 1000

// forgetPull is after how long a pull without an end is given up. Until then
// the stored position stays before its first line.
const forgetPull = 30 * time.Minute

// heartbeat is how often the pipeline turns where nothing is due sooner.
const heartbeat = 30 * time.Second

// pipeline is the street between the sources and the exporter. Sources call in
// from several goroutines; one lock guards the joining and the incidents, which
// take microseconds.
type pipeline struct {
	node     Node
	exporter *export.Exporter
	metrics  *telemetry.Metrics
	log      *slog.Logger
	ledger   *checkpoint.Ledger
	losses   losses
	arrivals arrivals
	// wake tells the timer that something is due.
	wake chan struct{}
	// moved is called when the positions may have moved.
	moved func()
	// linger is how late the last lines about an attempt may come.
	linger time.Duration
	// stopping is set when what is not delivered yet will not be: it must be
	// read again after the restart.
	stopping atomic.Bool

	mu        sync.Mutex
	joiner    *attempt.Joiner
	incidents *incident.Store
	recent    ring
	lastTurn  time.Time
	next      time.Time // when turn will be called
	lingering lingering
	forgotten int64
	evicted   int64
}

func newPipeline(cfg Config, node Node, exporter *export.Exporter, metrics *telemetry.Metrics, log *slog.Logger) *pipeline {
	return &pipeline{
		node: node, exporter: exporter, metrics: metrics, log: log,
		ledger: checkpoint.NewLedger(),
		wake:   make(chan struct{}, 1),
		// A rotation between two lines keeps the second one back for a poll.
		linger: 2*time.Duration(cfg.Sources.Poll) + time.Second,
		joiner: attempt.NewJoiner(attempt.Config{
			Node: node.Name, Window: time.Duration(cfg.Pulls.JoinWindow),
			Forget: forgetPull, MaxOpen: maxOpenAttempts,
		}),
		incidents: incident.NewStore(incident.Config{
			All:          cfg.Incidents.Report == ReportAll,
			AbandonAfter: time.Duration(cfg.Pulls.AbandonAfter),
			MaxOpen:      cfg.Incidents.MaxOpen,
		}),
		lastTurn: time.Now(),
	}
}

// add takes the signals of one record.
func (p *pipeline) add(signals []detect.Signal, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range signals {
		if s.Kind == detect.PodGone {
			p.incidents.PodGone(s.Pod, now, func(c incident.Change) { p.tell(c, nil) })
			continue
		}
		p.joiner.Add(s, now, func(a attempt.Attempt) { p.settle(a, now) })
	}
	if due, ok := p.due(); ok && due.Before(p.next) {
		p.next = due
		p.poke()
	}
}

// due is when the pipeline has something to do.
func (p *pipeline) due() (at time.Time, ok bool) {
	at, ok = p.joiner.Deadline()
	if len(p.lingering) > 0 && (!ok || p.lingering[0].until.Before(at)) {
		at, ok = p.lingering[0].until, true
	}
	return at, ok
}

// settle diagnoses an attempt and sends what its incident has to tell. The
// lines it came from are held until all of that is delivered.
func (p *pipeline) settle(a attempt.Attempt, now time.Time) {
	var d diagnose.Diagnosis
	if !a.Succeeded {
		d = diagnose.Diagnose(a, p.node.facts())
	}
	if !a.Late && !a.BackOff {
		p.count(a, d)
	}
	if !a.Succeeded && !a.Late {
		p.recent.add(a, d)
	}
	if a.Succeeded && !p.incidents.Has(a) {
		return // nothing to tell, as of nearly all pulls
	}
	hold := p.hold(a)
	p.incidents.Apply(a, d, now, func(c incident.Change) { p.tell(c, hold) })
	if a.Whole || a.Succeeded || a.BackOff || a.Late {
		hold.release()
		return
	}
	p.lingering.add(hold, now.Add(p.linger))
}

func (p *pipeline) tell(c incident.Change, h *hold) {
	if c.Kind == incident.Recovered {
		p.metrics.Recovered(c.Incident.ClosedAt.Sub(c.Incident.FirstSeen))
	}
	h.retain()
	p.exporter.Enqueue(export.FromChange(c, p.node.Name), func(delivered bool) {
		if !delivered && p.stopping.Load() {
			return
		}
		h.release()
		if c.Incident.State != incident.Open {
			p.arrivals.add(c.Incident.ID)
			p.moved()
		}
	})
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

func (p *pipeline) count(a attempt.Attempt, d diagnose.Diagnosis) {
	if a.Succeeded {
		p.metrics.Succeeded(a.Registry, a.Duration, a.Bytes)
		return
	}
	p.metrics.Failed(a.Registry, d.Cause, a.Duration, a.Bytes)
}

// turn does what time alone demands and returns when to call it again: then, or
// when wake says so.
func (p *pipeline) turn(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastTurn = now
	p.joiner.Expire(now, func(a attempt.Attempt) { p.settle(a, now) })
	p.incidents.Expire(now, func(c incident.Change) { p.tell(c, nil) })
	p.lingering.expire(now)
	p.countForgotten()
	p.tellLosses(now)
	p.next = now.Add(heartbeat)
	if due, ok := p.due(); ok && due.Before(p.next) {
		p.next = due
	}
	return p.next
}

// countForgotten counts what the bounds made the joiner and the store drop.
func (p *pipeline) countForgotten() {
	forgotten, evicted := p.joiner.Forgotten(), p.incidents.Evicted()
	p.metrics.Lost(telemetry.LostPullForgotten, forgotten-p.forgotten)
	p.metrics.Lost(telemetry.LostIncidentEvicted, evicted-p.evicted)
	p.forgotten, p.evicted = forgotten, evicted
}

// lost notes a loss that has been counted.
func (p *pipeline) lost(l logtail.Loss) {
	p.losses.add(l)
	p.poke()
}

// tellLosses logs what was lost and sends it as records.
func (p *pipeline) tellLosses(now time.Time) {
	for _, l := range p.losses.due(now, p.exporter.Away()) {
		p.log.Warn("lost data", "source", l.Source, "reason", l.Reason, "count", l.Count, "bytes", l.Bytes, "detail", l.Detail)
		p.exporter.Enqueue(export.DataLoss(l, p.node.Name, now), nil)
	}
}

// flush hands on what is still being joined.
func (p *pipeline) flush(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joiner.Flush(func(a attempt.Attempt) { p.settle(a, now) })
}

func (p *pipeline) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// state is what may be stored now: positions, and the incidents. What has been read
// behind the positions is in the incidents already; they know it again.
func (p *pipeline) state() (map[string]logtail.Position, []incident.Saved) {
	p.mu.Lock()
	defer p.mu.Unlock()
	marks := p.ledger.Marks(p.joiner.Open()...)
	for _, id := range p.arrivals.take() { // behind the marks: else it would stay open after a restart
		p.incidents.Arrived(id)
	}
	return marks, p.incidents.Save()
}

// restore takes up the incidents of an earlier run.
func (p *pipeline) restore(incidents []incident.Saved) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.incidents.Restore(incidents)
}
