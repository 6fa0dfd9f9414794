package checkpoint_test

import (
	"math/rand/v2"
	"testing"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

// One piece of work that is never finished holds back all that come later. They
// must not fill the memory, and the marks must come to the end once it is done.
func TestMemoryIsBounded(t *testing.T) {
	l := checkpoint.NewLedger()
	l.Reached(at("a", 0))
	stuck := l.Track(span("a", 5, 9))
	for i := range int64(50_000) {
		l.Reached(at("a", 10*i+20))
		l.Done(l.Track(span("a", 10*i+10, 10*i+20)))
		if i%1000 == 0 {
			l.Stored(l.Marks())
		}
	}
	if got := l.Pending(); got > 1100 {
		t.Errorf("%d pieces of work remembered, want about 1000 at most", got)
	}
	if got := l.Marks(); got["a"].Offset != 5 {
		t.Errorf("marks %v, want a at 5", got)
	}
	l.Done(stuck)
	marks := l.Marks()
	l.Stored(marks)
	if marks["a"].Offset != 500_010 || l.Pending() != 0 {
		t.Errorf("marks %v and %d pieces of work, want a at 500010 and none", marks, l.Pending())
	}
}

func TestReachedOnlyGrows(t *testing.T) {
	l := checkpoint.NewLedger()
	second := logtail.Position{Source: "a", Stream: "second", Offset: 3, Generation: 2}
	l.Reached(logtail.Position{Source: "a", Stream: "first", Offset: 700, Generation: 1})
	l.Reached(second)
	l.Reached(logtail.Position{Source: "a", Stream: "first", Offset: 800, Generation: 1})
	if got := l.Marks()["a"]; got != second {
		t.Errorf("mark %v, want %v", got, second)
	}
	l.Done(4711) // nobody's
	if l.Pending() != 0 {
		t.Errorf("%d pieces of work after an unknown id, want 0", l.Pending())
	}
}

// whole reports whether marks are such as Marks promises.
func whole(marks map[string]int64, open, done []logtail.Spans) bool {
	for _, spans := range open {
		for _, s := range spans {
			if s.First.Offset < marks[s.First.Source] {
				return false
			}
		}
	}
	for _, spans := range done {
		before, after := true, true
		for _, s := range spans {
			before = before && s.Last.Offset <= marks[s.First.Source]
			after = after && s.First.Offset >= marks[s.First.Source]
		}
		if !before && !after {
			return false
		}
	}
	return true
}

// Marks are the furthest that there are: compared with trying all.
func TestMarksAreFurthest(t *testing.T) {
	const end = 12
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := checkpoint.NewLedger()
		l.Reached(at("a", end))
		l.Reached(at("b", end))
		var open, done []logtail.Spans
		for range rng.IntN(6) {
			var spans logtail.Spans
			for _, source := range []string{"a", "b"} {
				if rng.IntN(3) > 0 {
					first := rng.Int64N(end)
					spans = append(spans, span(source, first, first+1+rng.Int64N(end-first))...)
				}
			}
			id := l.Track(spans)
			if rng.IntN(3) == 0 {
				open = append(open, spans)
				continue
			}
			l.Done(id)
			done = append(done, spans)
		}
		best := map[string]int64{}
		for a := range int64(end + 1) {
			for b := range int64(end + 1) {
				if whole(map[string]int64{"a": a, "b": b}, open, done) {
					best["a"], best["b"] = max(best["a"], a), max(best["b"], b)
				}
			}
		}
		got := l.Marks()
		if got["a"].Offset != best["a"] || got["b"].Offset != best["b"] {
			t.Fatalf("seed %d: marks %v, want %v; open %v, done %v", seed, got, best, open, done)
		}
	}
}
