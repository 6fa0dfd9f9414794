package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf is a store in memory that takes its time and fails when told to.
type shelf struct {
	slow func() time.Duration
	fail func() error
	// stingy makes Next give nothing although there is something.
	stingy func() bool

	mu      sync.Mutex
	records []Record
	given   []Record
	appends int
	wrong   []string // calls that break the rules
}

func (s *shelf) Append(records []Record, given int) error {
	time.Sleep(s.slow())
	if err := s.fail(); err != nil {
		return err
	}
	s.mu.Lock()
	if given > 0 {
		if len(s.records) > 0 {
			s.wrong = append(s.wrong, fmt.Sprintf("%d count as given before %d that wait", given, len(s.records)))
		}
		s.given = records[:given]
	}
	s.records = append(s.records, records...)
	s.appends++
	s.mu.Unlock()
	time.Sleep(s.slow()) // stored, but the caller does not know
	return nil
}

func (s *shelf) Next(n int, _ int64, batch []Record) []Record {
	time.Sleep(s.slow())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stingy != nil && s.stingy() {
		return batch
	}
	s.given = slices.Clone(s.records[:min(n, len(s.records))])
	return append(batch, s.given...)
}

func (s *shelf) Ack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > len(s.given) {
		s.wrong = append(s.wrong, fmt.Sprintf("acknowledged %d of %d that were given", n, len(s.given)))
	}
	for _, r := range s.given[:min(n, len(s.given))] {
		s.records = slices.DeleteFunc(s.records, func(other Record) bool { return other.UID == r.UID })
	}
	s.given = nil
}

func (s *shelf) Waiting() bool { return s.left() > 0 }

func (s *shelf) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

func healthy() *shelf {
	return &shelf{slow: func() time.Duration { return 0 }, fail: func() error { return nil }}
}

// A receiver that takes records soon costs no write; one that is away costs one for
// all that gathers, and what is stored counts as kept.
func TestStoredOnlyWhereTheReceiverDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		sink := &scripted{verdict: func([]string) Verdict {
			if away.Load() {
				return Verdict{Outcome: Retry}
			}
			return Verdict{Outcome: Acknowledged}
		}}
		store, l, back := healthy(), newLedger(), 0
		e := New(sink, Config{Settled: l.settled, Store: store, Back: func() { back++ }}).Start()
		l.put(e, "a", "b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if store.appends != 0 || len(l.done["a"]) != 1 {
			t.Errorf("%d writes for records that were taken, done %v", store.appends, l.done)
		}
		away.Store(true)
		l.put(e, "c", "d", "e")
		time.Sleep(time.Second)
		synctest.Wait()
		if store.appends != 1 || store.left() != 3 || !slices.Equal(l.done["e"], []bool{true}) {
			t.Errorf("away: %d writes, %d stored, done %v", store.appends, store.left(), l.done)
		}
		away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if store.left() != 0 || l.by[Delivered] != 5 || back != 1 {
			t.Errorf("back %d times: %d left, %v", back, store.left(), l.by)
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if len(store.wrong) > 0 {
			t.Error(store.wrong)
		}
	})
}

// What the receiver does not take before the end is stored, not lost.
func TestTheEndStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &scripted{verdict: func([]string) Verdict { return Verdict{Outcome: Retry} }}
		store, l := healthy(), newLedger()
		e := New(sink, Config{Settled: l.settled, Store: store}).Start()
		l.put(e, "a")
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if store.left() != 1 || !slices.Equal(l.done["a"], []bool{true}) {
			t.Errorf("%d stored, done %v", store.left(), l.done)
		}
		// The next run delivers it.
		sink = &scripted{verdict: func([]string) Verdict { return Verdict{Outcome: Acknowledged} }}
		e = New(sink, Config{Store: store}).Start()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := sink.got(); len(got) != 1 || store.left() != 0 {
			t.Errorf("tries %v, %d left", got, store.left())
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A disk that fails leaves records in memory, within its bounds, until it is well.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		full.Store(true)
		sink := &scripted{verdict: func([]string) Verdict { return Verdict{Outcome: Retry, After: time.Hour} }}
		store, l := healthy(), newLedger()
		store.fail = func() error {
			if full.Load() {
				return errors.New("no space left on device")
			}
			return nil
		}
		var text strings.Builder
		e := New(sink, Config{Settled: l.settled, Store: store, MaxRecords: 3, Log: slog.New(slog.NewTextHandler(&text, nil))}).Start()
		l.put(e, "a", "b", "c", "d", "e")
		time.Sleep(time.Minute)
		synctest.Wait()
		if l.by[QueueFull] == 0 || store.appends != 0 {
			t.Errorf("%v, %d writes", l.by, store.appends)
		}
		full.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if store.left() != 3 {
			t.Errorf("%d stored when the disk was well, want 3", store.left())
		}
		if n := strings.Count(text.String(), "cannot be stored"); n != 1 || !strings.Contains(text.String(), "stored again") {
			t.Errorf("log:\n%s", text.String())
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// Whatever the receiver and the disk do, each record arrives once and in the end
// nothing is left: memory and disk hand over to each other without a gap.
func TestHandingOver(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { handOver(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func handOver(t *testing.T, r *rand.Rand) {
	t.Helper()
	var mu sync.Mutex
	chance := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n) == 0
	}
	upTo := func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(r.Int64N(int64(d)))
	}
	var well atomic.Bool
	taken := map[string]int{}
	sink := &scripted{}
	sink.verdict = func(batch []string) Verdict {
		time.Sleep(upTo(3 * time.Second))
		if !well.Load() && chance(2) {
			if chance(3) {
				return Verdict{Outcome: Misconfigured}
			}
			return Verdict{Outcome: Retry, After: upTo(2 * time.Second)}
		}
		if slices.Contains(batch, "poison") {
			return Verdict{Outcome: Rejected}
		}
		for _, id := range batch {
			taken[id]++
		}
		return Verdict{Outcome: Acknowledged}
	}
	store := &shelf{
		slow: func() time.Duration { return upTo(2 * time.Second) },
		fail: func() error {
			if !well.Load() && chance(4) {
				return errors.New("no space left on device")
			}
			return nil
		},
	}
	store.stingy = func() bool { return !well.Load() && chance(5) }
	l := newLedger()
	e := New(sink, Config{Settled: l.settled, Store: store, Batch: 8}).Start()
	want := map[string]int{}
	for i := range 60 {
		id := fmt.Sprint("r", i)
		if i == 30 {
			id = "poison"
		} else {
			want[id] = 1
		}
		l.put(e, id)
		time.Sleep(upTo(2 * time.Second))
	}
	well.Store(true)
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	if err := e.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	for id, done := range l.done {
		if len(done) != 1 || id != "poison" && !done[0] {
			t.Errorf("%s: done %v", id, done)
		}
	}
	if store.left() != 0 || len(store.wrong) > 0 || l.by[Refused] != 1 {
		t.Errorf("%d left, %v, %v", store.left(), store.wrong, l.by)
	}
}

// Times that a receiver may not take are replaced and kept as an attribute.
func TestRefresh(t *testing.T) {
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	e := &Exporter{cfg: Config{MaxAge: 20 * time.Hour}}
	for _, tt := range []struct {
		age     time.Duration
		changed bool
	}{
		{0, false}, {20 * time.Hour, false}, {20*time.Hour + time.Second, true}, {-time.Hour, false}, {-time.Hour - time.Second, true},
	} {
		old := Record{Time: now.Add(-tt.age), Attributes: []Attribute{{Key: "k", Value: "v"}}}
		batch := []Record{old}
		e.refresh(batch, now)
		got := batch[0]
		changed := got.Time.Equal(now) && !old.Time.Equal(now)
		if changed != tt.changed || len(got.Attributes) != map[bool]int{false: 1, true: 2}[tt.changed] {
			t.Errorf("age %s: got %v %v", tt.age, got.Time, got.Attributes)
		}
		if tt.changed && got.Attributes[1] != (Attribute{Key: OriginalTimestampKey, Value: old.Time.Format(time.RFC3339Nano)}) {
			t.Errorf("age %s: got %v", tt.age, got.Attributes)
		}
		if len(old.Attributes) != 1 {
			t.Error("the record itself was changed")
		}
	}
}
