package export

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoff(t *testing.T) {
	tests := []struct {
		name     string
		verdict  Verdict
		low, top []time.Duration // of the waits between tries
	}{
		{
			name:    "doubles to a minute, with jitter",
			verdict: Verdict{Outcome: Retry},
			low:     []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second},
			top:     []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute},
		},
		{
			name:    "as the receiver asks",
			verdict: Verdict{Outcome: Retry, After: 90 * time.Second},
			low:     []time.Duration{90 * time.Second, 90 * time.Second},
			top:     []time.Duration{90 * time.Second, 90 * time.Second},
		},
		{
			name:    "not for as long as a receiver likes",
			verdict: Verdict{Outcome: Retry, After: 24 * time.Hour},
			low:     []time.Duration{15 * time.Minute},
			top:     []time.Duration{15 * time.Minute},
		},
		{
			name:    "a minute where something is to be put right",
			verdict: Verdict{Outcome: Misconfigured},
			low:     []time.Duration{time.Minute, time.Minute},
			top:     []time.Duration{time.Minute, time.Minute},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := len(tt.low)
				sink := &scripted{verdict: func([]string) Verdict {
					if left--; left >= 0 {
						return tt.verdict
					}
					return Verdict{Outcome: Acknowledged}
				}}
				l := newLedger()
				e := New(sink, Config{Settled: l.settled}).Start()
				l.put(e, "a")
				time.Sleep(time.Hour)
				_ = e.Shutdown(t.Context())
				tries := sink.got()
				if len(tries) != len(tt.low)+1 {
					t.Fatalf("tries: got %d, want %d", len(tries), len(tt.low)+1)
				}
				for i := range tt.low {
					if wait := tries[i+1].At - tries[i].At; wait < tt.low[i] || wait > tt.top[i] {
						t.Errorf("wait %d: got %v, want %v to %v", i, wait, tt.low[i], tt.top[i])
					}
				}
				l.check(t, map[string]bool{"a": true})
			})
		})
	}
}

func TestPoisonIsFoundAndDropped(t *testing.T) {
	tests := []struct {
		name   string
		poison []string
		tries  int // more than this would be more than halving needs
	}{
		{name: "one", poison: []string{"37"}, tries: 2*7 + 2},
		{name: "first and last", poison: []string{"1", "63"}, tries: 2*2*7 + 2},
		{name: "all", poison: ids(0, 64), tries: 2*64 + 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				sink := &scripted{verdict: func(batch []string) Verdict {
					<-gate
					for _, id := range batch {
						if slices.Contains(tt.poison, id) {
							return Verdict{Outcome: Rejected, Text: "bad"}
						}
					}
					return Verdict{Outcome: Acknowledged}
				}}
				l := newLedger()
				e := New(sink, Config{Settled: l.settled}).Start()
				l.put(e, ids(0, 64)...)
				close(gate)
				synctest.Wait()
				_ = e.Shutdown(t.Context())
				want := map[string]bool{}
				for _, id := range ids(0, 64) {
					want[id] = !slices.Contains(tt.poison, id)
				}
				l.check(t, want)
				if l.by[Refused] != len(tt.poison) || l.by[Delivered] != 64-len(tt.poison) {
					t.Errorf("counted: got %v", l.by)
				}
				if n := len(sink.got()); n > tt.tries {
					t.Errorf("tries: got %d, want at most %d", n, tt.tries)
				}
			})
		})
	}
}

func TestPartialSuccessIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &scripted{verdict: func([]string) Verdict { return Verdict{Outcome: Acknowledged, Refused: 1} }}
		l := newLedger()
		e := New(sink, Config{Settled: l.settled}).Start()
		l.put(e, "a")
		synctest.Wait()
		l.put(e, "b", "c")
		_ = e.Shutdown(t.Context())
		if len(l.done) != 3 || l.by[Delivered]+l.by[Refused] != 3 || l.by[Refused] == 0 {
			t.Errorf("settled %v, counted %v", l.done, l.by)
		}
	})
}

// TestHalvingGoesOnAfterARetry: a receiver that goes away in the middle of the
// search is not sent the whole batch again.
func TestHalvingGoesOnAfterARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outcomes := []Outcome{Rejected, Retry, Retry, Acknowledged, Rejected, Rejected, Acknowledged}
		gate := make(chan struct{})
		n := 0
		sink := &scripted{verdict: func([]string) Verdict {
			<-gate
			n++
			return Verdict{Outcome: outcomes[n-1]}
		}}
		l := newLedger()
		e := New(sink, Config{Settled: l.settled}).Start()
		l.put(e, "first")
		synctest.Wait()
		outcomes = append([]Outcome{Acknowledged}, outcomes...)
		l.put(e, ids(0, 4)...)
		close(gate)
		time.Sleep(time.Minute)
		_ = e.Shutdown(t.Context())
		var got [][]string
		for _, try := range sink.got()[1:] {
			got = append(got, try.IDs)
		}
		want := [][]string{{"0", "1", "2", "3"}, {"0", "1"}, {"0", "1"}, {"0", "1"}, {"2", "3"}, {"2"}, {"3"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		l.check(t, map[string]bool{"first": true, "0": true, "1": true, "2": false, "3": true})
	})
}

// A sink, or a disk, that does not return in spite of its end does not keep the agent from
// stopping.
func TestShutdownWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letGo := make(chan struct{})
		sink := &scripted{verdict: func([]string) Verdict {
			<-letGo
			return Verdict{Outcome: Retry}
		}}
		l := newLedger()
		e := New(sink, Config{Endpoint: "http://r", Settled: l.settled}).Start()
		l.put(e, "a")
		begin := time.Now()
		err := e.Shutdown(t.Context())
		if err == nil || err.Error() != "drain records: delivery to http://r, or storing, hangs; it is given up" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != DrainTime+abortTime {
			t.Errorf("got %s, want %s", took, DrainTime+abortTime)
		}
		close(letGo)
		synctest.Wait()
		l.check(t, map[string]bool{"a": false})
	})
}

// A receiver that was away is back with the first record that it takes, whatever it says
// of others before.
func TestBack(t *testing.T) {
	for _, tt := range []struct {
		name     string
		verdicts []Outcome
		want     int
	}{
		{"it never was away", []Outcome{Acknowledged, Rejected, Acknowledged}, 0},
		{"away", []Outcome{Acknowledged, Retry, Retry}, 0},
		{"back", []Outcome{Retry, Acknowledged, Acknowledged}, 1},
		{"back, and it does not like a record", []Outcome{Misconfigured, Rejected, Rejected, Acknowledged}, 1},
		{"twice", []Outcome{Retry, Acknowledged, Rejected, Retry, Rejected, Acknowledged}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, back := tt.verdicts, 0
				sink := &scripted{verdict: func([]string) Verdict {
					if len(left) == 0 { // it stays as it is
						return Verdict{Outcome: tt.verdicts[len(tt.verdicts)-1]}
					}
					v := Verdict{Outcome: left[0]}
					left = left[1:]
					return v
				}}
				e := New(sink, Config{Back: func() { back++ }}).Start()
				for i := 0; len(left) > 0; i++ {
					if e.Status().Queued == 0 {
						e.Enqueue(Record{UID: fmt.Sprint(i)}, nil)
					}
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if back != tt.want {
					t.Errorf("got %d calls, want %d", back, tt.want)
				}
				_ = e.Shutdown(t.Context())
			})
		})
	}
}
