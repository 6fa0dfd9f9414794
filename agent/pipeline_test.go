package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/incident"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
)

// street is a pipeline with a receiver at its end that takes all, or nothing.
type street struct {
	*pipeline

	mu       sync.Mutex
	rejects  bool
	taken    []export.Record
	rejected []string // names of records
}

func newStreet(t *testing.T) *street {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(telemetry.Config{Log: log, Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s := &street{}
	a := &Agent{metrics: tel.Metrics()}
	s.pipeline = newPipeline(Default(), Node{Name: "node-a"}, export.New(s, export.Config{Settled: a.settled}).Start(), a.metrics, log)
	a.pipe = s.pipeline
	s.moved = func() {}
	s.enricher = enrich.New(enrich.Config{Socket: enrich.Off, HostRoot: "/", Log: log})
	return s
}

func (s *street) Export(_ context.Context, batch []export.Record) export.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rejects {
		if len(batch) == 1 { // or it is sent again in two parts
			s.rejected = append(s.rejected, batch[0].Name)
		}
		return export.Verdict{Outcome: export.Rejected}
	}
	s.taken = append(s.taken, batch...)
	return export.Verdict{Outcome: export.Acknowledged}
}

// told ends the pipeline and returns the bodies of the records of a name.
func (s *street) told(name string) (bodies []string) {
	s.flush(context.Background(), time.Now())
	s.exporter.Shutdown(context.Background())
	for _, r := range s.taken {
		if r.Name == name {
			bodies = append(bodies, r.Body)
		}
	}
	return bodies
}

// ends concludes a pull of an image, written in one way, that has failed or succeeded now.
func (s *street) ends(uid, ref, image string, succeeded bool) {
	s.pipeline.mu.Lock()
	defer s.pipeline.mu.Unlock()
	a := attempt.Attempt{UID: uid, Ref: ref, Image: image, End: time.Now(), Succeeded: succeeded}
	if !succeeded {
		a.Failure = &detect.Failure{Text: "EOF"}
	}
	s.conclude(enrichItem{attempt: &a}, enrich.Facts{}, time.Now())
}

// A loss that was told of a moment ago waits for a minute, unless there will be no later.
func TestLossesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.lost(logtail.Loss{Source: "file:/x", Reason: logtail.LostRotation, Count: 1})
		s.turn(time.Now())
		time.Sleep(10 * time.Second)
		s.lost(logtail.Loss{Source: "file:/x", Reason: logtail.LostRotation, Count: 1000})
		s.turn(time.Now())
		if got := s.told(export.EventDataLoss); len(got) != 2 {
			t.Errorf("got %q, want a record of 1 loss and one of 1000", got)
		}
	})
}

// That a record was rejected is told once the receiver takes records: until then each record
// that tells it would be the next one that is rejected.
func TestRejectedLossesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		reject := func(rejects bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.rejects = rejects
		}
		reject(true)
		s.ends("failed-1", "r.example/app:1", "r.example/app:1", false)
		s.lost(logtail.Loss{Source: "file:/x", Reason: logtail.LostRotation, Count: 1})
		for range 60 {
			s.turn(time.Now())
			time.Sleep(time.Minute)
		}
		slices.Sort(s.rejected)
		if diff := cmp.Diff([]string{export.EventDataLoss, export.EventAbandoned, export.EventFailed}, s.rejected); diff != "" {
			t.Errorf("rejected in an hour (-want +got):\n%s", diff)
		}
		reject(false)
		s.ends("failed-2", "r.example/app:1", "r.example/app:1", false)
		time.Sleep(time.Minute)
		s.turn(time.Now())
		synctest.Wait()
		want := []string{"lost log data: rejected, 3 times; records were not delivered"}
		if diff := cmp.Diff(want, s.told(export.EventDataLoss)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// Every bound that is hit is told, also those of what is remembered.
func TestEvictedIncidentsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.incidents = incident.NewStore(incident.Config{AbandonAfter: time.Hour, MaxOpen: 1})
		for i := range 3 {
			ref := fmt.Sprint("r.example/app:", i)
			s.ends(ref, ref, ref, false)
		}
		s.turn(time.Now())
		want := []string{"lost log data: incident_evicted, 2 times; more incidents than incidents.max_open were open, or than there is memory for"}
		if diff := cmp.Diff(want, s.told(export.EventDataLoss)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// Without a state folder the incidents that have ended are forgotten all the same.
func TestEndedIncidentsAreForgottenWithoutState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		p := &positions{pipe: s.pipeline, log: s.log, moved: make(chan struct{}, 1), passed: make(chan struct{}, 1)}
		s.moved = p.note
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		for i := range 100 {
			s.ends(fmt.Sprint("failed-", i), "r.example/app:1", "r.example/app:1", false)
			s.ends(fmt.Sprint("succeeded-", i), "r.example/app:1", "r.example/app:1", true)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		s.turn(time.Now())
		if ids, ended := len(s.arrivals.ids), len(s.incidents.Save()); ids > 0 || ended > 0 {
			t.Errorf("%d ids of incidents and %d ended incidents are kept, want none", ids, ended)
		}
		cancel()
		s.told("")
	})
}

// The page of an outage that is over shows its own attempts, in whatever way their image
// was written, and not those of the next one.
func TestAttemptsOfAnIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		const ref = "docker.io/library/nginx:bad"
		s.ends("first", ref, ref, false) // as containerd writes it
		time.Sleep(time.Minute)
		s.ends("second", ref, "nginx:bad", false) // as the kubelet does
		time.Sleep(time.Minute)
		s.ends("success", ref, ref, true)
		time.Sleep(time.Minute)
		s.ends("another", ref, ref, false)
		h := history{s.pipeline}
		closed := h.Closed(incident.Place{}, 1)
		attempts := h.Attempts(debug.AttemptQuery{Incident: closed[0].ID, Limit: 10})
		var got []string
		for _, a := range attempts {
			got = append(got, a.UID)
		}
		if diff := cmp.Diff([]string{"second", "first"}, got); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		s.told("")
	})
}
