package incident_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// A list is read page by page while attempts go on: no incident is missed or read twice.
func TestPagesOfLists(t *testing.T) {
	s := newStory(incident.Config{MaxOpen: 1000})
	var want []string
	for n := range 100 {
		s.fails(fmt.Sprint("image-", n), diagnose.DNS, "pod")
		want = append(want, fmt.Sprint("image-", n))
		if n%3 == 0 { // several are seen at the same time
			s.now = s.now.Add(time.Second)
		}
	}
	read := func(list func(incident.Place, int) []incident.Incident, between func()) (images []string) {
		var place incident.Place
		for {
			page := list(place, 7)
			if len(page) == 0 {
				return images
			}
			for n := range page {
				images = append(images, page[n].Image)
				place = page[n].Place()
			}
			between()
		}
	}
	got := read(s.store.OpenAfter, func() {
		s.now = s.now.Add(time.Second)
		s.fails("image-50", diagnose.DNS)
		s.fails(fmt.Sprint("new at ", s.now), diagnose.DNS)
	})
	if latest := []string{"image-97", "image-98", "image-99"}; !slices.Contains(latest, got[0]) {
		t.Errorf("the list begins with %s, want one of the latest: %v", got[0], latest)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	for _, image := range want {
		s.now = s.now.Add(time.Second)
		s.succeeds(image)
	}
	closed := read(s.store.ClosedAfter, func() {})
	slices.Reverse(closed)
	if diff := cmp.Diff(want, closed); diff != "" {
		t.Errorf("closed, the latest last (-want +got):\n%s", diff)
	}
	if open, closed := s.store.Len(); open != 15 || closed != 100 {
		t.Errorf("got %d open and %d closed", open, closed)
	}
}

// A page holds no more than was asked for, and nothing in it changes later.
func TestPageIsACopy(t *testing.T) {
	s := newStory(incident.Config{})
	s.fails(image, diagnose.DNS, "a")
	if got := s.store.OpenAfter(incident.Place{}, 0); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	got := s.store.OpenAfter(incident.Place{}, 10)[0]
	s.fails(image, diagnose.DNS, "b")
	if got.Attempts != 1 || len(got.Pods) != 1 {
		t.Errorf("the copy has %d attempts and %d pods, want 1 and 1", got.Attempts, len(got.Pods))
	}
}

func TestGroups(t *testing.T) {
	s := newStory(incident.Config{MaxOpen: 5000})
	for n := range 30 {
		s.fails(fmt.Sprint("image-", n), diagnose.DNS)
	}
	s.fails("other", diagnose.Unauthorized)
	want := map[incident.Group]int{{Cause: diagnose.DNS}: 30, {Cause: diagnose.Unauthorized}: 1}
	if diff := cmp.Diff(want, s.store.Groups()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := range 2000 {
		a := attempt.Attempt{Image: fmt.Sprint("i", n), Ref: fmt.Sprint("i", n), Registry: fmt.Sprint("r", n)}
		s.apply(a, diagnose.Diagnosis{Cause: diagnose.DNS})
	}
	if n := len(s.store.Groups()); n != 1000 {
		t.Errorf("%d groups, want 1000 at most", n)
	}
}

func TestIDOf(t *testing.T) {
	s := newStory(incident.Config{})
	failed := attempt.Attempt{Image: image, Ref: image, UID: "uid-1"}
	if got := s.store.IDOf(failed); got != "" {
		t.Errorf("got %q before there is an incident", got)
	}
	s.fails(image, diagnose.DNS)
	open := s.store.OpenAfter(incident.Place{}, 1)[0].ID
	if got := s.store.IDOf(failed); got != open {
		t.Errorf("got %q, want %q", got, open)
	}
	s.succeeds(image)
	if got := s.store.IDOf(failed); got != open {
		t.Errorf("got %q of an attempt that is read again, want %q", got, open)
	}
	s.fails(image, diagnose.DNS)
	if got := s.store.IDOf(failed); got == open || got == "" {
		t.Errorf("got %q, want the new incident's", got)
	}
}
