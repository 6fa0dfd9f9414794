//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/logtail/journal/journaltest"
	"pullcause/test/lab"
)

// recordWait is how long records may take that are due after the last pull.
const recordWait = 20 * time.Second

// building is held while the lab builds containerd.
var building sync.Mutex

func TestPulls(t *testing.T) {
	requireRoot(t)
	t.Run("containerd 2.4", func(t *testing.T) {
		t.Parallel()
		testPulls(t, lab.Options{Containerd: build(t)})
	})
	t.Run("containerd 2.4, journal", func(t *testing.T) {
		t.Parallel()
		if _, err := journaltest.Host(); err != nil {
			cannot(t, err.Error())
		}
		testPulls(t, lab.Options{Containerd: build(t), Journal: true})
	})
	t.Run("containerd of the distribution", func(t *testing.T) {
		t.Parallel()
		c, err := lab.Install(t.Context(), t.Logf)
		if err != nil {
			cannot(t, err.Error())
		}
		testPulls(t, lab.Options{Containerd: c})
	})
}

// build returns containerd 2.4; where two tests need it the second one waits.
func build(t *testing.T) lab.Containerd {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	c, err := lab.Build(t.Context(), bin, t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	return c
}

func testPulls(t *testing.T, o lab.Options) {
	o.Logf = t.Logf
	c := o.Containerd
	node, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	scenarios := lab.Scenarios()
	receiver := listen(t)
	logs := logsOf(node)
	agent := startAgent(t, logs, receiver)
	results := map[string]lab.Result{}
	err = node.Run(t.Context(), scenarios, func(s lab.Scenario, r lab.Result) { results[s.Name] = r })
	if err != nil {
		t.Fatal(err)
	}
	records := collect(t, receiver, agent, expected(c, scenarios))
	if diff := cmp.Diff(logs.sources, agent.sources(t)); diff != "" {
		t.Errorf("sources that were read (-want +got):\n%s", diff)
	}
	whole(t, c, scenarios, records)
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			check(t, s.Expect(c), results[s.Name].Err, records[s.Image])
		})
		delete(records, s.Image)
	}
	for image, rest := range records {
		t.Errorf("%d records about %q, which nobody pulled: %s", len(rest), image, rest[0].Body)
	}
	t.Run("a replay yields the same uids", func(t *testing.T) {
		again := listen(t)
		replay := startAgent(t, logs, again)
		collect(t, again, replay, expected(c, scenarios))
		if diff := cmp.Diff(uids(receiver.Records()), uids(again.Records())); diff != "" {
			t.Errorf("uids by image (-first +replay):\n%s", diff)
		}
	})
}

// whole compares the records of all scenarios with their golden text. It is the same
// however the runtime's lines are read.
func whole(t *testing.T, c lab.Containerd, scenarios []lab.Scenario, records map[string][]otlptest.Record) {
	t.Helper()
	var names []string
	named := map[string][]otlptest.Record{}
	for _, s := range scenarios {
		names = append(names, s.Name)
		named[s.Name] = records[s.Image]
	}
	golden(t, "containerd-"+c.Version, names, named)
}

// expected is how many scenarios are to be reported.
func expected(c lab.Containerd, scenarios []lab.Scenario) int {
	n := 0
	for _, s := range scenarios {
		if s.Expect(c).Cause != "" {
			n++
		}
	}
	return n
}

// collect waits for n records, lets the agent send whatever else it has, and
// returns the records by image.
func collect(t *testing.T, r *otlptest.Receiver, a *process, n int) map[string][]otlptest.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recordWait)
	defer cancel()
	if _, err := r.WaitNamed(ctx, export.EventFailed, n); err != nil {
		t.Error(err)
	}
	a.stop(t)
	if err := r.Problems(); err != nil {
		t.Errorf("the receiver refused records: %v", err)
	}
	records := map[string][]otlptest.Record{}
	for _, record := range r.Records() {
		if record.Name == export.EventImageCache {
			continue
		}
		image := text(record, export.ImageRefKey)
		records[image] = append(records[image], record)
	}
	return records
}

func check(t *testing.T, want lab.Outcome, answer error, records []otlptest.Record) {
	t.Helper()
	if (answer == nil) != (want.Cause == "") {
		t.Fatalf("the runtime answered %v, want cause %q: the lab does not do what it says", answer, want.Cause)
	}
	if want.Cause == "" {
		if len(records) > 0 {
			t.Errorf("got a record for a pull that succeeded: %s", records[0].Body)
		}
		return
	}
	if len(records) != 1 {
		t.Fatalf("got %d records, want 1, for: %v", len(records), answer)
	}
	record := records[0]
	if record.Name != export.EventFailed {
		t.Errorf("event: got %q, want %q", record.Name, export.EventFailed)
	}
	got := outcome(t, record)
	if want.Hosts == nil {
		got.Hosts = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s\nbody: %s\nerror: %v", diff, record.Body, answer)
	}
}

// outcome is what a record tells.
func outcome(t *testing.T, r otlptest.Record) lab.Outcome {
	t.Helper()
	status, _ := r.Attributes[export.HTTPStatusKey].(int64) // absent is 0
	o := lab.Outcome{Cause: text(r, export.ErrorTypeKey), Detail: text(r, export.CauseDetailKey), Status: int(status)}
	list := text(r, export.HostsKey)
	if list == "" {
		return o
	}
	var hosts []struct{ Host string }
	if err := json.Unmarshal([]byte(list), &hosts); err != nil {
		t.Fatalf("%s is no JSON array: %v: %s", export.HostsKey, err, list)
	}
	for _, h := range hosts {
		o.Hosts = append(o.Hosts, h.Host)
	}
	return o
}

func uids(records []otlptest.Record) map[string]string {
	all := map[string]string{}
	for _, r := range records {
		if r.Name == export.EventImageCache {
			continue
		}
		all[text(r, export.ImageRefKey)] = text(r, export.LogRecordUIDKey)
	}
	return all
}

func text(r otlptest.Record, key string) string {
	s, _ := r.Attributes[key].(string) // absent is empty
	return s
}

func listen(t *testing.T) *otlptest.Receiver {
	t.Helper()
	r, err := otlptest.ListenHTTP(otlptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
