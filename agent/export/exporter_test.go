package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a sink whose verdicts are a function of the batch.
type scripted struct {
	verdict func(batch []string) Verdict

	mu    sync.Mutex
	tries []try
}

type try struct {
	At  time.Duration // since the first
	IDs []string
}

func (s *scripted) Export(_ context.Context, batch []Record) Verdict {
	ids := make([]string, len(batch))
	for i, r := range batch {
		ids[i] = r.UID
	}
	s.mu.Lock()
	s.tries = append(s.tries, try{At: time.Duration(time.Now().UnixNano()), IDs: ids})
	s.mu.Unlock()
	return s.verdict(ids)
}

// got returns the tries with times counted from the first.
func (s *scripted) got() []try {
	s.mu.Lock()
	defer s.mu.Unlock()
	tries := slices.Clone(s.tries)
	for i := range tries {
		tries[i].At -= s.tries[0].At
	}
	return tries
}

// ledger notes what became of records.
type ledger struct {
	mu   sync.Mutex
	done map[string][]bool
	by   map[Result]int
}

func newLedger() *ledger { return &ledger{done: map[string][]bool{}, by: map[Result]int{}} }

func (l *ledger) settled(r Result, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by[r] += n
}

func (l *ledger) put(e *Exporter, ids ...string) {
	for _, id := range ids {
		e.Enqueue(Record{UID: id}, func(delivered bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.done[id] = append(l.done[id], delivered)
		})
	}
}

// check wants each id settled exactly once, in the way given.
func (l *ledger) check(t *testing.T, want map[string]bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := map[string][]bool{}
	for id, delivered := range want {
		wanted[id] = []bool{delivered}
	}
	if diff := cmp.Diff(wanted, l.done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

func always(o Outcome) func([]string) Verdict {
	return func([]string) Verdict { return Verdict{Outcome: o, Text: string(o)} }
}

func ids(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestSendsAtOnceAndGathersMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &scripted{verdict: func([]string) Verdict {
			time.Sleep(time.Second)
			return Verdict{Outcome: Acknowledged}
		}}
		l := newLedger()
		e := New(sink, Config{Settled: l.settled, Batch: 3}).Start()
		l.put(e, "a")
		synctest.Wait() // it is under way before anything else arrives
		l.put(e, "b", "c", "d", "e")
		if s := e.Status(); s.Queued != 5 || s.InFlight != 1 {
			t.Errorf("status: got %+v", s)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		want := []try{{0, []string{"a"}}, {time.Second, []string{"b", "c", "d"}}, {2 * time.Second, []string{"e"}}}
		if diff := cmp.Diff(want, sink.got()); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		l.check(t, map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true})
		if l.by[Delivered] != 5 {
			t.Errorf("counted: got %v", l.by)
		}
	})
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
	}{
		{"by number", Config{MaxRecords: 4}},
		{"by size", Config{MaxBytes: 4 * (&Record{UID: "a"}).size()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				back := make(chan struct{})
				sink := &scripted{verdict: func([]string) Verdict {
					<-back
					return Verdict{Outcome: Acknowledged}
				}}
				l := newLedger()
				tt.cfg.Settled = l.settled
				e := New(sink, tt.cfg).Start()
				l.put(e, "a") // under way: it stays
				synctest.Wait()
				l.put(e, "b", "c", "d", "e", "f")
				l.check(t, map[string]bool{"b": false, "c": false})
				close(back)
				_ = e.Shutdown(t.Context())
				l.check(t, map[string]bool{"a": true, "b": false, "c": false, "d": true, "e": true, "f": true})
				if l.by[QueueFull] != 2 || e.Status().Lost[QueueFull] != 2 {
					t.Errorf("counted: got %v, %+v", l.by, e.Status())
				}
			})
		})
	}
}

// TestLargeRecords: a batch is bounded in bytes, and a record that is larger
// than the whole queue pushes out nothing but itself.
func TestLargeRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &scripted{verdict: func([]string) Verdict {
			<-gate
			return Verdict{Outcome: Acknowledged}
		}}
		l := newLedger()
		e := New(sink, Config{MaxBytes: 3 << 20, Settled: l.settled}).Start()
		put := func(id string, size int) {
			e.Enqueue(Record{UID: id, Body: strings.Repeat("x", size)}, nil)
		}
		put("a", 1)
		synctest.Wait()
		put("b", 300<<10)
		put("huge", 4<<20)
		put("c", 150<<10)
		put("d", 150<<10)
		close(gate)
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		want := []try{{0, []string{"a"}}, {0, []string{"b", "c"}}, {0, []string{"d"}}}
		if diff := cmp.Diff(want, sink.got()); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		if l.by[Delivered] != 4 || l.by[QueueFull] != 1 {
			t.Errorf("counted: got %v", l.by)
		}
	})
}

func TestWaitRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan Verdict)
		sink := &scripted{verdict: func([]string) Verdict { return <-answer }}
		l := newLedger()
		e := New(sink, Config{MaxRecords: 4}).Start()
		if err := e.WaitRoom(t.Context()); err != nil {
			t.Errorf("empty queue: %v", err)
		}
		l.put(e, "a", "b", "c", "d")
		synctest.Wait()
		waited := make(chan error, 1)
		go func() { waited <- e.WaitRoom(t.Context()) }()
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("stop"))
		if err := e.WaitRoom(ended); err == nil || err.Error() != "stop" {
			t.Errorf("context ended: got %v", err)
		}
		synctest.Wait()
		select {
		case <-waited:
			t.Fatal("a full queue has room")
		default:
		}
		answer <- Verdict{Outcome: Retry} // it is away now: no use in waiting
		if err := <-waited; err != nil {
			t.Error(err)
		}
		answer <- Verdict{Outcome: Acknowledged} // back, and four more have come
		l.put(e, "e", "f", "g", "h")
		synctest.Wait()
		go func() { waited <- e.WaitRoom(t.Context()) }()
		synctest.Wait()
		go func() { _ = e.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-waited:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("still waiting after Shutdown")
		}
		close(answer) // acknowledges nothing: the outcome is empty
		_ = e.Shutdown(t.Context())
	})
}

func TestShutdownDrainsForFiveSeconds(t *testing.T) {
	tests := []struct {
		name      string
		verdict   func([]string) Verdict
		delivered bool
		atMost    time.Duration
	}{
		{"receiver well", always(Acknowledged), true, 0},
		{"receiver away", always(Retry), false, DrainTime},
		{"misconfigured", always(Misconfigured), false, DrainTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := &scripted{verdict: tt.verdict}
				l := newLedger()
				e := New(sink, Config{Settled: l.settled}).Start()
				l.put(e, "a", "b")
				synctest.Wait()
				begin := time.Now()
				err := e.Shutdown(t.Context())
				if took := time.Since(begin); took > tt.atMost {
					t.Errorf("took %v, want at most %v", took, tt.atMost)
				}
				if (err == nil) != tt.delivered {
					t.Errorf("error: got %v", err)
				}
				l.put(e, "late")
				l.check(t, map[string]bool{"a": tt.delivered, "b": tt.delivered, "late": false})
				_ = e.Shutdown(t.Context()) // a second time does no harm
			})
		})
	}
}

func TestShutdownTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &scripted{verdict: always(Retry)}
		l := newLedger()
		e := New(sink, Config{}).Start()
		l.put(e, "a")
		time.Sleep(time.Minute) // well into a long wait
		synctest.Wait()
		sink.mu.Lock()
		sink.verdict = always(Acknowledged)
		sink.mu.Unlock()
		begin := time.Now()
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		l.check(t, map[string]bool{"a": true})
	})
}

func TestStatusReadyAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verdicts := []Verdict{
			{Outcome: Retry, Text: "503"},
			{Outcome: Retry, Text: "503"},
			{Outcome: Misconfigured, Text: "401 Unauthorized"},
			{Outcome: Acknowledged, Text: "200"},
			{Outcome: Acknowledged, Text: "200"},
		}
		var text strings.Builder
		n := 0
		sink := &scripted{verdict: func([]string) Verdict { n++; return verdicts[n-1] }}
		e := New(sink, Config{Endpoint: "http://r:4318/v1/logs", Log: slog.New(slog.NewTextHandler(&text, nil))}).Start()
		l := newLedger()
		l.put(e, "a")
		time.Sleep(30 * time.Second)
		if ok, why := e.Ready(); ok || why != "receiver http://r:4318/v1/logs refuses everything: 401 Unauthorized" {
			t.Errorf("ready: got %v %q", ok, why)
		}
		if s := e.Status(); s.Outcome != Misconfigured || s.Failures != 3 || s.Queued != 1 || s.NextTry.IsZero() || !s.LastSuccess.IsZero() {
			t.Errorf("status: got %+v", s)
		}
		time.Sleep(time.Minute)
		l.put(e, "b")
		_ = e.Shutdown(t.Context())
		if s := e.Status(); s.Outcome != Acknowledged || s.Failures != 0 || s.Delivered != 2 || s.Queued != 0 || s.QueuedBytes != 0 || s.LastSuccess.IsZero() {
			t.Errorf("status: got %+v", s)
		}
		if ok, _ := e.Ready(); !ok {
			t.Error("not ready although all is well")
		}
		if lines := strings.Count(text.String(), "\n"); lines != 3 {
			t.Errorf("log: got %d lines, want one for each change of verdict:\n%s", lines, text.String())
		}
	})
}
