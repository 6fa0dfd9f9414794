package export

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// The bounds of an [Exporter] where its Config names none.
const (
	DefaultMaxRecords = 4096
	DefaultMaxBytes   = 8 << 20
	DefaultBatch      = 512
	// DrainTime is how long Shutdown tries to deliver what is queued, at most.
	DrainTime = 5 * time.Second
	// abortTime is how long it then waits for a sink or a disk that hangs.
	abortTime = time.Second

	maxBatchBytes = 512 << 10
)

// Config says how an [Exporter] works. Zero fields stand for the defaults.
type Config struct {
	// Endpoint names the receiver in logs and in Status; free of credentials.
	Endpoint string
	// MaxRecords and MaxBytes bound the queue, the batch under way included.
	MaxRecords, MaxBytes int
	// Batch is the most records that are sent at once.
	Batch int
	// Settled is told what has become of n records. It is called with no lock
	// held, from several goroutines, and must be quick.
	Settled func(result Result, n int)
	// Store takes what the receiver does not take for a while; nil keeps all in memory.
	Store Store
	// MaxAge is the age from which on a record is sent as one of now, since a receiver
	// may drop what is older than it keeps; 0 is any age.
	MaxAge time.Duration
	// Back is called when the receiver takes records again; nil for nobody. See Settled.
	Back func()
	Log  *slog.Logger
}

// Exporter queues records and delivers them from one goroutine. What has
// gathered while a batch was under way is the next batch; nothing waits for a
// timer. When the queue is full the oldest record is dropped.
type Exporter struct {
	sink Sink
	cfg  Config

	wake    chan struct{} // cap 1: something to do
	closing chan struct{} // closed by Shutdown
	abort   context.CancelFunc
	stopped chan struct{} // closed when the goroutine has ended

	keepWake chan struct{} // cap 1: look again when something is to be stored
	kept     chan struct{} // closed when nothing more is being stored

	// handing is full while records go from memory to the store, or from either to the
	// sink: the sender must not look for the oldest while they are on their way.
	handing chan struct{}

	mu         sync.Mutex
	queue      queue
	fromStore  bool          // what the sink has was given by the store, or counts as given
	keeping    bool          // what is queued is being stored
	keepError  string        // why records cannot be stored
	keepFailed time.Time     // when to try again
	room       chan struct{} // closed when WaitRoom should look again
	state      state
}

// New returns an exporter that takes records and delivers none before its Start.
func New(sink Sink, cfg Config) *Exporter {
	cfg.MaxRecords = cmp.Or(cfg.MaxRecords, DefaultMaxRecords)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, DefaultMaxBytes)
	cfg.Batch = cmp.Or(cfg.Batch, DefaultBatch)
	if cfg.Settled == nil {
		cfg.Settled = func(Result, int) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Exporter{
		sink:     sink,
		cfg:      cfg,
		wake:     make(chan struct{}, 1),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		room:     make(chan struct{}),
		keepWake: make(chan struct{}, 1),
		handing:  make(chan struct{}, 1),
		kept:     make(chan struct{}),
	}
}

// Start begins delivery. From then on what Config names may be called, and the caller
// must Shutdown the exporter, which it returns.
func (e *Exporter) Start() *Exporter {
	var ctx context.Context
	ctx, e.abort = context.WithCancel(context.Background())
	if e.cfg.Store != nil {
		go e.keep(ctx)
	} else {
		close(e.kept)
	}
	go e.run(ctx)
	return e
}

// Enqueue takes a record for delivery and never blocks. It calls done exactly
// once, with no lock held and perhaps before it returns: with true when the
// receiver has acknowledged the record, with false when it is lost. A nil done
// is not called.
func (e *Exporter) Enqueue(r Record, done func(delivered bool)) {
	it := &item{record: r, size: r.size(), at: time.Now(), done: done}
	if it.size > e.cfg.MaxBytes { // it would push out all others, then itself
		e.finish(QueueFull, []*item{it})
		return
	}
	e.mu.Lock()
	if e.isClosing() {
		e.mu.Unlock()
		e.finish(ShutDown, []*item{it})
		return
	}
	e.queue.push(it)
	var dropped []*item
	if !e.keeping && !e.stores() { // else there will be room in a moment
		dropped = e.queue.shrink(e.cfg.MaxRecords, e.cfg.MaxBytes)
	}
	look := len(e.queue.items) == 1 || e.queue.fuller(e.cfg.MaxRecords/2, e.cfg.MaxBytes/2)
	e.mu.Unlock()
	e.poke()
	if look && e.cfg.Store != nil {
		e.pokeKeeper()
	}
	e.finish(QueueFull, dropped)
}

// WaitRoom waits while [Exporter.HasRoom] is false, or until ctx ends.
func (e *Exporter) WaitRoom(ctx context.Context) error {
	for {
		ok, room := e.hasRoom()
		if ok {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// HasRoom reports whether a record should be enqueued now. It should not while more is
// queued than keeps the sender busy and the receiver accepts what it is sent, so that the
// reader of a backlog outruns no healthy receiver and fills no memory. While the receiver is
// away the store's disk takes its place. There is room where neither works: waiting would
// help nobody.
func (e *Exporter) HasRoom() bool {
	ok, _ := e.hasRoom()
	return ok
}

// hasRoom is HasRoom, and the channel that is closed when to look again.
func (e *Exporter) hasRoom() (ok bool, room <-chan struct{}) {
	records := min(2*e.cfg.Batch, e.cfg.MaxRecords*3/4)
	bytes := min(2*maxBatchBytes, e.cfg.MaxBytes*3/4)
	e.mu.Lock()
	defer e.mu.Unlock()
	going := !e.state.away() || e.stores()
	return !going || e.isClosing() || !e.queue.fuller(records, bytes), e.room
}

// stores reports whether there is a store that works; the caller holds mu.
func (e *Exporter) stores() bool { return e.cfg.Store != nil && e.keepError == "" }

// Shutdown takes no more records and tries to deliver those that are queued
// until ctx or [DrainTime] ends; the rest is lost, and the error says how many.
func (e *Exporter) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if !e.isClosing() {
		close(e.closing)
	}
	e.openRoom()
	e.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, DrainTime)
	defer cancel()
	select {
	case <-e.stopped:
	case <-ctx.Done():
		if !e.end() {
			return fmt.Errorf("drain records: delivery to %s, or storing, hangs; it is given up", e.cfg.Endpoint)
		}
	}
	e.abort()

	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.state.settled[ShutDown]; n > 0 {
		return fmt.Errorf("drain records: %d were not delivered to %s: %s", n, e.cfg.Endpoint, e.state.verdict.Text)
	}
	return nil
}

// end stops the goroutine in the middle of its work. It reports whether that has ended.
func (e *Exporter) end() bool {
	e.abort()
	timer := time.NewTimer(abortTime)
	defer timer.Stop()
	select {
	case <-e.stopped:
		return true
	case <-timer.C:
		return false
	}
}

// isClosing reports whether Shutdown was called; the caller holds mu, or is the
// goroutine.
func (e *Exporter) isClosing() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// openRoom makes every WaitRoom look again; the caller holds mu.
func (e *Exporter) openRoom() {
	close(e.room)
	e.room = make(chan struct{})
}

func (e *Exporter) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// finish counts items and settles them.
func (e *Exporter) finish(result Result, items []*item) {
	if len(items) == 0 {
		return
	}
	e.Count(result, len(items))
	for _, it := range items {
		it.settle(result == Delivered)
	}
}

// Count counts n records of which is known what has become, and tells Config.Settled. Its
// caller from outside is who learns what the store has lost.
func (e *Exporter) Count(result Result, n int) {
	e.mu.Lock()
	e.state.count(result, n)
	e.mu.Unlock()
	e.cfg.Settled(result, n)
}
