package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/incident"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
)

// syncPodLine is what kubelet v1.37.2 (pkg/kubelet/pod_workers.go) prints about a pod
// whose containers all lack their image.
func syncPodLine(pod string, containers, errorBytes int) string {
	pad := strings.Repeat("x", errorBytes)
	var all []string
	for i := range containers {
		image := fmt.Sprintf("registry.example.com/team/%s:%d", pod, i)
		all = append(all, fmt.Sprintf(`failed to \"StartContainer\" for \"c%d\" with ErrImagePull: \"failed to pull and unpack image \\\"%s\\\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/%s/manifests/%d: 403 Forbidden\\ndenied: %s\"`, i, image, pod, i, pad))
	}
	return fmt.Sprintf(`E1124 10:00:00.203000   21023 pod_workers.go:1338] "Error syncing pod, skipping" err="[%s]" pod="shop/%s" podUID="0d2a6b0e-43a3-4f0e-9b43-1b1f0ac3c6f1"`, strings.Join(all, ", "), pod)
}

// slowReceiver acknowledges each batch after a while and counts the failed pulls in it.
type slowReceiver struct {
	failed, delivered, most, dropped atomic.Int64
	queued                           func() int
}

func (r *slowReceiver) Export(ctx context.Context, batch []export.Record) export.Verdict {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
	r.most.Store(max(r.most.Load(), int64(r.queued())))
	for _, record := range batch {
		r.delivered.Add(1)
		if record.Name == export.EventFailed {
			r.failed.Add(1)
		}
	}
	return export.Verdict{Outcome: export.Acknowledged}
}

// burstAgent is a pipeline that delivers to r, and the handler of a kubelet's log.
func burstAgent(t *testing.T, r *slowReceiver) (*pipeline, *handler) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(telemetry.Config{Log: log, Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	exporter := export.New(r, export.Config{Settled: func(result export.Result, n int) {
		if result == export.QueueFull {
			r.dropped.Add(int64(n))
		}
	}})
	r.queued = func() int { return exporter.Status().QueuedBytes }
	p := newPipeline(Default(), Node{Name: "node-a"}, exporter.Start(), tel.Metrics(), log)
	p.moved = func() {}
	p.enricher = enrich.New(enrich.Config{Socket: enrich.Off, HostRoot: "/", Log: log})
	h := &handler{ctx: t.Context(), source: "file:/kubelet.log", pipe: p, guard: openCrashGuard("", p.log), moved: func() {}, passed: func(int64) {}}
	return p, h
}

// Lines that report many failures each must not push records out of the queue: a healthy
// receiver gets them all, and the queue stays small.
func TestBurstOfFailuresInFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReceiver{}
		p, h := burstAgent(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		go p.enricher.Run(ctx)
		go p.gather(ctx)
		const pods, containers = 15, 50
		pos := int64(0)
		for i := range pods {
			line := syncPodLine(fmt.Sprintf("web-%d", i), containers, 6000)
			h.Handle(logtail.Record{
				Body: []byte(line), Observed: time.Now(), Program: "kubelet", Source: "file:/kubelet.log",
				Pos: logtail.Position{Source: "file:/kubelet.log", Offset: pos}, End: logtail.Position{Source: "file:/kubelet.log", Offset: pos + int64(len(line))},
			})
			pos += int64(len(line)) + 1
		}
		for range 60 {
			time.Sleep(time.Second)
			p.turn(time.Now())
		}
		if n := r.dropped.Load(); n > 0 {
			t.Errorf("%d records were dropped because the queue was full", n)
		}
		if n := r.failed.Load(); n != pods*containers {
			t.Errorf("got %d failed pulls, want %d", n, pods*containers)
		}
		if most := r.most.Load(); most > 2<<20 {
			t.Errorf("the queue held %d bytes", most)
		}
		cancel()
		p.flush(context.Background(), time.Now())
		p.exporter.Shutdown(context.Background())
	})
}

// Thousands of outages may end in one moment, as after a night in which the node was down.
func TestBurstOfAbandonedIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReceiver{}
		p, _ := burstAgent(t, r)
		const outages = 10_000
		s := &street{pipeline: p}
		p.incidents = incident.NewStore(incident.Config{AbandonAfter: time.Minute, MaxOpen: outages})
		for i := range outages {
			ref := fmt.Sprint("registry.example.com/team/app:", i)
			s.ends(ref, ref, ref, false)
			if i%100 == 0 {
				p.exporter.WaitRoom(t.Context())
			}
		}
		for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
			next := p.turn(time.Now())
			time.Sleep(time.Until(next))
		}
		if n, dropped := r.delivered.Load(), r.dropped.Load(); dropped > 0 || n != 2*outages {
			t.Errorf("got %d records, want %d; %d were dropped because the queue was full", n, 2*outages, dropped)
		}
		p.flush(context.Background(), time.Now())
		p.exporter.Shutdown(context.Background())
	})
}

// Each of thousands of sources may have lost something in one moment.
func TestBurstOfLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReceiver{}
		p, _ := burstAgent(t, r)
		const sources = 5000
		for i := range sources {
			p.lost(logtail.Loss{Source: fmt.Sprint("file:/var/log/containers/", i), Reason: logtail.LostPosition, Count: 1})
		}
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			next := p.turn(time.Now())
			time.Sleep(time.Until(next))
		}
		if n, dropped := r.delivered.Load(), r.dropped.Load(); dropped > 0 || n != sources {
			t.Errorf("got %d records, want %d; %d were dropped because the queue was full", n, sources, dropped)
		}
		p.flush(context.Background(), time.Now())
		p.exporter.Shutdown(context.Background())
	})
}
