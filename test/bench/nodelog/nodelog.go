// Package nodelog makes the log of a busy node: what containerd 2.4 and kubelet
// 1.37 write, half each, with failed image pulls among lines that look like
// them. The same seed and the same times yield the same text. Start at [New].
package nodelog

import (
	"container/heap"
	"math/rand/v2"
	"strconv"
	"time"
)

// Average is about how many bytes a line has, its newline included.
const Average = 246

// Config says what a [Log] is made of.
type Config struct {
	Seed uint64
	// Failing is the share of the lines that belong to failed pulls, 0 to 1.
	Failing float64
	// Quiet is the share of the failed pulls of which only the runtime tells, 0
	// to 1: the kubelet's lines went elsewhere.
	Quiet float64
	// Zone is the kubelet's, which writes none; nil is the machine's.
	Zone *time.Location
}

// Pull is a pull that fails.
type Pull struct {
	// Image is the reference as the kubelet has it. No other pull has its Tag.
	Image, Tag string
	// Cause is the error.type of the record that it should become.
	Cause string
	// Quiet is set when only the runtime tells of it.
	Quiet bool
	steps []step
}

// step is one record about a pull: a line, or the lines that are written at
// once, and how long after the pull began.
type step struct {
	after time.Duration
	write func(b []byte, at time.Time) []byte
}

// Log makes one record after the other. It is not safe for concurrent use.
type Log struct {
	cfg     Config
	rng     *rand.Rand
	noise   noise
	pending pending
	lines   int64
	failing int64 // lines of failed pulls, those to come included
	pulls   int64
	stopped bool
}

// New returns a Log at its beginning.
func New(cfg Config) *Log {
	if cfg.Zone == nil {
		cfg.Zone = time.Local
	}
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x9e3779b97f4a7c15))
	return &Log{cfg: cfg, rng: rng, noise: noise{rng: rng, zone: cfg.Zone}}
}

// Next appends to b the record that is written at a time not before that of
// the last one. If it belongs to a failed pull it returns that pull, and
// whether this was its last record.
func (l *Log) Next(b []byte, at time.Time) (grown []byte, pull *Pull, last bool) {
	switch {
	case len(l.pending) > 0 && !l.pending[0].due.After(at):
		b, pull, last = l.resume(b, at)
	case !l.stopped && float64(l.failing) < l.cfg.Failing*float64(l.lines+1):
		l.Begin(at)
		b, pull, last = l.resume(b, at)
	default:
		l.lines++
		return l.noise.line(b, at), nil, false
	}
	return b, pull, last
}

// Stop lets no further pull begin. Those that have begun go on.
func (l *Log) Stop() { l.stopped = true }

// Pending is the number of pulls that have begun and not ended.
func (l *Log) Pending() int { return len(l.pending) }

// Lines is the number of lines so far.
func (l *Log) Lines() int64 { return l.lines }

// Pulls is the number of failed pulls that have begun.
func (l *Log) Pulls() int64 { return l.pulls }

// Begin lets a pull that fails begin at once, whatever share is due.
func (l *Log) Begin(at time.Time) {
	l.pulls++
	p := newPull(l.rng, l.cfg, l.pulls)
	heap.Push(&l.pending, &scheduled{pull: p, began: at, due: at})
	l.failing += int64(len(p.steps))
}

// resume writes the record that is due.
func (l *Log) resume(b []byte, at time.Time) ([]byte, *Pull, bool) {
	s := l.pending[0]
	begin := len(b)
	b = s.pull.steps[s.next].write(b, at)
	written := countLines(b[begin:])
	l.lines += written
	l.failing += written - 1 // a record of several lines was counted as one
	s.next++
	if s.next == len(s.pull.steps) {
		heap.Pop(&l.pending)
		return b, s.pull, true
	}
	s.due = s.began.Add(s.pull.steps[s.next].after)
	heap.Fix(&l.pending, 0)
	return b, s.pull, false
}

func countLines(b []byte) (n int64) {
	for _, c := range b {
		if c == '\n' {
			n++
		}
	}
	return n
}

// scheduled is a pull under way: its next record is due.
type scheduled struct {
	pull  *Pull
	began time.Time
	due   time.Time
	next  int
}

// pending is a heap of pulls under way, the one that is due first on top.
type pending []*scheduled

func (p pending) Len() int           { return len(p) }
func (p pending) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p pending) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pending) Push(x any)        { *p = append(*p, x.(*scheduled)) } //nolint:errcheck // heap.Push is only called with one
func (p *pending) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}

// logrus begins a line as logrus' TextFormatter does in containerd.
func logrus(b []byte, at time.Time, level, msg string) []byte {
	b = append(b, `time="`...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z07:00")
	b = append(b, `" level=`...)
	b = append(b, level...)
	b = append(b, ` msg=`...)
	return strconv.AppendQuote(b, msg)
}

// klog begins a line as klog v2 does.
func klog(b []byte, at time.Time, severity byte, place, msg string) []byte {
	b = append(b, severity)
	b = at.AppendFormat(b, "0102 15:04:05.000000")
	b = append(b, "    2776 "...)
	b = append(b, place...)
	b = append(b, `] `...)
	return strconv.AppendQuote(b, msg)
}
