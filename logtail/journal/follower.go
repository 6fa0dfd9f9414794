package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/watch"
)

const (
	// batch is how many entries are passed between two reports of progress.
	batch = 256
	// rest is how long to wait after something came: more is likely to follow, and
	// journald would announce it only 250 ms after the last time.
	rest = 50 * time.Millisecond
	// Entries of ours mean that more are likely to come. journald announces an entry
	// 250 ms later at the earliest, and up to 500 ms (systemd v257,
	// POST_CHANGE_TIMER_INTERVAL_USEC and sd_event_add_time's default accuracy), so for a
	// while after one was handed over it is not waited for.
	attentiveFor  = 30 * time.Second
	attentiveRest = 150 * time.Millisecond
)

// follower is one run of a [Source]. All of it belongs to one goroutine.
type follower struct {
	src      *Source
	cfg      *Config
	log      *slog.Logger
	out      logtail.Handler
	interest *interest
	reader   *reader
	wake     chan struct{}
	watches  map[string]*watch.Path
	live     bool // all folders are watched

	values     values
	unfinished map[string]time.Time // writers whose next line the handler wants, and when the last one was written
	place      cursor               // behind what was handed over or passed
	reported   cursor               // place, as it was told last
	gen        uint64
	passed     logtail.Progress // since the last report
	got        bool             // the last turn found something
	handed     time.Time        // when something was handed over last

	tallies []tally // by candidate
	told    string  // the last thing that was logged as wrong
}

func newFollower(s *Source, h logtail.Handler) *follower {
	f := &follower{
		src: s, cfg: &s.cfg, log: s.cfg.Logger.With("source", s.cfg.Name), out: h,
		interest: newInterest(s.cfg.Follow), wake: make(chan struct{}, 1), watches: make(map[string]*watch.Path),
		unfinished: make(map[string]time.Time), tallies: make([]tally, len(s.cfg.Follow)), gen: 1,
	}
	f.reader = newReader(roots{host: s.cfg.Host, dirs: s.cfg.Roots, machine: s.cfg.Machine}, f.interest.matches(), f.lost)
	f.begin(time.Now())
	s.update(func(st *logtail.Status) { st.State = logtail.StateWaiting })
	return f
}

// begin decides where reading begins.
func (f *follower) begin(now time.Time) {
	if f.src.start != nil {
		c, err := newCursor(*f.src.start)
		if err == nil {
			f.reader.origin, f.place, f.gen = &c, c, max(f.src.start.Generation, 1)
			f.reader.ends[c.sequence] = end{c.next, c.mark.realtime}
			return
		}
		f.lost(logtail.Loss{Reason: logtail.LostPosition, Count: 1, Detail: fmt.Sprintf("the stored position cannot be used: %v", err)})
	}
	if f.cfg.Lookback >= 0 {
		f.reader.since = uint64(now.Add(-f.cfg.Lookback).UnixMicro())
	}
	f.place.mark.realtime = f.reader.since
}

// stop leaves things such that another run can go on.
func (f *follower) stop() {
	for _, w := range f.watches {
		w.Close()
	}
	f.reader.close()
	if f.place.next > 0 {
		f.src.start = new(f.position(f.place))
	}
	f.src.update(func(st *logtail.Status) { st.State = logtail.StateStopped })
}

func (f *follower) position(c cursor) logtail.Position { return c.position(f.cfg.Name, f.gen) }

// turn reads all that can be read now.
func (f *follower) turn(ctx context.Context) {
	f.got = f.look(ctx)
	scanned := f.reader.scanned
	f.live = f.rewatch()
	if !f.got && f.live && f.arm() {
		f.got = f.look(ctx) // what came before it was armed
	}
	if f.got || scanned || f.reader.scanned {
		f.tell()
	} else {
		f.src.update(func(st *logtail.Status) { st.LastTurn = time.Now() })
	}
}

// look reports whether there was anything.
func (f *follower) look(ctx context.Context) bool {
	f.reader.refresh(time.Now())
	f.tellState()
	n := 0
	for ctx.Err() == nil {
		file := f.reader.next()
		if file == nil {
			f.caughtUp()
			break
		}
		f.hand(file)
		if n++; n%batch == 0 {
			f.src.lag(f.passed.Time)
			f.progress()
		}
	}
	if f.place.next > 0 && (n > 0 || f.reported != f.place || len(f.unfinished) > 0) {
		f.progress()
	}
	return n > 0
}

// hand hands over the entry that the reader has come to, if it is wanted.
func (f *follower) hand(file *file) {
	sequence, e := file.head.sequence, &file.next
	if sequence != f.place.sequence || e.seqnum < f.place.next {
		f.gen++
	}
	pos, end := before(sequence, e), behind(sequence, e)
	f.passed.Time = time.UnixMicro(bounded(e.realtime))
	if err := file.readValues(&f.values); err != nil {
		if f.reader.corrupted(file, []error{err}) {
			return // nothing of the file is left
		}
		f.reader.advance(file)
	} else {
		f.reader.advance(file)
		f.judge(pos, end)
	}
	f.place = end
}

// judge passes on what an entry is.
func (f *follower) judge(pos, end cursor) {
	v := &f.values
	if unit, n, ok := f.interest.suppressed(v); ok {
		f.lost(logtail.Loss{
			Reason: logtail.LostSuppressed, Count: n, Unit: unit,
			Detail: fmt.Sprintf("journald dropped %d lines of %s, which wrote more than RateLimitBurst of journald.conf allows", n, unit),
		})
		return
	}
	candidate, program, ok := f.interest.judge(v)
	if !ok || !v.has[message] {
		return
	}
	f.tallies[candidate].entries++
	f.passed.Lines++
	f.passed.Bytes += int64(len(v.message)) + v.more
	v.message = append(v.message, '\n')
	writer := v.text[pid]
	_, wanted := f.unfinished[writer]
	if f.cfg.Filter != nil && !wanted && f.cfg.Filter(v.message) < 0 {
		return
	}
	if v.cut {
		f.lost(logtail.Loss{Reason: logtail.LostLineTooLong, Count: 1, Bytes: v.more, Detail: "a line is longer than 1 MiB; the rest of it was not looked at"})
	}
	f.handed = time.Now()
	more := f.out.Handle(logtail.Record{
		Source: f.cfg.Name, Program: program, Time: f.passed.Time, Observed: f.handed,
		Body: v.message[:len(v.message)-1], Truncated: v.cut, Writer: writer, Broken: v.text[lineBreak] == "line-max",
		Pos: f.position(pos), End: f.position(end),
	})
	if more {
		f.unfinished[writer] = f.passed.Time
	} else {
		delete(f.unfinished, writer)
	}
}

// caughtUp moves the place to the end of the journal: the entries of others that
// journald may remove are no loss.
func (f *follower) caughtUp() {
	sequence, read := f.reader.readTo()
	if read == 0 || sequence == f.place.sequence && read <= f.place.next {
		return
	}
	if sequence != f.place.sequence {
		f.gen++
	}
	f.place.sequence, f.place.next = sequence, read
}

// progress reports how far reading has come.
func (f *follower) progress() {
	f.passed.Pos, f.reported = f.position(f.place), f.place
	now := time.Now()
	f.src.update(func(st *logtail.Status) {
		st.Position = f.passed.Pos
		st.Lines += f.passed.Lines
		st.Bytes += f.passed.Bytes
		st.LastTurn = now
		if f.passed.Lines > 0 {
			st.LastRead = now
		}
		if !f.passed.Time.IsZero() {
			st.LastLine = f.passed.Time
		}
	})
	f.out.Progress(f.passed)
	f.giveUp(cmp.Or(f.passed.Time, now))
	f.passed = logtail.Progress{}
}

// giveUp forgets the writers that the handler, who was told what time it is in the
// journal, waits for no longer.
func (f *follower) giveUp(now time.Time) {
	maps.DeleteFunc(f.unfinished, func(_ string, last time.Time) bool { return now.Sub(last) > logtail.MaxSilence })
}

func (f *follower) lost(l logtail.Loss) {
	l.Source = f.cfg.Name
	f.out.Lost(l)
}

// delay is how long to wait for a wake-up.
func (f *follower) delay(now time.Time) time.Duration {
	if f.got {
		return min(rest, f.cfg.Poll)
	}
	if now.Sub(f.handed) < attentiveFor {
		return min(attentiveRest, f.cfg.Poll)
	}
	poll := f.cfg.Poll
	if f.live && len(f.unfinished) == 0 {
		poll *= logtail.Stretch
	}
	// All sources poll at the same time, so that it costs one wake-up.
	return poll - time.Duration(now.UnixNano())%poll
}

// failure is why nothing, or not all, can be read; nil if all can.
func (f *follower) failure() error {
	var errs []error
	for _, p := range f.reader.wrong() {
		errs = append(errs, errors.New(p.String()))
	}
	if len(errs) == 0 && !f.reader.any() {
		return errors.New(cmp.Or(f.none(), "no journal file was found"))
	}
	return errors.Join(errs...)
}
