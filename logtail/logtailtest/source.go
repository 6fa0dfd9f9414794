package logtailtest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"pullcause/logtail"
)

// Source is a source that yields what a test writes to it. Its offsets count
// lines. It keeps all of them, so another run, or one that begins at a stored
// position, reads them again.
type Source struct {
	SourceName string
	Program    string
	// Filter, if set, finds the lines to hand over; it is given one at a time.
	Filter logtail.Filter
	// Start is where Run begins; nil is the first line.
	Start *logtail.Position

	mu     sync.Mutex
	log    *Lines
	status logtail.Status
}

var _ logtail.Source = (*Source)(nil)

// Lines is what a [Source] reads.
type Lines struct {
	mu      sync.Mutex
	changed chan struct{}
	streams [][]string
}

// NewSource returns a source of lines.
func NewSource(name string, lines *Lines) *Source {
	return &Source{SourceName: name, log: lines}
}

// Write appends lines.
func (l *Lines) Write(lines ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) == 0 {
		l.streams = append(l.streams, nil)
	}
	last := len(l.streams) - 1
	l.streams[last] = append(l.streams[last], lines...)
	l.wake()
}

// Rotate begins a new stream.
func (l *Lines) Rotate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams = append(l.streams, nil)
	l.wake()
}

func (l *Lines) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// at returns the line at a place, or the place that follows when the stream ends
// there, or a channel to wait on when there is nothing yet.
func (l *Lines) at(stream, line int) (text string, ok, ended bool, wait <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stream < len(l.streams) && line < len(l.streams[stream]) {
		return l.streams[stream][line], true, false, nil
	}
	if stream+1 < len(l.streams) {
		return "", false, true, nil
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return "", false, false, l.changed
}

// Name implements [logtail.Source].
func (s *Source) Name() string { return s.SourceName }

// Run implements [logtail.Source].
func (s *Source) Run(ctx context.Context, h logtail.Handler) error {
	s.set(func(st *logtail.Status) { st.State = logtail.StateReading })
	defer s.set(func(st *logtail.Status) { st.State = logtail.StateStopped })
	stream, line := 0, 0
	if s.Start != nil {
		stream, _ = strconv.Atoi(s.Start.Stream) //nolint:errcheck // it is ours
		line = int(s.Start.Offset)
	}
	for more := false; ctx.Err() == nil; {
		text, ok, ended, wait := s.log.at(stream, line)
		switch {
		case ok:
			more = s.pass(h, text, more, s.pos(stream, line), s.pos(stream, line+1))
			line++
		case ended:
			stream, line = stream+1, 0
			s.set(func(st *logtail.Status) { st.Rotations++ })
			h.Progress(logtail.Progress{Pos: s.pos(stream, line)})
		default:
			select {
			case <-ctx.Done():
			case <-wait:
			}
		}
	}
	return nil
}

func (s *Source) pass(h logtail.Handler, text string, more bool, pos, end logtail.Position) bool {
	if more || s.Filter == nil || s.Filter([]byte(text+"\n")) >= 0 {
		more = h.Handle(logtail.Record{
			Source: s.SourceName, Program: s.Program, Observed: time.Now(),
			Body: []byte(strings.Clone(text)), Pos: pos, End: end,
		})
	}
	n := int64(len(text) + 1)
	s.set(func(st *logtail.Status) { st.Position = end; st.Lines++; st.Bytes += n })
	h.Progress(logtail.Progress{Pos: end, Lines: 1, Bytes: n})
	return more
}

func (s *Source) pos(stream, line int) logtail.Position {
	return logtail.Position{
		Source: s.SourceName, Stream: strconv.Itoa(stream),
		Offset: int64(line), Generation: uint64(stream) + 1,
	}
}

func (s *Source) set(change func(*logtail.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// Status implements [logtail.Source].
func (s *Source) Status() logtail.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Name, st.Program, st.Kind = s.SourceName, s.Program, "test"
	if st.State == "" {
		st.State = logtail.StateStopped
	}
	return st
}
