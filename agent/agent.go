// Package agent puts the parts together: sources, joining, diagnosis, incidents,
// delivery and the two listeners. Start at [Config], [New] and [Agent.Run]; the
// data's way is in pipeline.go.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/spool"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
	"pullcause/logtail/watch"
)

// Deps are what an agent needs besides its configuration.
type Deps struct {
	Logger *slog.Logger
	// Stdout gets the records where no receiver is configured.
	Stdout  io.Writer
	Version string
}

// Agent is the whole program. It is made by [New] and runs once.
type Agent struct {
	cfg       Config
	log       *slog.Logger
	node      Node
	version   string
	telemetry *telemetry.Provider
	metrics   *telemetry.Metrics
	exporter  *export.Exporter
	dialer    *endpoint.Dialer // of records and metrics
	addresses *addresses
	spool     *spooler // nil without a state folder
	enricher  *enrich.Enricher
	pipe      *pipeline
	sources   *sources
	positions *positions
	public    net.Listener
	debug     net.Listener
	lock      io.Closer // of the state folder; nil without one
	guard     *crashGuard
	before    func(logtail.Record) // called before a record is read; nil but in tests
}

// New makes an agent of a valid configuration and opens its listeners. An error
// says what is wrong and what to do; a source or receiver that is away is none. It
// waits for another agent to leave the state folder, until ctx ends or for half a
// minute.
func New(ctx context.Context, cfg Config, deps Deps) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.Effective()
	node := readNode(cfg.HostRoot, cfg.Resource.NodeName)
	a := &Agent{cfg: cfg, log: deps.Logger, node: node, version: deps.Version, dialer: &endpoint.Dialer{}}
	if err := a.claim(ctx); err != nil {
		return nil, err
	}
	a.addresses = openAddresses(a.dialer, cfg.Delivery.StateDir, a.log)
	a.guard = openCrashGuard(cfg.Delivery.StateDir, a.log)
	if err := a.open(deps); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// open makes the parts from the receiver's end to the sources'. None of them is at work
// before Run: they call each other.
func (a *Agent) open(deps Deps) (err error) {
	if a.telemetry, err = openTelemetry(a.cfg, a.node, deps, a.dialer); err != nil {
		return err
	}
	a.metrics = a.telemetry.Metrics()
	sink, err := openSink(a.cfg, a.node, deps, a.dialer, func() enrich.Runtime { return a.enricher.Runtime() })
	if err != nil {
		return err
	}
	if a.public, err = listen("server.listen", a.cfg.Server.Listen); err != nil {
		return err
	}
	if a.debug, err = listen("server.debug.listen", a.cfg.Server.Debug.Listen); err != nil {
		return err
	}
	a.enricher = enrich.New(a.enrichConfig())
	a.exporter = export.New(sink, a.exportConfig(sink.Name()))
	a.pipe = newPipeline(a.cfg, a.node, a.exporter, a.metrics, a.log)
	a.pipe.enricher = a.enricher
	a.positions = &positions{store: openState(a.cfg.Delivery.StateDir), pipe: a.pipe, log: a.log, stored: a.guard.stored, moved: make(chan struct{}, 1), passed: make(chan struct{}, 1)}
	a.pipe.moved = a.positions.note
	a.sources = newSources(a.cfg, a.node, watch.New(a.log), a.log)
	a.sources.start = a.positions.load(a.sources.mayRead)
	return nil
}

// exportConfig says how records are delivered, and what keeps them meanwhile.
func (a *Agent) exportConfig(endpoint string) export.Config {
	cfg := export.Config{
		Endpoint: endpoint, Log: a.log, MaxAge: time.Duration(a.cfg.Delivery.MaxAge),
		Settled: a.settled,
		Back:    func() { a.pipe.poke() }, // there may be losses to tell
	}
	if dir := a.cfg.Delivery.StateDir; dir != "" {
		a.spool = &spooler{cfg: spool.Config{
			Dir: filepath.Join(dir, "spool"), MaxBytes: int64(a.cfg.Delivery.SpoolBytes), Lost: a.lostSpooled,
		}}
		cfg.Store = a.spool
	}
	return cfg
}

// openState returns the store of positions and incidents; nil without a folder.
func openState(dir string) *checkpoint.Store {
	if dir == "" {
		return nil
	}
	return checkpoint.Open(dir)
}

// lostSpooled counts what the disk has lost of undelivered records.
func (a *Agent) lostSpooled(l spool.Loss) {
	n := max(l.Records, 1)
	a.exporter.Count(export.Result(l.Reason), int(n))
	a.pipe.lost(logtail.Loss{Reason: l.Reason, Count: n, Bytes: l.Bytes, Detail: l.Detail})
}

// cutAnswer counts what was left out of an answer of the runtime.
func (a *Agent) cutAnswer(what string, n int) {
	a.metrics.Lost(telemetry.LostRuntimeAnswer, int64(n))
	a.pipe.lost(logtail.Loss{Reason: telemetry.LostRuntimeAnswer, Count: int64(n), Detail: "an answer of the runtime was too long: " + what + " were left out"})
}

// enrichConfig says where the node's facts are found and who is told of what happens
// beside the logs.
func (a *Agent) enrichConfig() enrich.Config {
	return enrich.Config{
		HostRoot: a.cfg.HostRoot, Node: a.node.Name, OS: a.node.OS, Arch: a.node.Arch,
		Socket: a.cfg.CRI.Socket, Containerd: a.cfg.CRI.Containerd, Timeout: time.Duration(a.cfg.CRI.Timeout),
		StateDir:   a.cfg.Delivery.StateDir,
		StallAfter: time.Duration(a.cfg.Pulls.StallAfter), SlowAfter: time.Duration(a.cfg.Pulls.SlowAfter),
		Begun:       func() []attempt.InFlight { return a.pipe.begun() },
		Stalled:     func(at attempt.Attempt) { a.pipe.stalled(at) },
		Unfit:       func(at attempt.Attempt, f enrich.Facts) { a.pipe.unfit(at, f) },
		RuntimeGone: func(since time.Time) { a.pipe.runtimeGone(since) },
		Cached:      func(r enrich.Report) { a.pipe.cached(r) },
		Cut:         a.cutAnswer,
		KubeletRead: func() bool { return a.pipe.kubelet.Load() || a.sources.readsKubelet() },
		Log:         a.log,
	}
}

// settled counts what has become of n records.
func (a *Agent) settled(r export.Result, n int) {
	a.metrics.Settled(string(r), n)
	switch r {
	case export.Delivered:
		a.pipe.losses.delivered()
	case export.QueueFull, export.Refused:
		a.pipe.lost(logtail.Loss{Reason: string(r), Count: int64(n), Detail: "records were not delivered"})
	}
}

func listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w; choose another address with this key", key, address, err)
	}
	return l, nil
}

// DebugAddr is the address of the debug listener, with the port that was
// chosen where the configuration says 0.
func (a *Agent) DebugAddr() string { return a.debug.Addr().String() }

// PublicAddr is the same of the listener for health and metrics.
func (a *Agent) PublicAddr() string { return a.public.Addr().String() }

// Run works until ctx ends, then drains for at most [export.DrainTime] and
// stores the positions last. After it the process must end: what hangs goes on.
func (a *Agent) Run(ctx context.Context) error {
	a.log.Info("pullcause starts", "version", a.version, "node", a.node.Name,
		"receiver", cmp.Or(a.exporter.Status().Endpoint, "stdout"),
		"listen", a.PublicAddr(), "debug", a.DebugAddr())
	if a.spool != nil {
		a.spool.start()
	}
	a.exporter.Start()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return a.serve(running) })
	group.Go(func() error { return a.watch(running) })
	group.Go(func() error { return a.positions.run(running) })
	group.Go(func() error { return a.addresses.run(running) })
	group.Go(func() error { return a.pipe.gather(running) })
	group.Go(func() error { return a.enricher.Run(running) })
	a.sources.handle = func(s logtail.Source) logtail.Handler {
		return &handler{ctx: running, source: s.Name(), pipe: a.pipe, detector: detect.Detector{Zone: a.node.zone}, moved: a.positions.note, passed: a.positions.pass, guard: a.guard, before: a.before}
	}
	group.Go(func() error { return a.sources.run(running) })
	return stopSoon(running, func() error { return errors.Join(group.Wait(), a.close()) })
}

// stopTime is how long an agent that is told to end may take in all. Requests under way,
// delivery and the last metrics together are given up after 9 s; the kubelet kills it after
// the 15 s of terminationGracePeriodSeconds in deploy.
const stopTime = 12 * time.Second

// stopSoon waits for an end to come, at most stopTime after ctx has ended: no call into a
// file system can be interrupted, and a disk may hang.
func stopSoon(ctx context.Context, end func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	<-ctx.Done()
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTime):
		return fmt.Errorf("stop: not done after %s, as where the disk of delivery.state_dir hangs; what was not stored is read again", stopTime)
	}
}

// watch calls the pipeline when time alone makes something due.
func (a *Agent) watch(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-a.pipe.wake:
		}
		timer.Reset(time.Until(a.pipe.turn(time.Now())))
	}
}

// drain reports what is complete and delivers it, for at most [export.DrainTime].
func (a *Agent) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), export.DrainTime)
	defer cancel()
	if a.pipe != nil {
		a.pipe.stopping.Store(true)
		half, cancel := context.WithTimeout(ctx, export.DrainTime/2)
		defer cancel()
		a.pipe.flush(half, time.Now())
	}
	return a.exporter.Shutdown(ctx)
}

// close ends what open began, the sources' end first: what is being joined is
// handed on, records are drained, and the positions are stored last. After it another
// agent may use the state folder.
func (a *Agent) close() error {
	var errs []error
	if a.enricher != nil {
		a.enricher.Close()
	}
	if a.exporter != nil {
		errs = append(errs, a.drain())
		a.positions.save()
	}
	if a.spool != nil {
		errs = append(errs, a.spool.close())
	}
	if a.sources != nil {
		errs = append(errs, a.sources.watcher.Close())
	}
	for _, l := range []net.Listener{a.public, a.debug} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if a.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, a.telemetry.Shutdown(ctx))
	}
	if a.guard != nil {
		errs = append(errs, a.guard.close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	return errors.Join(errs...)
}
