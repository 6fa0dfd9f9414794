package torture

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"pullcause/logtail/journal/journaltest"
	"pullcause/test/bench/nodelog"
)

// Lines in a second: in a minute 30,000 among 300,000.
const (
	followedRate = 500
	foreignRate  = 10 * followedRate
	// failingShare is the part of them that tells of failed pulls. The kubelet tells of
	// all: one of which only the runtime tells keeps the stored position before it for
	// seconds, which few agents live to see, and then each one begins at the same place.
	failingShare = 0.1
)

// unit is a process that writes to the journal, and what it wrote.
type unit struct {
	name  string
	out   *journaltest.Writer
	keep  bool
	lines []string // if keep
	count int
}

// write passes whole lines on.
func (u *unit) write(text []byte) error {
	u.count += bytes.Count(text, []byte{'\n'})
	if u.keep {
		u.lines = append(u.lines, strings.Split(string(text[:len(text)-1]), "\n")...)
	}
	_, err := u.out.Write(text)
	return err
}

// feeder has containerd and the kubelet write of failed pulls, and another unit, which
// nobody follows, the same of other pulls.
type feeder struct {
	rng                          *rand.Rand
	containerd, kubelet, foreign *unit
	log, others                  *nodelog.Log
	causes                       map[string]string // of the pulls that containerd and kubelet wrote of, by tag
	took                         time.Duration
	buf                          []byte
	closed                       bool
}

func newFeeder(ctx context.Context, d *journaltest.Daemon, seed uint64) (*feeder, error) {
	f := &feeder{
		rng: rand.New(rand.NewPCG(seed, 4)), causes: make(map[string]string),
		log:     nodelog.New(nodelog.Config{Seed: seed, Failing: failingShare}),
		others:  nodelog.New(nodelog.Config{Seed: seed + 1, Failing: failingShare}),
		foreign: &unit{name: "noise.service"},
	}
	f.containerd = &unit{name: "containerd.service", keep: true}
	f.kubelet = &unit{name: "kubelet.service", keep: true}
	for _, u := range f.units() {
		var err error
		if u.out, err = d.Writer(ctx, strings.TrimSuffix(u.name, ".service"), u.name); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

func (f *feeder) units() []*unit { return []*unit{f.containerd, f.kubelet, f.foreign} }

// close waits until the journal has all.
func (f *feeder) close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for _, u := range f.units() {
		if u.out != nil {
			errs = append(errs, u.out.Close())
		}
	}
	return errors.Join(errs...)
}

// feed writes for a while, in bursts, and then until the pulls under way have ended.
func (f *feeder) feed(ctx context.Context, length time.Duration) error {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ended := false; !ended || f.log.Pending() > 0; {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		past := time.Since(start)
		if !ended && past >= length {
			ended = true
			f.log.Stop()
		}
		if err := f.burst(int(past.Seconds()*followedRate), int(past.Seconds()*foreignRate)); err != nil {
			return err
		}
		timer.Reset(f.pause())
	}
	err := f.close()
	f.took = time.Since(start)
	return err
}

// pause is short as a rule, and now and then long enough that all is read. It stays
// well below what may lie between two lines of one attempt (2 s).
func (f *feeder) pause() time.Duration {
	mean := 20 * time.Millisecond
	if f.rng.IntN(40) == 0 {
		mean = 300 * time.Millisecond
	}
	return min(time.Duration(f.rng.ExpFloat64()*float64(mean)), 800*time.Millisecond)
}

// burst writes until as many lines as are due have been written, all mixed.
func (f *feeder) burst(own, foreign int) error {
	for {
		ownDue := own - f.containerd.count - f.kubelet.count
		foreignDue := foreign - f.foreign.count
		var err error
		switch {
		case ownDue <= 0 && foreignDue <= 0:
			return nil
		case foreignDue <= 0 || ownDue > 0 && f.rng.IntN(2) == 0:
			err = f.own()
		default:
			err = f.noise(min(foreignDue, 1+f.rng.IntN(20)))
		}
		if err != nil {
			return err
		}
	}
}

// own writes one record of containerd or the kubelet.
func (f *feeder) own() error {
	text, p, _ := f.log.Next(f.buf[:0], time.Now())
	f.buf = text
	if p != nil {
		f.causes[p.Tag] = p.Cause
	}
	if bytes.HasPrefix(text, []byte(`time="`)) {
		return f.containerd.write(text)
	}
	return f.kubelet.write(text)
}

// noise writes about n lines of the unit that nobody follows.
func (f *feeder) noise(n int) error {
	text := f.buf[:0]
	for before := f.others.Lines(); int(f.others.Lines()-before) < n; {
		text, _, _ = f.others.Next(text, time.Now())
	}
	f.buf = text
	return f.foreign.write(text)
}
