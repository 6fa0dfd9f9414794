package attempt_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// shifted moves the times that the kubelet writes; when they are read stays.
func (c *script) shifted(d time.Duration) *script {
	for i := range c.signals {
		if c.signals[i].Program == detect.Kubelet {
			c.signals[i].Time = c.signals[i].Time.Add(d)
		}
	}
	return c
}

// backlog has all lines read at once, an hour later.
func (c *script) backlog() *script {
	for i := range c.signals {
		c.signals[i].Observed = start.Add(time.Hour)
	}
	return c
}

// The kubelet's lines belong to the attempt of their own minute, whatever else ended a
// whole number of time zones away.
func TestKubeletLinesGoToTheAttemptOfTheirTime(t *testing.T) {
	for name, tt := range map[string]struct {
		in   *script
		want []string
	}{
		"the later one of two": {
			newScript().starts(image).fails(image, 401).
				wait(15*time.Minute).starts(image).fails(image, 500).podLines("web-0", image, 500).backlog(),
			[]string{"failed 500 containerd web-0/app", "failed 401 containerd"},
		},
		"the same error each time": {
			newScript().starts(image).fails(image, 500).
				wait(15*time.Minute).starts(image).fails(image, 500).imageLine(image, 500).podLines("web-0", image, 500).backlog(),
			[]string{"10:15 failed 500 containerd web-0/app", "10:00 failed 500 containerd"},
		},
		"the kubelet's log was read first": {
			newScript().podLines("web-0", image, 500).wait(15*time.Minute).podLines("web-1", image, 500).
				starts(image).fails(image, 500).backlog(),
			[]string{"failed 500 containerd web-1/app", "failed 500 kubelet web-0/app"},
		},
		"one that is in flight": {
			newScript().fails(image, 500).wait(15*time.Minute).starts(image).podLines("web-0", image, 500).
				fails(image, 500).backlog(),
			[]string{"10:15 failed 500 containerd web-0/app", "10:00 failed 500 containerd"},
		},
		"the zone is known from an attempt before": {
			newScript().starts(database).fails(database, 404).imageLine(database, 404).podLines("db-0", database, 404).
				fails(image, 500).wait(15*time.Minute).podLines("web-0", image, 500).backlog(),
			[]string{"failed 404 containerd db-0/app", "failed 500 containerd", "failed 500 kubelet web-0/app"},
		},
		"the zone is known, and it is not UTC": {
			newScript().starts(database).fails(database, 404).imageLine(database, 404).podLines("db-0", database, 404).
				fails(image, 500).wait(15*time.Minute).podLines("web-0", image, 500).fails(image, 500).backlog().shifted(-2 * time.Hour),
			[]string{"failed 404 containerd db-0/app", "10:00 failed 500 containerd", "10:15 failed 500 containerd web-0/app"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			dated := tt.want[0][2] == ':' || tt.want[len(tt.want)-1][2] == ':'
			j := newJoiner(time.Second)
			emit := func(a attempt.Attempt) {
				line := outline(a)
				if dated && a.Image == image {
					line = a.End.Format("15:04 ") + line
				}
				got = append(got, line)
			}
			for _, s := range tt.in.signals {
				j.Add(s, start.Add(time.Hour), emit)
			}
			j.Flush(emit)
			less := cmp.Diff(sorted(tt.want), sorted(got))
			if less != "" {
				t.Errorf("attempts (-want +got):\n%s", less)
			}
		})
	}
}

func sorted(lines []string) map[string]int {
	m := map[string]int{}
	for _, l := range lines {
		m[l]++
	}
	return m
}

// The kubelet's clock may be off by any amount: an attempt stays one.
func TestJoinAcrossClocks(t *testing.T) {
	for _, off := range []time.Duration{
		-1900 * time.Millisecond, -3 * time.Second, -30 * time.Second, -5 * time.Minute, -10 * time.Minute,
		3 * time.Second, time.Minute, -2 * time.Hour, 330 * time.Minute,
	} {
		t.Run(off.String(), func(t *testing.T) {
			in := newScript()
			var want []string
			for n := range 4 {
				status := 500 + n%2
				in.starts(image)
				if n%2 == 0 { // whichever log is read first
					in.fails(image, status).imageLine(image, status).podLines("web-0", image, status)
				} else {
					in.imageLine(image, status).podLines("web-0", image, status).fails(image, status)
				}
				in.wait(5 * time.Minute)
				want = append(want, fmt.Sprintf("failed %d containerd web-0/app", status))
			}
			if diff := cmp.Diff(want, join(in.shifted(off).signals)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// One line that seems minutes off proves nothing while others are on time, and a clock
// that is set is followed after a few attempts.
func TestClockOffsetIsRobust(t *testing.T) {
	in := newScript()
	attempts := func(n int) *script {
		for range n {
			in.starts(image).fails(image, 500).imageLine(image, 500).podLines("web-0", image, 500).wait(5 * time.Minute)
		}
		return in
	}
	attempts(5)
	const off = -7 * time.Minute
	stray := newScript().wait(time.Hour).fails(image, 500).podLines("web-1", image, 500).shifted(off).signals
	in.signals = append(in.signals, stray...)
	in.at = stray[len(stray)-1].Observed.Add(time.Hour)
	attempts(5)
	got := sorted(join(in.signals))
	if n := got["failed 500 containerd web-0/app"]; n != 10 {
		t.Errorf("%d whole attempts, want 10: %v", n, got)
	}

	in = newScript()
	attempts(5)
	set := len(in.signals)
	attempts(8)
	for i := range in.signals[set:] {
		if s := &in.signals[set+i]; s.Program == detect.Kubelet {
			s.Time = s.Time.Add(off)
		}
	}
	got = sorted(join(in.signals))
	if n := got["failed 500 containerd web-0/app"]; n < 10 {
		t.Errorf("%d whole attempts of 13, want 10 or more after the clock was set: %v", n, got)
	}
}
