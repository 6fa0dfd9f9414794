package attempt_test

import (
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// How long a pull took is taken from its lines where that is plausible, else from when
// they were read; where neither is, it is unknown and counted.
func TestDuration(t *testing.T) {
	type line struct{ written, read time.Duration }
	kubeletFails := func(c *script) *script { return c.imageLine(image, 403).podLines("web-0", image, 403) }
	for name, tt := range map[string]struct {
		in          *script
		lines       []line // of the start and the end
		want        time.Duration
		implausible int64
	}{
		"as written":                    {newScript().starts(image).succeeds(image), []line{{0, 0}, {30 * time.Second, 31 * time.Second}}, 30 * time.Second, 0},
		"a backlog":                     {newScript().starts(image).succeeds(image), []line{{0, time.Hour}, {30 * time.Second, time.Hour}}, 30 * time.Second, 0},
		"the end is read late":          {newScript().starts(image).fails(image, 403), []line{{0, 0}, {time.Second, 5 * time.Minute}}, time.Second, 0},
		"the clock jumps a day ahead":   {newScript().starts(image).succeeds(image), []line{{0, 0}, {24*time.Hour + 30*time.Second, 30 * time.Second}}, 30 * time.Second, 0},
		"the clock jumps by minutes":    {newScript().starts(image).succeeds(image), []line{{0, 0}, {10 * time.Minute, 30 * time.Second}}, 30 * time.Second, 0},
		"the clock is set back":         {newScript().starts(image).succeeds(image), []line{{0, 0}, {-time.Hour, 30 * time.Second}}, 30 * time.Second, 0},
		"a jump in a backlog":           {newScript().starts(image).succeeds(image), []line{{0, 48 * time.Hour}, {24 * time.Hour, 48 * time.Hour}}, 0, 1},
		"set back in a backlog":         {newScript().starts(image).fails(image, 403), []line{{0, 48 * time.Hour}, {-time.Hour, 48 * time.Hour}}, 0, 1},
		"both clocks jump":              {newScript().starts(image).succeeds(image), []line{{0, 0}, {24 * time.Hour, 24 * time.Hour}}, 0, 1},
		"the beginning was not read":    {newScript().fails(image, 403).imageLine(image, 403), []line{{0, 0}, {time.Second, time.Second}}, 0, 0},
		"the kubelet's zone is another": {kubeletFails(newScript().starts(image).fails(image, 403)).shifted(-5 * time.Hour), []line{{0, 0}, {30 * time.Second, 30 * time.Second}}, 30 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got []attempt.Attempt
			emit := func(a attempt.Attempt) { got = append(got, a) }
			j := newJoiner(time.Second)
			for i, s := range tt.in.signals {
				if i < len(tt.lines) {
					s.Time, s.Observed = start.Add(tt.lines[i].written), start.Add(tt.lines[i].read)
				} else if s.Program == detect.Kubelet {
					last := tt.lines[len(tt.lines)-1]
					s.Time, s.Observed = s.Time.Add(last.written), start.Add(last.read)
				}
				j.Add(s, s.Observed, emit)
			}
			j.Flush(emit)
			if len(got) != 1 || got[0].Duration != tt.want || j.Implausible() != tt.implausible {
				t.Errorf("%d attempts, %v, %d implausible; want one that took %v, %d", len(got), got, j.Implausible(), tt.want, tt.implausible)
			}
		})
	}
}
