package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/logtail/journal/journaltest"
	"pullcause/test/bench/agentproc"
	"pullcause/test/bench/tally"
)

// killsPerMinute is how often the agent is killed.
const killsPerMinute = 50

// TestJournalKills kills an agent that reads a journal which is rotated each second,
// and starts it again: each failed pull that journalctl knows must arrive, under one
// uid. Nothing is removed, so there is no excuse.
func TestJournalKills(t *testing.T) {
	path := ""
	build := sync.OnceFunc(func() { path = binary(t, t.TempDir()) })
	eachSystemd(t, func(t *testing.T, j *journald) {
		build()
		killed(t, j, path)
	})
}

func killed(t *testing.T, j *journald, agent string) {
	received := newReceived()
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: received.add})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	dir := t.TempDir()
	// The join window is the default: journald announces up to 250 ms late that it has
	// written, and may rotate between two lines, so the short one of TestTorture parts them.
	k := &keeper{rng: j.rng, cfg: agentproc.Config{
		Binary: agent, Dir: dir, Endpoint: receiver.URL(), HostRoot: j.host,
		Env: []string{"PULLCAUSE_LOG_LEVEL=debug"},
	}}
	moments := random(j.rng, int(killsPerMinute*j.length.Minutes()), j.length)
	j.run(t, func(ctx context.Context) error { return k.killAt(ctx, moments) })
	lines := j.read(t)
	await(t, received.Tally, func() bool { return len(received.Check(j.causes).Missing) == 0 })
	if err := errors.Join(k.agent.Stop(), receiver.Problems()); err != nil {
		t.Error(err)
	}
	j.report(t)
	received.report(t, k, j.causes, lines)
	if t.Failed() {
		keepLog(t, dir)
	}
}

// random returns n moments in their order.
func random(rng *rand.Rand, n int, length time.Duration) []time.Duration {
	moments := make([]time.Duration, n)
	for i := range moments {
		moments[i] = time.Duration(rng.Int64N(int64(length)))
	}
	slices.Sort(moments)
	return moments
}

// killAt runs agents and kills them at certain moments. A last one is left running.
func (k *keeper) killAt(ctx context.Context, moments []time.Duration) error {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(until time.Duration, ended <-chan struct{}) error {
		timer.Reset(time.Until(start.Add(until)))
		select {
		case <-timer.C:
			return nil
		case <-ended:
			return fmt.Errorf("the agent ended by itself, see %s/agent.log", k.cfg.Dir)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for i, moment := range moments {
		if err := k.begin(); err != nil {
			return err
		}
		if err := wait(moment, k.agent.Ended()); err != nil {
			return err
		}
		k.lives[len(k.lives)-1].end = time.Now()
		k.agent.Kill()
		// Nobody reads for a while, but the next one gets to run.
		if i+1 < len(moments) {
			pause := min(moments[i+1]-moment, 800*time.Millisecond) / 2
			if err := wait(moment+time.Duration(k.rng.Float64()*float64(pause)), nil); err != nil {
				return err
			}
		}
	}
	return k.begin()
}

// begin starts an agent.
func (k *keeper) begin() (err error) {
	if k.agent, err = agentproc.Start(k.cfg); err == nil {
		k.lives = append(k.lives, life{begin: time.Now()})
	}
	return err
}

// received is what a receiver was told.
type received struct {
	*tally.Tally

	mu     sync.Mutex
	losses []string
	first  map[string][]otlptest.Record // by tag: the first one of each uid
}

func newReceived() *received {
	return &received{Tally: tally.New(), first: make(map[string][]otlptest.Record)}
}

func (r *received) add(rec otlptest.Record) {
	r.Add(rec)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch rec.Name {
	case export.EventDataLoss:
		r.losses = append(r.losses, rec.Body)
	case export.EventFailed:
		tag := fmt.Sprint(rec.Attributes[export.ImageTagKey])
		uid := rec.Attributes[export.LogRecordUIDKey]
		if !slices.ContainsFunc(r.first[tag], func(o otlptest.Record) bool { return o.Attributes[export.LogRecordUIDKey] == uid }) {
			r.first[tag] = append(r.first[tag], rec)
		}
	}
}

// report compares with the causes of all pulls that were written; lines are those of
// the journal.
func (r *received) report(t *testing.T, k *keeper, causes map[string]string, lines []journaltest.Line) {
	t.Helper()
	check := r.Check(causes)
	t.Logf("killed %d times; owed %d, arrived %d; %d duplicates with the same uid, %d pulls under several",
		len(k.lives)-1, check.Wanted, check.Arrived, check.Twice, check.Split)
	if check.False+check.Misjudged > 0 {
		t.Errorf("%d records of no failure, %d with another cause: %q", check.False, check.Misjudged, check.Samples)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tag := range check.Missing {
		t.Errorf("%s never arrived: %s", tag, r.story(k, tag, lines))
	}
	for tag, told := range r.first {
		if len(told) > 1 {
			t.Errorf("%s came under several uids: %s", tag, r.story(k, tag, lines))
		}
	}
	for _, l := range r.losses {
		t.Errorf("the agent tells of a loss: %s", l)
	}
}

// story tells what the journal has of a pull, what the agents did then, and what
// they told.
func (r *received) story(k *keeper, tag string, lines []journaltest.Line) string {
	var text strings.Builder
	var first, last time.Time
	for _, l := range lines {
		if !bytes.Contains(l.Message, []byte(tag)) {
			continue
		}
		last = time.UnixMicro(int64(l.Realtime))
		if first.IsZero() {
			first = last
		}
		fmt.Fprintf(&text, "\n  entry %s at %s: %.120s", l.Cursor, clock(last), l.Message)
	}
	for _, l := range k.lives {
		if (l.end.IsZero() || l.end.After(first.Add(-time.Second))) && l.begin.Before(last.Add(3*time.Second)) {
			fmt.Fprintf(&text, "\n  agent from %s to %s", clock(l.begin), clock(l.end))
		}
	}
	for _, rec := range r.first[tag] {
		fmt.Fprintf(&text, "\n  first told at %s: %v", clock(rec.Received), rec.Attributes)
	}
	return text.String()
}
