package checkpoint_test

import (
	"math/rand/v2"
	"testing"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

func at(source string, offset int64) logtail.Position {
	return logtail.Position{Source: source, Offset: offset}
}

func span(source string, first, last int64) logtail.Spans {
	return logtail.Spans{{First: at(source, first), Last: at(source, last)}}
}

func both(a, b logtail.Spans) logtail.Spans { return append(a, b...) }

func TestMarksStayBeforeUnfinishedWork(t *testing.T) {
	l := checkpoint.NewLedger()
	l.Reached(at("a", 1000))
	l.Reached(at("b", 500))
	one := l.Track(span("a", 300, 400))
	if got := l.Marks(); got["a"].Offset != 300 || got["b"].Offset != 500 {
		t.Errorf("marks %v, want a at 300 and b at 500", got)
	}
	if got := l.Marks(span("a", 200, 210)); got["a"].Offset != 200 {
		t.Errorf("marks %v, want a at 200 for what is still open", got)
	}
	l.Done(one)
	if got := l.Marks(); got["a"].Offset != 1000 {
		t.Errorf("marks %v, want a at 1000 when all is done", got)
	}
}

// A finished attempt that spans two logs is replayed whole if a part of it is
// replayed: else its second half alone would get another uid.
func TestMarksDoNotSplitFinishedWork(t *testing.T) {
	l := checkpoint.NewLedger()
	l.Reached(at("a", 1000))
	l.Reached(at("b", 1000))
	finished := l.Track(both(span("a", 100, 200), span("b", 700, 800)))
	chained := l.Track(both(span("b", 600, 710), span("a", 50, 60)))
	l.Track(span("b", 750, 760))
	l.Done(finished)
	l.Done(chained)
	got := l.Marks()
	if got["a"].Offset != 50 || got["b"].Offset != 600 {
		t.Errorf("marks %v, want a at 50 and b at 600", got)
	}
}

func TestFinishedWorkIsForgottenOnceStored(t *testing.T) {
	l := checkpoint.NewLedger()
	for i := range int64(100) {
		l.Reached(at("a", i*10+10))
		l.Done(l.Track(span("a", i*10, i*10+10)))
	}
	l.Stored(l.Marks())
	if got := l.Pending(); got != 0 {
		t.Errorf("%d pieces of work remembered, want 0", got)
	}
}

// Whatever is read, finished and stored in whatever order: no unfinished work
// lies before a mark, none at all is split, and marks come to the end.
func TestMarksAnyOrder(t *testing.T) {
	type piece struct {
		id    uint64
		spans logtail.Spans
		done  bool
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		l := checkpoint.NewLedger()
		offsets := map[string]int64{"a": 0, "b": 0}
		// Nothing begins before what was stored: what is being joined is open work.
		stored := map[string]logtail.Position{}
		var pieces []*piece
		for range 200 {
			switch rng.IntN(4) {
			case 0, 1:
				p := &piece{}
				for _, source := range []string{"a", "b"} {
					if rng.IntN(3) > 0 {
						first := max(stored[source].Offset, offsets[source]-int64(rng.IntN(30)))
						offsets[source] += int64(1 + rng.IntN(20))
						p.spans = append(p.spans, span(source, first, offsets[source])...)
						l.Reached(at(source, offsets[source]))
					}
				}
				p.id = l.Track(p.spans)
				pieces = append(pieces, p)
			case 2:
				if len(pieces) > 0 {
					p := pieces[rng.IntN(len(pieces))]
					p.done = true
					l.Done(p.id)
				}
			case 3:
				stored = l.Marks()
				l.Stored(stored)
			}
			marks := l.Marks()
			for _, p := range pieces {
				before, after := 0, 0
				for _, s := range p.spans {
					mark := marks[s.First.Source]
					if mark.Before(s.Last) {
						after++
					} else {
						before++
					}
					if !p.done && s.First.Before(mark) {
						t.Fatalf("seed %d: unfinished work before mark %v", seed, mark)
					}
				}
				if before > 0 && after > 0 {
					t.Fatalf("seed %d: work %v is split by %v", seed, p.spans, marks)
				}
			}
		}
		for _, p := range pieces {
			l.Done(p.id)
		}
		if got := l.Marks(); got["a"].Offset != offsets["a"] || got["b"].Offset != offsets["b"] {
			t.Fatalf("seed %d: marks %v, want the ends %v", seed, got, offsets)
		}
	}
}
