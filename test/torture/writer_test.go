package torture

import (
	"bytes"
	"context"
	"math/rand/v2"
	"time"

	"pullcause/test/bench/nodelog"
)

const (
	rate    = 50_000 // lines in a second
	failing = 0.01
	quiet   = 0.2
	// chunk is the most lines that are written at once.
	chunk = 100
)

// mark is where and when one record of a failed pull was written.
type mark struct {
	in *content
	at time.Time
	// lost is set between a copy and the truncation.
	lost bool
}

// pull is a failed pull and where its records are.
type pull struct {
	cause string
	marks []mark
	whole bool // its last record was written
}

// writer writes the log and rotates it, from one goroutine.
type writer struct {
	rng   *rand.Rand
	log   *nodelog.Log
	files *rotator
	pulls map[string]*pull // by tag
	lines int
	buf   []byte
}

func newWriter(path string, seed uint64) (*writer, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	files, err := newRotator(path, rng)
	return &writer{
		rng: rng, files: files, pulls: make(map[string]*pull),
		log: nodelog.New(nodelog.Config{Seed: seed, Failing: failing, Quiet: quiet}),
	}, err
}

// run writes for a while, and then until the pulls under way have ended.
func (w *writer) run(ctx context.Context, length time.Duration) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	rotation := start.Add(w.pause())
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		past := time.Since(start)
		if past >= length {
			w.log.Stop()
			if w.log.Pending() == 0 {
				return w.files.file.Close()
			}
		}
		for due := int(past.Seconds() * rate); w.lines < due; {
			if err := w.write(min(due-w.lines, 1+w.rng.IntN(chunk)), false); err != nil {
				return err
			}
		}
		if past < length && time.Now().After(rotation) {
			if err := w.files.rotate(w.more); err != nil {
				return err
			}
			rotation = time.Now().Add(w.pause())
		}
	}
}

// pause is how long to wait until the next rotation.
func (w *writer) pause() time.Duration {
	return 100*time.Millisecond + time.Duration(w.rng.ExpFloat64()*float64(900*time.Millisecond))
}

// more writes while a rotation is under way; at times nothing.
func (w *writer) more(lost bool) error {
	for range w.rng.IntN(4) {
		if err := w.write(1+w.rng.IntN(chunk), lost); err != nil {
			return err
		}
	}
	return nil
}

// write appends about n lines, in one write or in two that do not meet at the
// end of a line.
func (w *writer) write(n int, lost bool) error {
	w.buf = w.buf[:0]
	now := time.Now()
	before := w.log.Lines()
	for int(w.log.Lines()-before) < n {
		var p *nodelog.Pull
		var last bool
		w.buf, p, last = w.log.Next(w.buf, now)
		if p != nil {
			w.note(p, last, mark{in: w.files.content, at: now, lost: lost})
		}
	}
	w.lines += bytes.Count(w.buf, []byte{'\n'})
	cut := 0
	if w.rng.IntN(4) == 0 {
		cut = w.rng.IntN(len(w.buf))
	}
	if _, err := w.files.file.Write(w.buf[:cut]); err != nil {
		return err
	}
	_, err := w.files.file.Write(w.buf[cut:])
	return err
}

func (w *writer) note(p *nodelog.Pull, last bool, m mark) {
	known := w.pulls[p.Tag]
	if known == nil {
		known = &pull{cause: p.Cause}
		w.pulls[p.Tag] = known
	}
	known.marks = append(known.marks, m)
	known.whole = last
}
