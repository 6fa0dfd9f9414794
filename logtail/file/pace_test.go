package file

import (
	"testing"
	"time"

	"pullcause/logtail"
)

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0).Add(300 * time.Millisecond) // 700 ms before a poll
	type turn struct {
		live, got, woken, silent bool
		after                    time.Duration // more than 5 ms, since the one before
	}
	var (
		quiet  = turn{live: true}
		woken  = turn{live: true, got: true, woken: true}
		more   = turn{live: true, got: true}
		missed = turn{live: true, got: true, silent: true, after: time.Second}
		polled = turn{got: true}
		later  = turn{live: true, got: true, woken: true, after: 2 * maxRest}
	)
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		turns []turn
		want  time.Duration
		wake  string
	}{
		"nothing yet":                 {nil, 700 * ms, logtail.WakePoll},
		"watched":                     {[]turn{quiet}, 700 * ms, logtail.WakeInotify},
		"first text":                  {[]turn{quiet, woken}, 5 * ms, logtail.WakeInotify},
		"text comes on":               {[]turn{woken, more, more}, 20 * ms, logtail.WakeInotify},
		"and on":                      {[]turn{woken, more, more, more, more, more}, 25 * ms, logtail.WakeInotify},
		"no more text":                {[]turn{woken, more, more, quiet}, 700 * ms, logtail.WakeInotify},
		"then text again":             {[]turn{woken, more, quiet, woken}, 20 * ms, logtail.WakeInotify},
		"text again later":            {[]turn{woken, more, more, quiet, later}, 5 * ms, logtail.WakeInotify},
		"text now and then":           {[]turn{later, quiet, later, quiet, later}, 5 * ms, logtail.WakeInotify},
		"quiet for long":              {[]turn{quiet, quiet, quiet, quiet, quiet, quiet}, 4700 * ms, logtail.WakeInotify},
		"no inotify":                  {[]turn{polled, polled, polled}, 700 * ms, logtail.WakePoll},
		"inotify misses once":         {[]turn{quiet, missed}, 5 * ms, logtail.WakeInotify},
		"inotify misses all":          {[]turn{missed, quiet, missed, quiet, missed}, 700 * ms, logtail.WakePoll},
		"inotify is back":             {[]turn{missed, missed, missed, quiet, woken}, 10 * ms, logtail.WakeInotify},
		"inotify misses now and then": {[]turn{missed, missed, woken, missed, missed}, 5 * ms, logtail.WakeInotify},
	} {
		t.Run(name, func(t *testing.T) {
			p := pace{poll: time.Second}
			at := now
			for _, u := range c.turns {
				at = at.Add(5*ms + u.after)
				p.turned(at, u.live, u.got, u.woken, u.silent)
			}
			if got := p.delay(now, logtail.Stretch); got != c.want || p.wake() != c.wake {
				t.Errorf("got a delay of %s and wake %q, want %s and %q", got, p.wake(), c.want, c.wake)
			}
			if got := p.delay(now, 1); got > 700*ms {
				t.Errorf("delay where polls may not be left out: got %s, want 700ms at most", got)
			}
		})
	}
}
