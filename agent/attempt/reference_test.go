package attempt_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// What failed because a short name tells no registry is no failure of Docker Hub's.
func TestNoRegistryOfAnAmbiguousName(t *testing.T) {
	for text, want := range map[string]string{
		"short name mode is enforcing, but image name alpine:latest returns ambiguous list": "",
		"toomanyrequests: slow down": "docker.io",
	} {
		s := newScript().fails("alpine", 0).signals[0]
		s.Failure = detect.ParseFailure(text)
		j := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: time.Second, Forget: time.Hour, MaxOpen: 100})
		var got []string
		emit := func(a attempt.Attempt) { got = append(got, a.Registry) }
		j.Add(s, start, emit)
		j.Flush(emit)
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("registry (-want +got):\n%s%s", diff, text)
		}
	}
}
