package agent

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"pullcause/agent/debug"
	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/spool"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
)

// How long a loop may take for a turn before /healthz calls it stuck.
const (
	sourceTurn   = 30 * time.Second
	pipelineTurn = 2 * heartbeat
)

// serve answers on both listeners until ctx ends.
func (a *Agent) serve(ctx context.Context) error {
	err := a.metrics.Observe(telemetry.Gauges{
		Sources:       a.sources.status,
		OpenIncidents: a.pipe.openByCause,
		InFlight:      a.pipe.inFlight,
		LastSuccess:   func() time.Time { return a.exporter.Status().LastSuccess },
		Spool:         a.spooled,
	})
	if err := errors.Join(err, a.metrics.ObserveNode(a.nodeNumbers)); err != nil {
		return err
	}
	shedPublic, shedDebug := a.shed("public"), a.shed("debug")
	public := debug.NewPublic(debug.PublicConfig{Loops: a.loops, Ready: a.ready, Metrics: a.telemetry.Handler(), Shed: shedPublic})
	details := debug.NewDebug(debug.DebugConfig{
		NodeName: a.node.Name, Version: a.version,
		History: history{a.pipe},
		Sources: a.sources.status, Candidates: a.sources.candidates, LooksForLogs: a.cfg.Sources.Auto,
		Node:   func(ctx context.Context) any { return nodeView{a.node, a.enricher.State(ctx)} },
		Images: a.enricher.Images, Pulls: a.enricher.Pulls, Hosts: a.enricher.HostsOf,
		Runtime: a.enricher.Runtime, Cache: a.enricher.CacheReport,
		Delivery: func() any { return a.delivery() },
		Config:   func() any { return a.cfg.Redacted() },
		Loops:    a.loops, Ready: a.ready,
		Pprof: a.cfg.Server.Debug.Pprof, Shed: shedDebug,
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return debug.Serve(ctx, debug.Server{Listener: a.public, Handler: public, Log: a.log, Shed: shedPublic})
	})
	group.Go(func() error {
		return debug.Serve(ctx, debug.Server{Listener: a.debug, Handler: details, Log: a.log, Shed: shedDebug})
	})
	return group.Wait()
}

// shed counts the clients of a listener that were cut off or refused.
func (a *Agent) shed(listener string) func(reason string) {
	for _, reason := range debug.ShedReasons() {
		a.metrics.Shed(listener, reason, 0) // the series exist from the start
	}
	return func(reason string) { a.metrics.Shed(listener, reason, 1) }
}

// nodeView is what /debug/node shows.
type nodeView struct {
	Node
	enrich.State
}

// deliveryView is what /debug/delivery shows.
type deliveryView struct {
	export.Status
	Spool *spool.Status `json:"spool,omitempty"` // nil without a state folder
	// Addresses are those that were connected to for records and metrics, or not; the
	// newest first.
	Addresses []endpoint.Dialed `json:"addresses"`
}

func (a *Agent) delivery() deliveryView {
	v := deliveryView{Status: a.exporter.Status(), Addresses: append([]endpoint.Dialed{}, a.dialer.Tried()...)}
	if a.spool != nil {
		st := a.spool.status()
		v.Spool = &st
	}
	return v
}

// spooled is how much of undelivered records is on disk, and how much may be.
func (a *Agent) spooled() (bytes, limit int64) {
	if a.spool == nil {
		return 0, 0
	}
	st := a.spool.status()
	return st.Bytes, st.MaxBytes
}

// nodeNumbers are the node's metrics.
func (a *Agent) nodeNumbers() telemetry.Node {
	r, known := a.enricher.CacheReport()
	n := telemetry.Node{
		Images: r.Images, Bytes: r.Bytes, Stalled: a.enricher.Stalled(), FilesystemSize: r.Filesystem.SizeBytes,
		FilesystemAvailable: r.Filesystem.AvailableBytes, InodesFree: r.Filesystem.InodesFree,
	}
	if !known {
		n.Images = -1
	}
	return n
}

// loops are those that a restart helps when they are stuck. A source that waits for the
// receiver or for the disk of the state folder is not.
func (a *Agent) loops() []debug.Loop {
	pipeline := debug.Loop{Name: "pipeline", LastTurn: a.pipe.turned(), MaxAge: pipelineTurn}
	return append([]debug.Loop{pipeline}, a.sources.loops(time.Now())...)
}

func sourceLoop(s logtail.Status, poll time.Duration) debug.Loop {
	return debug.Loop{Name: s.Name, LastTurn: s.LastTurn, MaxAge: sourceTurn + logtail.Stretch*poll}
}

// ready reports whether a source is being read and the receivers are not misconfigured.
func (a *Agent) ready() (ok bool, why string) {
	if ok, why := readable(a.sources.status(), a.cfg.Sources.Auto); !ok {
		return false, why
	}
	if ok, why := a.exporter.Ready(); !ok {
		return false, why
	}
	return a.telemetry.Ready()
}

// turned is when the pipeline's loop turned last.
func (p *pipeline) turned() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastTurn
}

func (p *pipeline) openByCause() map[diagnose.Cause]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.incidents.OpenByCause()
}

func (p *pipeline) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.joiner.InFlight()
}
