package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"pullcause/agent/incident"
	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// How often the state is stored while it changes: each second, but with many
// incidents so rarely that writing takes no time worth mentioning. Where only noise was
// passed, which is all that a quiet node writes, it may be read again: its place is
// stored seldom, and the disk has nothing to do.
const (
	saveEvery    = time.Second
	savePerBytes = 10 * time.Microsecond // ten seconds for a MiB
	noiseEvery   = 10 * time.Minute
	noiseBytes   = 64 << 20 // a second or so to read
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
	noise  atomic.Int64  // bytes passed since the last save
	// loaded are the positions of an earlier run. They hold until the source has moved
	// in this one: its log may be away for a while.
	loaded map[string]logtail.Position

	size   int // of the incidents stored last, in bytes
	failed sync.Once
}

// run saves while something changes and sleeps while nothing does.
func (p *positions) run(ctx context.Context) error {
	timer := time.NewTimer(saveEvery)
	defer timer.Stop()
	seldom := time.NewTicker(noiseEvery)
	defer seldom.Stop()
	for {
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
		timer.Reset(saveEvery + time.Duration(p.size)*savePerBytes)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		p.save()
	}
}

// save stores the state of this moment. Without a store there is only to forget.
func (p *positions) save() {
	if p.store == nil {
		p.pipe.mu.Lock()
		defer p.pipe.mu.Unlock()
		p.pipe.arrived()
		return
	}
	p.noise.Store(0)
	marks, incidents := p.pipe.state()
	st := checkpoint.State{Positions: maps.Clone(p.loaded)}
	maps.Copy(st.Positions, marks)
	var err error
	if len(incidents) > 0 {
		st.Incidents, err = json.Marshal(incidents)
	}
	p.size = len(st.Incidents)
	if err == nil {
		err = p.store.Save(st)
	}
	if err != nil {
		p.failed.Do(func() {
			p.log.Error("the state cannot be stored; after a restart reading begins with sources.lookback, and no incident is remembered", "error", err)
		})
		return
	}
	p.pipe.ledger.Stored(marks)
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
// and takes up the incidents.
func (p *positions) load(read func(source string) bool) map[string]logtail.Position {
	p.loaded = make(map[string]logtail.Position)
	if p.store == nil {
		return nil
	}
	st, err := p.store.Load()
	if err != nil {
		p.log.Warn("the stored state cannot be used", "error", err)
	}
	for name, at := range st.Positions {
		if read(name) {
			p.loaded[name] = at
		}
	}
	var incidents []incident.Saved
	if len(st.Incidents) > 0 {
		if err := json.Unmarshal(st.Incidents, &incidents); err != nil {
			p.log.Warn("the stored incidents cannot be used", "error", err)
			return p.loaded
		}
	}
	p.pipe.restore(incidents)
	return p.loaded
}
