package attempt_test

import (
	"fmt"
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// What a pull costs does not depend on what else is remembered: unclaimed hosts,
// credential problems, pulls in flight.
func TestCostOfOnePull(t *testing.T) {
	allocations := func(remembered int) float64 {
		j := newJoiner(time.Second)
		now := start
		ignore := func(attempt.Attempt) {}
		for n := range remembered {
			j.Add(detect.Signal{Kind: detect.HostFailed, Program: detect.Containerd, Time: now, Host: detect.Host{
				Host: "m.example", Status: 503, URL: fmt.Sprintf("https://m.example/v2/t/x%d/manifests/1?ns=r.example", n),
			}}, now, ignore)
			j.Add(detect.Signal{Kind: detect.CredentialProblem, Program: detect.Kubelet, Image: fmt.Sprint("r.example/t/x", n), Time: now}, now, ignore)
		}
		return testing.AllocsPerRun(100, func() {
			now = now.Add(time.Millisecond)
			for _, kind := range []detect.Kind{detect.PullStarted, detect.PullFailed, detect.PullStarted, detect.PullSucceeded} {
				s := detect.Signal{Kind: kind, Program: detect.Containerd, Image: "r.example/y:1", Time: now}
				if kind == detect.PullFailed {
					s.Failure = failure(500)
				}
				j.Add(s, now, ignore)
			}
		})
	}
	if none, many := allocations(0), allocations(256); many > 1.2*none {
		t.Errorf("%v allocations with nothing remembered, %v with 256 hosts and credential problems", none, many)
	}
}

// unclaimedBusy has as many unclaimed hosts and pulls in flight as there may be.
func unclaimedBusy() (*attempt.Joiner, time.Time) {
	j, now := newJoiner(time.Second), start
	for n := range 256 {
		j.Add(detect.Signal{Kind: detect.HostFailed, Program: detect.Containerd, Time: now, Host: detect.Host{
			Host: "m.example", Status: 503, URL: fmt.Sprintf("https://m.example/v2/t/x%d/manifests/1?ns=r.example", n),
		}}, now, func(attempt.Attempt) {})
	}
	return j, now
}

func BenchmarkPullAmongUnclaimedHosts(b *testing.B) {
	j, now := unclaimedBusy()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		j.Add(detect.Signal{Kind: detect.PullStarted, Program: detect.Containerd, Image: "r.example/y:1", Time: now}, now, func(attempt.Attempt) {})
		j.Add(detect.Signal{Kind: detect.PullSucceeded, Program: detect.Containerd, Image: "r.example/y:1", Time: now}, now, func(attempt.Attempt) {})
	}
}

// Of two pulls of one image each claims the outcome at a mirror, in their order; an
// old outcome is claimed by neither.
func TestUnclaimedHosts(t *testing.T) {
	const scope = "https://auth.example/token?scope=repository:team/app:pull&service=r"
	mirror := "https://mirror-a" + manifest + "?ns=registry.example.com"
	got := join(newScript().host(mirror, 500).wait(time.Minute).starts(image).starts(image).starts(database).
		host(mirror, 503).host(scope, 401).host(mirror, 503).fails(image, 503).fails(image, 503).signals)
	want := []string{
		"failed 503 containerd mirror=mirror-a:503 mirror=auth.example:401", "failed 503 containerd mirror=mirror-a:503", "still open: 1",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
