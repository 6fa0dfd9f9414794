package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

const image = "registry.example.com/team/app:v1"

// story drives a store on one clock and writes down what it tells.
type story struct {
	store *incident.Store
	now   time.Time
	told  []string
	n     int
}

func newStory(cfg incident.Config) *story {
	if cfg.AbandonAfter == 0 {
		cfg.AbandonAfter = 15 * time.Minute
	}
	if cfg.MaxOpen == 0 {
		cfg.MaxOpen = 100
	}
	return &story{store: incident.NewStore(cfg), now: start}
}

func (s *story) tell(c incident.Change) {
	line := fmt.Sprintf("%s %s #%d since %d pods %d", c.Kind, c.Diagnosis.Cause, c.Number, c.Since, len(c.Incident.Pods))
	if c.Kind == incident.CauseChanged {
		line += " was " + string(c.Previous.Cause)
	}
	if c.Kind == incident.Recovered {
		line += fmt.Sprintf(" after %s, %s", c.Incident.ClosedAt.Sub(c.Incident.FirstSeen), c.WhatChanged)
	}
	s.told = append(s.told, line)
}

func (s *story) apply(a attempt.Attempt, d diagnose.Diagnosis) {
	s.n++
	a.UID = fmt.Sprint("uid-", s.n)
	a.End = s.now
	s.store.Apply(a, d, s.now, s.tell)
}

func (s *story) fails(image string, cause diagnose.Cause, pods ...string) {
	a := attempt.Attempt{Image: image, Ref: image}
	for _, p := range pods {
		a.Pods = append(a.Pods, pod(p))
	}
	owner := ""
	if cause == diagnose.Unauthorized {
		owner = "credentials"
	}
	s.apply(a, diagnose.Diagnosis{Cause: cause, Owner: owner})
}

func (s *story) succeeds(image string) {
	s.apply(attempt.Attempt{Image: image, Ref: image, Succeeded: true}, diagnose.Diagnosis{})
}

func (s *story) backsOff(image string, pods ...string) {
	a := attempt.Attempt{Image: image, Ref: image, BackOff: true}
	for _, p := range pods {
		a.Pods = append(a.Pods, pod(p))
	}
	s.apply(a, diagnose.Diagnosis{Cause: diagnose.BackOff})
}

func (s *story) wait(d time.Duration) {
	s.now = s.now.Add(d)
	s.store.Expire(s.now, s.tell)
}

func pod(name string) attempt.Pod {
	return attempt.Pod{Pod: detect.Pod{Namespace: "shop", Name: name, UID: "uid-" + name}, Container: "app"}
}

// What happens to an image, and what is told of it.
var stories = []struct {
	name string
	play func(*story)
	want []string
}{
	{
		name: "recovery after new credentials",
		play: func(s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.wait(20 * time.Second)
			s.fails(image, diagnose.Unauthorized, "web-1")
			s.wait(40 * time.Second)
			s.succeeds(image)
			s.succeeds(image)
		},
		want: []string{
			"failed unauthorized #1 since 1 pods 1",
			"failed unauthorized #2 since 1 pods 2",
			"recovered unauthorized #2 since 0 pods 2 after 1m0s, new_credentials",
		},
	},
	{
		name: "a success without an outage says nothing",
		play: func(s *story) { s.succeeds(image) },
	},
	{
		name: "the cause changes",
		play: func(s *story) {
			s.fails(image, diagnose.Unauthorized)
			s.fails(image, diagnose.RegistryUnavailable)
		},
		want: []string{
			"failed unauthorized #1 since 1 pods 0",
			"cause_changed registry_unavailable #2 since 1 pods 0 was unauthorized",
			"failed registry_unavailable #2 since 1 pods 0",
		},
	},
	{
		name: "back-off keeps the cause and the incident alive",
		play: func(s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			for range 10 {
				s.wait(5 * time.Minute)
				s.backsOff(image, "web-0")
			}
			s.wait(14 * time.Minute)
			s.wait(time.Minute)
		},
		want: []string{
			"failed unauthorized #1 since 1 pods 1",
			"abandoned unauthorized #1 since 0 pods 1",
		},
	},
	{
		name: "the agent starts in the middle of an outage",
		play: func(s *story) {
			s.backsOff(image, "web-0")
			s.backsOff(image, "web-0")
			s.fails(image, diagnose.DNS, "web-0")
		},
		want: []string{
			"failed backoff #1 since 1 pods 1",
			"failed dns #2 since 1 pods 1",
		},
	},
	{
		name: "a back-off is heard of after its pod was deleted",
		play: func(s *story) {
			s.fails(image, diagnose.DNS, "web-0")
			s.store.PodGone(detect.Pod{UID: "uid-web-0"}, s.now, s.tell)
			s.backsOff(image, "web-0")
			s.wait(2 * time.Minute) // long enough for a pod of the same name
			s.backsOff(image, "web-0")
		},
		want: []string{
			"failed dns #1 since 1 pods 1",
			"abandoned dns #1 since 0 pods 0",
			"failed backoff #1 since 1 pods 1",
		},
	},
	{
		name: "the last pod that waited is deleted",
		play: func(s *story) {
			s.fails(image, diagnose.DNS, "web-0")
			s.fails(image, diagnose.DNS, "web-1")
			s.store.PodGone(detect.Pod{UID: "uid-web-0"}, s.now, s.tell)
			s.store.PodGone(detect.Pod{Namespace: "shop", Name: "web-1"}, s.now, s.tell)
		},
		want: []string{
			"failed dns #1 since 1 pods 1",
			"failed dns #2 since 1 pods 2",
			"abandoned dns #2 since 0 pods 0",
		},
	},
	{
		name: "a pod that was known by its uid alone is deleted",
		play: func(s *story) {
			unnamed := attempt.Pod{Pod: detect.Pod{UID: "uid-web-0"}, Container: "app"}
			s.apply(attempt.Attempt{Image: image, Ref: image, Pods: []attempt.Pod{unnamed}}, diagnose.Diagnosis{Cause: diagnose.DNS})
			s.fails(image, diagnose.DNS, "web-0")
			unnamed.Container = "other"
			s.apply(attempt.Attempt{Image: image, Ref: image, Pods: []attempt.Pod{unnamed}}, diagnose.Diagnosis{Cause: diagnose.DNS})
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
		},
		want: []string{
			"failed dns #1 since 1 pods 1",
			"failed dns #2 since 1 pods 1",
			"failed dns #3 since 1 pods 2",
			"abandoned dns #3 since 0 pods 0",
		},
	},
	{
		name: "a pod is deleted whose successor of the same name waits too",
		play: func(s *story) {
			s.fails(image, diagnose.DNS, "web-0")
			next := pod("web-0")
			next.UID = "uid-of-the-next"
			s.apply(attempt.Attempt{Image: image, Ref: image, Pods: []attempt.Pod{next}}, diagnose.Diagnosis{Cause: diagnose.DNS})
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
			s.store.PodGone(next.Pod, s.now, s.tell)
		},
		want: []string{
			"failed dns #1 since 1 pods 1",
			"failed dns #2 since 1 pods 2",
			"abandoned dns #2 since 0 pods 0",
		},
	},
}

func TestStories(t *testing.T) {
	for _, tt := range stories {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(incident.Config{})
			tt.play(s)
			if diff := cmp.Diff(tt.want, s.told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// Not every line tells the kind of a container: what is known stays.
func TestKindIsKept(t *testing.T) {
	store := incident.NewStore(incident.Config{AbandonAfter: time.Hour, MaxOpen: 10})
	p := pod("web-0")
	p.Kind = detect.KindInit
	add := func(backOff bool, p attempt.Pod) {
		a := attempt.Attempt{Ref: image, BackOff: backOff, Pods: []attempt.Pod{p}}
		store.Apply(a, diagnose.Diagnosis{Cause: diagnose.DNS}, time.Now(), func(incident.Change) {})
	}
	add(false, p)
	p.Kind = ""
	add(true, p)
	if got := store.Open()[0].Pods[0].Kind; got != detect.KindInit {
		t.Errorf("got kind %q, want %q", got, detect.KindInit)
	}
}

func TestAStormIsThinnedOut(t *testing.T) {
	numbers := func(cfg incident.Config, every time.Duration) string {
		s := newStory(cfg)
		for range 200 {
			s.fails(image, diagnose.DNS)
			s.now = s.now.Add(every)
		}
		var got []string
		for _, line := range s.told {
			n := strings.Fields(line)
			got = append(got, n[2]+"/"+n[4])
		}
		return strings.Join(got, " ")
	}
	const firstTen = "#1/1 #2/1 #3/1 #4/1 #5/1 #6/1 #7/1 #8/1 #9/1 #10/1"
	if got, want := numbers(incident.Config{}, time.Second), firstTen+" #20/10 #40/20 #80/40 #160/80"; got != want {
		t.Errorf("an attempt a second:\n got %s\nwant %s", got, want)
	}
	if got := numbers(incident.Config{}, 10*time.Minute); strings.Count(got, "/1") != 200 {
		t.Errorf("an attempt in 10 minutes must be told each time, got %s", got)
	}
	if got := numbers(incident.Config{All: true}, time.Second); strings.Count(got, "/1") != 200 {
		t.Errorf("with All each attempt must be told, got %s", got)
	}
}

// An outage whose cause comes and goes, as with a mirror that answers 503 and then times
// out, is a storm as any other; a cause that is new is told at once.
func TestAChangingCauseIsThinnedOut(t *testing.T) {
	s := newStory(incident.Config{})
	for range 500 {
		s.fails(image, diagnose.RegistryUnavailable)
		s.fails(image, diagnose.NetworkTimeout)
		s.wait(2 * time.Second)
	}
	if n := len(s.told); n > 40 {
		t.Errorf("%d records for 1000 attempts in 17 minutes, want at most 40", n)
	}
	s.told = nil
	s.fails(image, diagnose.DNS)
	if len(s.told) != 2 || !strings.HasPrefix(s.told[0], "cause_changed dns #1001 ") || !strings.HasPrefix(s.told[1], "failed dns #1001 ") {
		t.Errorf("told of a cause that is new: got %q, want its change and the attempt", s.told)
	}
}

// A cause that came back too soon to be told, and stays, is told later, as a change of what
// was told last.
func TestACauseThatStaysIsTold(t *testing.T) {
	s := newStory(incident.Config{})
	for range 12 {
		s.fails(image, diagnose.RegistryUnavailable)
		s.wait(time.Second)
	}
	s.fails(image, diagnose.NetworkTimeout)
	s.fails(image, diagnose.RegistryUnavailable)
	s.told = nil
	s.wait(5 * time.Minute)
	s.fails(image, diagnose.NetworkTimeout)
	s.restart(t)
	for range 3 {
		s.wait(5 * time.Minute)
		s.fails(image, diagnose.NetworkTimeout)
	}
	want := []string{
		"cause_changed network_timeout #16 since 2 pods 0 was registry_unavailable",
		"failed network_timeout #16 since 2 pods 0",
		"failed network_timeout #18 since 2 pods 0",
	}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// A line of a clock that was a day ahead must not silence those that follow.
func TestClockSetBack(t *testing.T) {
	s := newStory(incident.Config{})
	for range 9 {
		s.fails(image, diagnose.DNS)
	}
	s.now = s.now.Add(24 * time.Hour)
	s.fails(image, diagnose.DNS)
	s.now = s.now.Add(-24 * time.Hour)
	s.told = nil
	for range 4 {
		s.now = s.now.Add(5 * time.Minute)
		s.fails(image, diagnose.DNS)
	}
	want := []string{"failed dns #11 since 1 pods 0", "failed dns #13 since 2 pods 0"}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestBounds(t *testing.T) {
	s := newStory(incident.Config{MaxOpen: 10})
	for i := range 25 {
		s.fails(fmt.Sprintf("%s-%d", image, i), diagnose.DNS)
	}
	if got := len(s.store.Open()); got != 10 || s.store.Evicted() != 15 {
		t.Errorf("%d open, %d evicted; want 10 and 15", got, s.store.Evicted())
	}
	if got := s.store.Open()[0].Image; got != image+"-24" {
		t.Errorf("newest is %s", got)
	}
	for range 3 {
		for i := range incident.MaxPods + 7 {
			s.fails(image, diagnose.DNS, fmt.Sprint("web-", i))
		}
	}
	if got := s.store.Open()[0]; len(got.Pods) != incident.MaxPods || got.PodsDropped != 7 {
		t.Errorf("%d pods, %d dropped; want %d and 7", len(got.Pods), got.PodsDropped, incident.MaxPods)
	}
	s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
	s.fails(image, diagnose.DNS, fmt.Sprint("web-", incident.MaxPods))
	if got := s.store.Open()[0]; len(got.Pods) != incident.MaxPods || got.PodsDropped != 6 {
		t.Errorf("%d pods, %d dropped once there is room for one; want %d and 6", len(got.Pods), got.PodsDropped, incident.MaxPods)
	}
}

func TestLasted(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for _, tt := range []struct {
		name string
		i    incident.Incident
		want time.Duration
	}{
		{"open", incident.Incident{State: incident.Open, FirstSeen: at(0), LastSeen: at(5)}, 5 * time.Minute},
		{"recovered", incident.Incident{State: incident.StateRecovered, FirstSeen: at(0), LastSeen: at(5), ClosedAt: at(6)}, 6 * time.Minute},
		{"abandoned", incident.Incident{State: incident.StateAbandoned, FirstSeen: at(0), LastSeen: at(5), ClosedAt: at(20)}, 5 * time.Minute},
		{"the clock was set back", incident.Incident{State: incident.StateRecovered, FirstSeen: at(60), LastSeen: at(61), ClosedAt: at(1)}, 0},
		{"nothing is known", incident.Incident{LastSeen: at(5)}, 0},
	} {
		if got := tt.i.Lasted(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
