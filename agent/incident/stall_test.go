package incident_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// stalls is a pull in flight that makes no progress.
func stalls(s *story, image string) incident.Change {
	a := attempt.Attempt{UID: "in-flight", Image: "app:v1", Ref: image, Registry: "registry.example.com", Stalled: true, Unfinished: true}
	var told []incident.Change
	s.store.Stall(a, diagnose.Diagnosis{Cause: diagnose.Stalled, Detail: "no_progress"}, s.now, func(c incident.Change) { told = append(told, c) })
	if len(told) != 1 {
		panic("told not once")
	}
	return told[0]
}

func TestStallWithoutAnOutage(t *testing.T) {
	s := newStory(incident.Config{})
	c := stalls(s, image)
	if c.Kind != incident.Stalled || c.Diagnosis.Cause != diagnose.Stalled || c.Attempt == nil || c.Attempt.UID != "in-flight" || !c.At.Equal(start) {
		t.Errorf("got %+v", c)
	}
	want := incident.Incident{Image: "app:v1", Ref: image, Registry: "registry.example.com"}
	if diff := cmp.Diff(want, c.Incident); diff != "" {
		t.Errorf("incident (-want +got):\n%s", diff)
	}
	if got := s.store.Open(); len(got) != 0 {
		t.Errorf("a pull that has not failed opens an incident: %+v", got)
	}
}

func TestStallWithinAnOutage(t *testing.T) {
	s := newStory(incident.Config{})
	s.fails(image, diagnose.DNS, "web-0")
	s.fails(image+"-other", diagnose.DNS)
	s.wait(time.Minute)
	before := s.store.Open()
	c := stalls(s, image)
	if c.Incident.ID == "" || c.Incident.Attempts != 1 || len(c.Incident.Pods) != 1 || c.Incident.Diagnosis.Cause != diagnose.DNS {
		t.Errorf("got incident %+v, want that of the image", c.Incident)
	}
	if diff := cmp.Diff(before, s.store.Open()); diff != "" {
		t.Errorf("the store is not as it was (-before +after):\n%s", diff)
	}
	// What is told is a copy: it is sent on later.
	c.Incident.Pods[0].Name = "changed"
	if diff := cmp.Diff(before, s.store.Open()); diff != "" {
		t.Errorf("it shares memory with the store (-before +after):\n%s", diff)
	}
	s.succeeds(image)
	if got, want := s.told[len(s.told)-1], "recovered dns #1 since 0 pods 1 after 1m0s, unknown"; got != want {
		t.Errorf("afterwards: got %q, want %q", got, want)
	}
}

// It keeps no incident alive, and is none of the attempts that are counted.
func TestStallDoesNotHoldAnIncident(t *testing.T) {
	s := newStory(incident.Config{})
	s.fails(image, diagnose.DNS)
	s.wait(14 * time.Minute)
	stalls(s, image)
	s.wait(time.Minute)
	want := []string{"failed dns #1 since 1 pods 0", "abandoned dns #1 since 0 pods 0"}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
