package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
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

// turnAgain is when the pipeline turns again if there are more losses or abandoned incidents
// to report than the exporter has room for.
const turnAgain = 100 * time.Millisecond

// pipeline is the street between the sources and the exporter. Sources call in
// from several goroutines; one lock guards the joining and the incidents, which
// take microseconds.
type pipeline struct {
	node     Node
	exporter *export.Exporter
	metrics  *telemetry.Metrics
	enricher *enrich.Enricher // set once, before anything runs
	waiting  *enrichQueue
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

	// maxSaved is how many incidents an earlier run may have saved: the open ones, and those
	// that ended not long ago.
	maxSaved int

	mu        sync.Mutex
	joiner    *attempt.Joiner
	incidents *incident.Store
	recent    ring
	lastTurn  time.Time
	next      time.Time // when turn will be called
	lingering lingering
	forgotten int64
	evicted   int64
	cut       int64
	// implausible pulls have been counted.
	implausible int64

	kubelet atomic.Bool // a line of the kubelet's was read
}

func newPipeline(cfg Config, node Node, exporter *export.Exporter, metrics *telemetry.Metrics, log *slog.Logger) *pipeline {
	return &pipeline{
		node: node, exporter: exporter, metrics: metrics, log: log,
		ledger:  checkpoint.NewLedger(),
		waiting: newEnrichQueue(),
		wake:    make(chan struct{}, 1),
		// A rotation between two lines keeps the second one back until it is found, for a
		// poll, and then for a late writer of the first, for another one or half a second.
		linger: 2*time.Duration(cfg.Sources.Poll) + time.Second,
		joiner: attempt.NewJoiner(attempt.Config{
			Node: node.Name, Started: time.Now(), Window: time.Duration(cfg.Pulls.JoinWindow),
			Forget: forgetPull, MaxOpen: maxOpenAttempts,
		}),
		incidents: incident.NewStore(incident.Config{
			All:          cfg.Incidents.Report == ReportAll,
			AbandonAfter: time.Duration(cfg.Pulls.AbandonAfter),
			MaxOpen:      cfg.Incidents.MaxOpen,
		}),
		maxSaved: cfg.Incidents.MaxOpen + incident.MaxEnded,
		lastTurn: time.Now(),
	}
}

// add takes the signals of one record.
func (p *pipeline) add(signals []detect.Signal, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range signals {
		if s.Program == detect.Kubelet {
			p.kubelet.Store(true)
		}
		switch s.Kind {
		case detect.PodGone:
			p.podGone(s, now)
			continue
		case detect.KubeletStarted:
			p.enricher.KubeletVersion(s.Version)
			continue
		}
		p.joiner.Add(s, now, p.settle)
		if s.Kind == detect.PullStarted {
			p.enricher.PullBegan()
		}
	}
	p.pokeIfDue()
}

// pokeIfDue has turn called sooner where something is due before it would be.
func (p *pipeline) pokeIfDue() {
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

// turn does what time alone demands and returns when to call it again: then, or
// when wake says so.
func (p *pipeline) turn(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastTurn = now
	p.joiner.Expire(now, p.settle)
	abandoned := p.incidents.ExpireWhile(p.exporter.HasRoom, now, func(c incident.Change) { p.tell(c, nil) })
	p.lingering.expire(now)
	p.countForgotten()
	losses := p.losses.due(now, p.exporter.Away())
	p.tellLosses(losses, now)
	p.next = now.Add(heartbeat)
	if !abandoned || len(losses) == maxLosses {
		p.next = now.Add(turnAgain)
	}
	if due, ok := p.due(); ok && due.Before(p.next) {
		p.next = due
	}
	return p.next
}

// countForgotten counts what the bounds made the joiner and the store drop.
func (p *pipeline) countForgotten() {
	count := func(reason, detail string, total int64, counted *int64) {
		if n := total - *counted; n > 0 {
			*counted = total
			p.metrics.Lost(reason, n)
			p.losses.add(logtail.Loss{Reason: reason, Count: n, Detail: detail})
		}
	}
	count(telemetry.LostPullForgotten, "pulls without an end were given up", p.joiner.Forgotten(), &p.forgotten)
	count(telemetry.LostIncidentEvicted, "more incidents than incidents.max_open were open, or than there is memory for", p.incidents.Evicted(), &p.evicted)
	count(telemetry.LostIncidentDetails, "long errors, pods and closed incidents took more memory than incidents may have", p.incidents.Cut(), &p.cut)
	if n := p.joiner.Implausible() - p.implausible; n > 0 { // nothing but a number is lost: no record is sent
		p.implausible += n
		p.metrics.Lost(telemetry.LostDuration, n)
	}
}

// lost notes a loss that has been counted.
func (p *pipeline) lost(l logtail.Loss) {
	p.losses.add(l)
	p.poke()
}

// tellLosses logs what was lost and sends it as records.
func (p *pipeline) tellLosses(losses []logtail.Loss, now time.Time) {
	for _, l := range losses {
		p.log.Warn("lost data", "source", l.Source, "reason", l.Reason, "count", l.Count, "bytes", l.Bytes, "detail", l.Detail)
		p.exporter.Enqueue(export.DataLoss(l, p.node.Name, now), nil)
	}
}

// flush completes what is still being joined and reports it, without facts that are still
// to be asked for, and then what was lost. It waits for room in the exporter until ctx ends.
// What has no room by then stays behind the stored positions and is read again.
func (p *pipeline) flush(ctx context.Context, now time.Time) {
	p.mu.Lock()
	p.joiner.Flush(p.settle)
	p.mu.Unlock()
	for p.exporter.WaitRoom(ctx) == nil {
		it, ok := p.waiting.take()
		if !ok {
			break
		}
		p.mu.Lock()
		p.conclude(it, enrich.Facts{}, now)
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.countForgotten()
	p.tellLosses(p.losses.rest(now), now)
}

func (p *pipeline) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// marks returns the positions that may be stored now. What has been read behind them is in
// the incidents already, which recognise it when it is read again: so incidents that are
// stored with the marks may be newer, but never older.
func (p *pipeline) marks() map[string]logtail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	marks := p.ledger.Marks(p.joiner.Open()...)
	p.arrived() // behind the marks: else it would stay open after a restart
	return marks
}

// arrived has the incidents forgotten in time of which nobody has to be told any more; the
// caller holds mu.
func (p *pipeline) arrived() {
	for _, id := range p.arrivals.take() {
		p.incidents.Arrived(id)
	}
}

// restore takes up the incidents of an earlier run.
func (p *pipeline) restore(incidents []*incident.Saved) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.incidents.Restore(incidents, time.Now())
}
