package attempt_test

import (
	"fmt"
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

func TestBounds(t *testing.T) {
	j := attempt.NewJoiner(attempt.Config{Window: time.Hour, Forget: time.Hour, MaxOpen: 50})
	emitted := 0
	emit := func(attempt.Attempt) { emitted++ }
	for i := range 500 {
		s := newScript().fails(fmt.Sprintf("r.example/x:%d", i), 500).signals[0]
		j.Add(s, start, emit)
	}
	if got := len(j.Open()); got != 50 || emitted != 450 {
		t.Errorf("%d open and %d emitted of 500, want 50 and 450", got, emitted)
	}
	for i := range 500 {
		s := newScript().starts(fmt.Sprintf("r.example/y:%d", i)).signals[0]
		j.Add(s, start, emit)
	}
	if got := len(j.Open()); got != 50 {
		t.Errorf("%d open, want 50", got)
	}
	if emitted != 500 {
		t.Errorf("%d emitted, want all 500 that ended", emitted)
	}
	if got := j.Forgotten(); got != 450 {
		t.Errorf("%d forgotten, want 450 that never ended", got)
	}
}

func TestCredentialProblemExplainsTheFailureThatFollows(t *testing.T) {
	in := newScript().
		say(detect.Signal{Kind: detect.CredentialProblem, Program: detect.Kubelet, Image: "registry.example.com/team/app", Failure: &detect.Failure{Text: "exec plugin"}}).
		starts(image).fails(image, 401)
	j := attempt.NewJoiner(attempt.Config{Window: time.Second, MaxOpen: 10, Forget: time.Hour})
	var got []attempt.Attempt
	for _, s := range in.signals {
		j.Add(s, s.Time, func(a attempt.Attempt) { got = append(got, a) })
	}
	j.Flush(func(a attempt.Attempt) { got = append(got, a) })
	if len(got) != 1 || got[0].Credential == nil || got[0].Credential.Text != "exec plugin" {
		t.Errorf("got %+v, want one attempt with the plugin's error", got)
	}
}
