package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// saveEvery is how often positions are stored while they move.
const saveEvery = time.Second

// positions stores how far each source is settled. Where the state folder
// cannot be written it says so once and the agent goes on: after a restart it
// then begins with the look-back.
type positions struct {
	store *checkpoint.Store
	pipe  *pipeline
	log   *slog.Logger
	moved chan struct{} // cap 1

	failed sync.Once
}

// run saves while positions move and sleeps while they do not.
func (p *positions) run(ctx context.Context) error {
	timer := time.NewTimer(saveEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.moved:
		}
		timer.Reset(saveEvery)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		p.save()
	}
}

// save stores the marks of this moment.
func (p *positions) save() {
	if p.store == nil {
		return
	}
	marks := p.pipe.marks()
	if err := p.store.Save(marks); err != nil {
		p.failed.Do(func() {
			p.log.Error("positions cannot be stored; after a restart reading begins with sources.lookback", "error", err)
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

// load returns the stored positions, or none.
func load(store *checkpoint.Store, log *slog.Logger) map[string]logtail.Position {
	if store == nil {
		return nil
	}
	marks, err := store.Load()
	if err != nil {
		log.Warn("stored positions cannot be used", "error", err)
	}
	return marks
}
