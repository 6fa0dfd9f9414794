package incident_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// restart is what becomes of a store when the agent is killed and started again.
func (s *story) restart(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(s.store.Save())
	if err != nil {
		t.Fatal(err)
	}
	var saved []*incident.Saved
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	s.store = incident.NewStore(incident.Config{AbandonAfter: 15 * time.Minute, MaxOpen: 100})
	s.store.Restore(saved, s.now)
}

// again reads the n last attempts again, as an agent does that was killed before it
// could store that it had read them.
func (s *story) again(play func()) {
	n := s.n
	s.n--
	play()
	s.n = n
}

const failed1, failed2 = "failed unauthorized #1 since 1 pods 1", "failed unauthorized #2 since 1 pods 2"

// What happens around a restart, and what is told of it.
var restarts = map[string]struct {
	play func(*testing.T, *story)
	want []string
}{
	"recovery": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.restart(t)
			s.wait(time.Minute)
			s.succeeds(image)
		},
		want: []string{failed1, "recovered unauthorized #1 since 0 pods 1 after 1m0s, new_credentials"},
	},
	"an attempt is read again": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.fails(image, diagnose.Unauthorized, "web-1")
			s.restart(t)
			s.again(func() { s.fails(image, diagnose.Unauthorized, "web-1") })
			s.fails(image, diagnose.Unauthorized, "web-1")
		},
		want: []string{failed1, failed2, failed2, "failed unauthorized #3 since 1 pods 2"},
	},
	"a change of cause is read again": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.fails(image, diagnose.RegistryUnavailable, "web-0")
			s.restart(t)
			s.again(func() { s.fails(image, diagnose.RegistryUnavailable, "web-0") })
		},
		want: []string{
			failed1,
			"cause_changed registry_unavailable #2 since 1 pods 1 was unauthorized",
			"failed registry_unavailable #2 since 1 pods 1",
			"cause_changed registry_unavailable #2 since 1 pods 1 was unauthorized",
			"failed registry_unavailable #2 since 1 pods 1",
		},
	},
	"killed before the recovery has arrived": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.succeeds(image)
			s.restart(t)
			s.again(func() { s.succeeds(image) })
		},
		want: []string{
			failed1,
			"recovered unauthorized #1 since 0 pods 1 after 0s, new_credentials",
			"recovered unauthorized #1 since 0 pods 1 after 0s, new_credentials",
		},
	},
	"all of an outage that is over is read again": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			id := s.store.Open()[0].ID
			s.succeeds(image)
			s.store.Arrived(id)
			s.restart(t)
			s.n = 0
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.succeeds(image)
			s.fails(image, diagnose.Unauthorized, "web-0")
		},
		want: []string{
			failed1, "recovered unauthorized #1 since 0 pods 1 after 0s, new_credentials",
			failed1, "recovered unauthorized #1 since 0 pods 1 after 0s, new_credentials",
			failed1, // another outage
		},
	},
	"killed before it has arrived that nobody waits": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
			s.restart(t)
			s.wait(0)
		},
		want: []string{failed1, "abandoned unauthorized #1 since 0 pods 0", "abandoned unauthorized #1 since 0 pods 0"},
	},
	"killed before it has arrived, in another outage of the image": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
			s.wait(2 * time.Second)
			s.fails(image, diagnose.DNS, "web-1")
			s.restart(t)
			s.again(func() { s.fails(image, diagnose.DNS, "web-1") })
			s.wait(0)
			s.fails(image, diagnose.DNS, "web-1")
		},
		want: []string{
			failed1, "abandoned unauthorized #1 since 0 pods 0", "failed dns #1 since 1 pods 1",
			"failed dns #1 since 1 pods 1", "abandoned unauthorized #1 since 0 pods 0", "failed dns #2 since 1 pods 1",
		},
	},
	"killed twice before it has arrived that nobody waits": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
			s.restart(t)
			s.restart(t)
			s.again(func() { s.fails(image, diagnose.Unauthorized, "web-0") })
			s.wait(0)
		},
		want: []string{failed1, "abandoned unauthorized #1 since 0 pods 0", "failed unauthorized #1 since 1 pods 0", "abandoned unauthorized #1 since 0 pods 0"},
	},
	"nothing more is heard": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.wait(10 * time.Minute)
			s.restart(t)
			s.wait(14 * time.Minute)
			s.told = append(s.told, "14 minutes later")
			s.wait(time.Minute)
		},
		want: []string{failed1, "14 minutes later", "abandoned unauthorized #1 since 0 pods 1"},
	},
	"down for longer than an incident is kept": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.now = s.now.Add(time.Hour)
			s.restart(t)
			s.wait(time.Second) // before anything was read
			s.fails(image, diagnose.Unauthorized, "web-0")
		},
		want: []string{failed1, "failed unauthorized #2 since 1 pods 1"},
	},
	"down for long before the recovery has arrived": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.succeeds(image)
			s.now = s.now.Add(time.Hour)
			s.restart(t)
			s.wait(time.Second)
			s.n = 0
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.wait(time.Hour) // it is not open
		},
		want: []string{failed1, "recovered unauthorized #1 since 0 pods 1 after 0s, new_credentials", failed1},
	},
	"the pod is deleted": {
		play: func(t *testing.T, s *story) {
			s.fails(image, diagnose.Unauthorized, "web-0")
			s.restart(t)
			s.store.PodGone(pod("web-0").Pod, s.now, s.tell)
		},
		want: []string{failed1, "abandoned unauthorized #1 since 0 pods 0"},
	},
}

// An agent is killed in the middle of an outage: what happens then must be told as if
// it had not been, and what was told before told the same if it is read again.
func TestRestart(t *testing.T) {
	for name, c := range restarts {
		t.Run(name, func(t *testing.T) {
			s := newStory(incident.Config{})
			c.play(t, s)
			if diff := cmp.Diff(c.want, s.told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// More attempts than are known again are read again after a receiver was away for
// long: that must end, and cost no more memory than before.
func TestRestartIsBounded(t *testing.T) {
	s := newStory(incident.Config{All: true})
	for range 1000 {
		s.fails(image, diagnose.Unauthorized, "web-0")
	}
	if saved := s.store.Save(); len(saved) != 1 || len(saved[0].Counted) > 64 {
		t.Errorf("got %d incidents, the first with %d attempts, want one with 64", len(saved), len(saved[0].Counted))
	}
	s.restart(t)
	s.store.Apply(attempt.Attempt{UID: "uid-1", Image: image, Ref: image}, diagnose.Diagnosis{Cause: diagnose.Unauthorized}, s.now, s.tell)
	if got := s.store.Open(); len(got) != 1 || got[0].Attempts != 1001 {
		t.Errorf("got %+v, want one incident with 1001 attempts", got)
	}
}
