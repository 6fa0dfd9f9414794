package agent

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"pullcause/agent/telemetry"
	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// How often the state is stored while it changes: half a second after something was settled.
// It costs what has changed, whatever is open. Where only noise was passed, which is all that
// a quiet node writes, it may be read again: its place is stored seldom, and the disk has
// nothing to do.
const (
	saveEvery  = 500 * time.Millisecond
	noiseEvery = 10 * time.Minute
	noiseBytes = 64 << 20 // a second or so to read
	// maxRetry bounds the time between two attempts to store while the disk fails.
	maxRetry = 30 * time.Second
)

// positions stores how far each source is settled, and the incidents as they are
// there. Where the state folder cannot be written it says so once and the agent
// goes on: after a restart it then begins with the look-back.
type positions struct {
	store  *checkpoint.Store
	pipe   *pipeline
	log    *slog.Logger
	moved  chan struct{} // cap 1: something was settled
	passed chan struct{} // cap 1: so much noise was passed that it is worth storing
	// stored is called with the positions that were stored; it may be nil.
	stored func(map[string]logtail.Position)
	noise  atomic.Int64 // bytes passed since the last save
	// loaded are the positions of an earlier run. They hold until the source has moved
	// in this one: its log may be away for a while.
	loaded map[string]logtail.Position

	failed sync.Once
	shed   int // incidents that the stored state had no room for
}

// run saves while something changes and sleeps while nothing does.
func (p *positions) run(ctx context.Context) error {
	timer := time.NewTimer(saveEvery)
	defer timer.Stop()
	seldom := time.NewTicker(noiseEvery)
	defer seldom.Stop()
	for wait := saveEvery; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-p.moved:
		case <-p.passed:
		case <-seldom.C:
			if p.noise.Load() == 0 {
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if p.save() {
			wait = saveEvery
			continue
		}
		wait = min(2*wait, maxRetry)
		p.note() // try again, whether or not something moves
	}
}

// save stores the state of this moment and reports whether it could. Without a store there
// is only to forget.
func (p *positions) save() (ok bool) {
	marks := p.pipe.marks()
	if p.store == nil {
		return true
	}
	p.noise.Store(0)
	all := maps.Clone(p.loaded)
	maps.Copy(all, marks)
	shed, err := p.store.Save(all, &unsavedIncidents{pipe: p.pipe})
	if err != nil {
		p.failed.Do(func() {
			p.log.Error("cannot store the state; after a restart reading begins with sources.lookback, and incidents are forgotten", "error", err)
		})
		return false
	}
	p.count(shed)
	p.pipe.ledger.Stored(marks)
	if p.stored != nil {
		p.stored(all)
	}
	return true
}

// count counts the incidents that the stored state has no room for, each once.
func (p *positions) count(shed int) {
	if more := shed - p.shed; more > 0 {
		p.shed = shed
		p.pipe.metrics.Lost(telemetry.LostStateFull, int64(more))
		p.pipe.lost(logtail.Loss{
			Reason: telemetry.LostStateFull, Count: int64(more),
			Detail: "the stored state has no room for so many incidents; after a restart they are new ones",
		})
	}
}

func (p *positions) note() {
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// pass notes that a source has passed some bytes.
func (p *positions) pass(bytes int64) {
	if p.noise.Add(bytes) >= noiseBytes {
		select {
		case p.passed <- struct{}{}:
		default:
		}
	}
}

// load returns the stored positions, those of logs that are no longer read excepted,
// and restores the incidents.
func (p *positions) load(read func(source string) bool) map[string]logtail.Position {
	p.loaded = make(map[string]logtail.Position)
	if p.store == nil {
		return nil
	}
	incidents := &savedIncidents{most: p.pipe.maxSaved}
	stored, err := p.store.Load(incidents)
	if err != nil {
		p.log.Warn("the stored state cannot be used", "error", err)
	}
	for name, at := range stored {
		if read(name) {
			p.loaded[name] = at
		}
	}
	if incidents.over > 0 {
		p.pipe.metrics.Lost(telemetry.LostIncidentEvicted, int64(incidents.over))
	}
	p.pipe.restore(incidents.list())
	return p.loaded
}
