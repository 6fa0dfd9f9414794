package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pullcause/test/bench/agentproc"
)

// life is a stretch of time in which an agent ran.
type life struct {
	begin time.Time
	end   time.Time // zero if it was not killed
}

// keeper runs one agent after the other on the same state and kills them.
type keeper struct {
	cfg   agentproc.Config
	rng   *rand.Rand
	agent *agentproc.Process
	lives []life
}

// run starts agents and kills them until ctx ends; one then is left running.
func (k *keeper) run(ctx context.Context) error {
	for {
		agent, err := agentproc.Start(k.cfg)
		if err != nil {
			return err
		}
		k.agent = agent
		k.lives = append(k.lives, life{begin: time.Now()})
		if len(k.lives) == 1 {
			if err := k.firstPosition(ctx); err != nil {
				return err
			}
		}
		// Some do not live to see the end of their start.
		timer := time.NewTimer(10*time.Millisecond + time.Duration(k.rng.ExpFloat64()*float64(1500*time.Millisecond)))
		select {
		case <-timer.C:
		case <-agent.Ended():
			return fmt.Errorf("the agent ended by itself, see %s/agent.log", k.cfg.Dir)
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		k.lives[len(k.lives)-1].end = time.Now()
		agent.Kill()
		time.Sleep(time.Duration(k.rng.IntN(400)) * time.Millisecond)
	}
}

// firstPosition waits until an agent has stored how far it has read: one that was
// killed before leaves nothing, and the next one begins anew.
func (k *keeper) firstPosition(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(k.cfg.Dir, "state", "state.json")); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-k.agent.Ended():
			return fmt.Errorf("the agent ended by itself, see %s/agent.log", k.cfg.Dir)
		case <-ctx.Done():
			return fmt.Errorf("no position was ever stored: %w", context.Cause(ctx))
		}
	}
}

// Of an agent that lived for long enough it is demanded that it reports what
// was in a file that was removed under its eyes.
const (
	// awakening is how long it may take to start and to catch up.
	awakening = time.Second
	// settling is how long a record may take: the join window and the delivery.
	settling = joinWindow + time.Second
)

// parted reports whether an agent began when some lines of a pull were gone and
// some were not: what it makes of these is another attempt to it.
func (k *keeper) parted(p *pull) bool {
	return slices.ContainsFunc(k.lives[1:], func(l life) bool {
		left := 0
		for _, m := range p.marks {
			if !m.lost && (m.in.gone.IsZero() || m.in.gone.After(l.begin)) {
				left++
			}
		}
		return left > 0 && left < len(p.marks)
	})
}

// witnessed reports whether some agent had the time to read and deliver what
// was written at a time, although the content was removed later.
func (k *keeper) witnessed(m mark) bool {
	for _, l := range k.lives {
		awake := l.begin.Add(awakening)
		if awake.After(m.in.gone) || m.in.gone.Sub(m.in.opened) < awakening {
			continue // not there, or not for long enough to be found
		}
		from := m.at
		if awake.After(from) {
			from = awake
		}
		if l.end.IsZero() || l.end.Sub(from) >= settling {
			return true
		}
	}
	return false
}
