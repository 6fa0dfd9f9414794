package incident_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// long is a text of a length that nobody shares.
func long(size, i int) string {
	return strings.Repeat(fmt.Sprintf("%d says no and explains it at length; <p>\u2028", i), size/40+1)[:size]
}

// outage is the i-th failed attempt, of an image of its own.
func outage(i, errorSize, nameSize, pods int) (attempt.Attempt, diagnose.Diagnosis) {
	name := fmt.Sprintf("r.example.com/team/app%d%s:1", i, strings.Repeat("x", nameSize))
	a := attempt.Attempt{
		UID: fmt.Sprintf("%032d", i), Image: name, Ref: name, Registry: "r.example.com", End: start,
		Failure: &detect.Failure{Text: long(errorSize, i)},
	}
	for p := range pods {
		a.Pods = append(a.Pods, attempt.Pod{
			Pod:       detect.Pod{Namespace: "shop", Name: fmt.Sprintf("web-%d-%d%s", i, p, strings.Repeat("y", nameSize)), UID: fmt.Sprintf("%036d", p)},
			Container: "app", Reason: "ErrImagePull",
		})
	}
	return a, diagnose.Diagnosis{
		Cause: diagnose.Forbidden, Owner: "credentials", Summary: "403 Forbidden",
		Remedy: "Allow the pull of " + name + ". Then wait.", Action: "Allow the pull of " + name,
		Cache: &diagnose.Cache{OtherTags: []string{name + "-other"}},
	}
}

// Incidents may have errors of any length, names of any length, any number of pods, and end
// or go on: together they keep to a bound, and what goes is counted.
func TestIncidentsKeepToTheirMemory(t *testing.T) {
	const most = 10_000
	for name, c := range map[string]struct {
		incidents, errorSize, nameSize, pods int
		ended                                bool
		open                                 int // at least
		cut                                  bool
	}{
		"ordinary":                    {incidents: most, errorSize: 300, pods: 1, open: most, cut: true},
		"errors of 8 KiB":             {incidents: most, errorSize: 8 << 10, pods: 1, open: 9500, cut: true},
		"1,400 errors of 60 KB":       {incidents: 1400, errorSize: 60_000, pods: 1, open: 1400},
		"100 pods each":               {incidents: 5000, errorSize: 300, pods: 100, open: 2500, cut: true},
		"names of 1 KiB":              {incidents: most, errorSize: 300, nameSize: 1 << 10, pods: 2, open: 2000, cut: true},
		"everything":                  {incidents: 3000, errorSize: 8 << 10, nameSize: 1 << 10, pods: 100, open: 1500, cut: true},
		"ended, with errors of 8 KiB": {incidents: most, errorSize: 8 << 10, pods: 100, ended: true},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := incident.NewStore(incident.Config{AbandonAfter: time.Hour, MaxOpen: most})
			tell := func(incident.Change) {}
			now := start
			for i := range c.incidents {
				now = now.Add(time.Second)
				a, d := outage(i, c.errorSize, c.nameSize, c.pods)
				s.Apply(a, d, now, tell)
				if c.ended {
					s.Apply(attempt.Attempt{UID: "end" + a.UID, Ref: a.Ref, Succeeded: true, End: now}, diagnose.Diagnosis{}, now, tell)
				}
			}
			if grown := heap() - before; grown > 24<<20 {
				t.Errorf("the heap has grown by %d bytes, want at most 24 MiB", grown)
			}
			open := s.Open()
			if len(open) < c.open || !c.ended && len(open)+int(s.Evicted()) != c.incidents {
				t.Errorf("got %d open incidents and %d evicted ones of %d, want %d open", len(open), s.Evicted(), c.incidents, c.open)
			}
			if (s.Cut() > 0) != c.cut && !c.ended {
				t.Errorf("got %d incidents without their details, want some: %v", s.Cut(), c.cut)
			}
			if !c.ended && len(open[0].LastError) != min(c.errorSize, 8<<10) {
				t.Errorf("the newest has an error of %d bytes, want it whole", len(open[0].LastError))
			}
			saves(t, s)
			if sum := s.Size(); sum < 0 || sum > 15<<20 {
				t.Errorf("counted %d bytes, want at most 15 MiB", sum)
			}
			s.Expire(now.Add(24*time.Hour), tell)
			for _, i := range s.Closed() {
				s.Arrived(i.ID)
			}
		})
	}
}

// saves checks that what is saved is not much larger than what is kept.
func saves(t *testing.T, s *incident.Store) {
	t.Helper()
	s.UnsaveAll()
	sum, all := 0, 0
	for saved, _ := s.TakeUnsaved(100); len(saved) > 0; saved, _ = s.TakeUnsaved(100) {
		for i := range saved {
			text, err := json.Marshal(saved[i])
			if err != nil {
				t.Fatal(err)
			}
			sum, all = sum+len(text), all+1
			if len(text) > 128<<10 {
				t.Errorf("an incident takes %d bytes of JSON", len(text))
			}
		}
	}
	if all < len(s.Open()) || sum > 32<<20 {
		t.Errorf("saved %d incidents in %d bytes, want %d in at most 32 MiB", all, sum, len(s.Open()))
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// After everything is gone nothing counts: else the bound would shrink with time.
func TestSizeReturnsToNothing(t *testing.T) {
	s := incident.NewStore(incident.Config{AbandonAfter: time.Minute, MaxOpen: 50})
	tell := func(incident.Change) {}
	now := start
	for i := range 5000 {
		now = now.Add(time.Second)
		a, d := outage(i%200, 100+i%9000, i%50, i%7)
		a.UID = fmt.Sprint("uid-", i)
		s.Apply(a, d, now, tell)
		switch {
		case i%5 == 0:
			a.UID, a.Succeeded = a.UID+"end", true
			s.Apply(a, diagnose.Diagnosis{}, now, tell)
		case i%7 == 0 && len(a.Pods) > 0:
			s.PodGone(a.Pods[0].Pod, now, tell)
		case i%100 == 0:
			s.Expire(now, tell)
		}
	}
	closed := 0
	for ; closed < 2; closed++ {
		now = now.Add(time.Hour)
		s.Expire(now, tell)
		for _, i := range s.Closed() {
			s.Arrived(i.ID)
		}
	}
	now = now.Add(time.Hour)
	s.Expire(now, tell)
	s.ForgetClosed()
	if got := s.Size(); got != 0 || len(s.Save()) != 0 {
		t.Errorf("counted %d bytes of %d incidents, want none", got, len(s.Save()))
	}
}

// Only what has changed is saved again.
func TestUnsaved(t *testing.T) {
	s := newStory(incident.Config{MaxOpen: 2})
	taken := func(want ...string) {
		t.Helper()
		got := []string{}
		saved, gone := s.store.TakeUnsaved(100)
		for _, i := range saved {
			got = append(got, i.Incident.Image+" "+string(i.Incident.State))
		}
		for range gone {
			got = append(got, "gone")
		}
		if diff := cmp.Diff(want, got, cmp.Transformer("list", func(s []string) string { return strings.Join(s, ", ") })); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	taken()
	s.fails("a", diagnose.DNS, "web-0")
	s.fails("b", diagnose.DNS)
	s.fails("a", diagnose.DNS)
	if got := s.store.Unsaved(); got != 2 {
		t.Errorf("got %d that are not saved, want 2", got)
	}
	taken("a open", "b open")
	taken()
	s.backsOff("a", "web-1")
	taken("a open")
	s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
	taken("a open")
	s.succeeds("a")
	taken("a recovered")
	id := s.store.Closed()[0].ID
	s.store.Arrived(id)
	taken("a recovered")
	s.fails("c", diagnose.DNS)
	s.fails("d", diagnose.DNS) // which evicts b
	taken("c open", "d open", "gone")
	s.wait(11 * time.Minute) // a is forgotten
	taken("gone")
	s.store.UnsaveAll()
	taken("d open", "c open")
	s.restart(t)
	taken()
}
