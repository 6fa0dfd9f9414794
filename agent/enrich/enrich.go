// Package enrich gathers what the node knows beside its logs: the runtime and its
// images, pulls in flight, who waits, and what the runtime's configuration says about
// a registry. A failed attempt gets its facts from [Enricher.Facts]; they are
// mostly at hand, and never waited for longer than [patience].
//
// Start at [New] and [Enricher.Run]. The connection to the runtime is in session.go,
// images in images.go, removed.go and unpacked.go, pulls in flight in progress.go,
// downloads.go and stall.go, pods that may wait in sandboxes.go,
// the node's own files in host.go and hostconf.
package enrich

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pullcause/agent/attempt"
	"pullcause/agent/hostconf"
	"pullcause/cri"
)

// The values of a socket in [Config] that are no paths.
const (
	Auto = "auto"
	Off  = "off"
)

// Config says where to look and whom to tell. The functions are needed and must
// return soon.
type Config struct {
	// HostRoot is where the node's file system is seen; sockets and files are below it.
	HostRoot string
	// Node is the node's name, OS and Arch its platform.
	Node, OS, Arch string
	// Socket is CRI's: a path, [Auto] or [Off]. Containerd says whether its own services
	// are used where they are, at the same socket: [Auto] or [Off].
	Socket, Containerd string
	// Timeout is how long one call to the runtime may take.
	Timeout time.Duration
	// StateDir keeps names of images; nothing is kept if it is empty.
	StateDir string
	// StallAfter is how long a pull may make no progress, SlowAfter how long it may take.
	StallAfter, SlowAfter time.Duration

	// Begun lists the pulls in flight.
	Begun func() []attempt.InFlight
	// Stalled is told of a pull that makes no progress, or is slow; once of each.
	Stalled func(attempt.Attempt)
	// Unfit is told of an image that was pulled but cannot run here, where that turned
	// out only after Facts had returned.
	Unfit func(attempt.Attempt, Facts)
	// RuntimeGone is told that the runtime has been away for a while, since then.
	RuntimeGone func(since time.Time)
	// Cached is told what is on the node: at first, then each hour.
	Cached func(Report)
	// Cut is told that n elements were left out of an answer of the runtime, such as
	// "images", because it was too long.
	Cut func(what string, n int)
	// KubeletRead reports whether the kubelet's log is read.
	KubeletRead func() bool

	Log *slog.Logger
}

// Enricher knows the node. Its methods may be called from several goroutines.
type Enricher struct {
	cfg       Config
	hosts     *hostconf.Reader
	images    *images
	progress  *progress
	sandboxes sandboxes
	cuts      cuts
	slowUntil atomic.Int64 // Unix nanoseconds until which no answer is waited for
	asking    sync.WaitGroup
	questions chan struct{} // a place for each that may be open at once
	started   chan struct{} // closed once it is known what there is, or that there is nothing
	start     sync.Once
	floods    sync.Once     // that there are too many events has been logged
	wake      chan struct{} // a pull has begun
	changed   chan struct{} // an image came or went

	mu      sync.Mutex
	client  *cri.Client // nil while there is none
	runtime Runtime
	fs      Filesystem
	kubelet string    // its version
	told    time.Time // when the state of the image cache was told last
	failed  bool      // that names cannot be stored has been said
	// snapshotters are those of containerd that work.
	snapshotters []string
}

// New returns an enricher that knows nothing yet.
func New(cfg Config) *Enricher {
	dir := cfg.StateDir
	if cfg.Socket == Off {
		dir = ""
	}
	memory, err := loadRemoved(dir)
	if err != nil {
		cfg.Log.Warn("images that were removed are not remembered", "error", err)
	}
	e := &Enricher{cfg: cfg, images: newImages(memory), started: make(chan struct{}), questions: make(chan struct{}, maxQuestions), wake: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	e.hosts = hostconf.New(hostconf.Config{HostRoot: cfg.HostRoot, Runtime: func() string { return e.Runtime().Name }})
	e.progress = newProgress(e)
	e.cuts.report = cfg.Cut
	e.runtime.State = RuntimeOff
	if cfg.Socket != Off {
		e.runtime.State = RuntimeAbsent
	}
	return e
}

// Run follows the runtime until ctx ends.
func (e *Enricher) Run(ctx context.Context) error {
	timer := time.AfterFunc(startWait, e.ready)
	defer timer.Stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.follow(ctx) })
	group.Go(func() error { return e.progress.run(ctx) })
	return group.Wait()
}

// startWait is how long the first attempts wait until the runtime has been asked what
// there is.
const startWait = time.Second

// ready ends that wait.
func (e *Enricher) ready() { e.start.Do(func() { close(e.started) }) }

// Close waits until nothing is asked any more. Facts must not be called again.
func (e *Enricher) Close() { e.asking.Wait() }

// PullBegan tells that a pull is in flight which was not before.
func (e *Enricher) PullBegan() { poke(e.wake) }

// KubeletVersion takes what the kubelet said of itself.
func (e *Enricher) KubeletVersion(version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kubelet = version
}

// HostsOf is what the runtime's configuration says about a registry.
func (e *Enricher) HostsOf(registry string) hostconf.List { return e.hosts.Effective(registry) }

// connected is the client if the runtime is there, else nil.
func (e *Enricher) connected() *cri.Client {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runtime.State != RuntimeConnected {
		return nil
	}
	return e.client
}

func poke(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// sleep waits for a time or until ctx ends, which it reports as false.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
