package file

import (
	"time"

	"pullcause/logtail"
)

const (
	// While text keeps coming a source looks again after minRest, then after twice
	// as long each time up to maxRest, also where it has found nothing in between. A
	// wake-up costs a Go program 0.1 to 0.3 ms of a processor, however little it then
	// does: forty a second are 1 %, and a line waits for 12 ms on average.
	minRest = 5 * time.Millisecond
	maxRest = 25 * time.Millisecond
	// maxUnheard is how often a poll may find text that inotify told nothing of.
	// Some file systems are changed behind its back (NFS, FUSE, overlays).
	maxUnheard = 3
)

// pace says when to look next.
type pace struct {
	poll    time.Duration
	live    bool          // inotify is at work
	rest    time.Duration // while text keeps coming; 0 when it stopped
	last    time.Duration // the rest before it stopped
	read    time.Time     // when something was read
	quiet   int           // turns since something was read
	unheard int           // finds in a row that inotify told nothing of
}

// turned takes notice of a turn: whether it read anything, whether it had been
// woken, and whether the file was watched and inotify has not told of a change yet.
func (p *pace) turned(now time.Time, live, got, woken, silent bool) {
	p.live = live
	switch {
	case !got:
		p.rest = 0
		p.quiet++
		return
	case woken:
		p.unheard = 0
	case silent:
		p.unheard++
	}
	if now.Sub(p.read) > 2*maxRest { // a look may come late
		p.last = 0
	}
	p.quiet, p.read = 0, now
	p.last = min(max(2*p.last, minRest), maxRest)
	p.rest = p.last
}

// wake is how the source learns of new text.
func (p *pace) wake() string {
	if p.live && p.unheard < maxUnheard {
		return logtail.WakeInotify
	}
	return logtail.WakePoll
}

// delay is how long to wait; most is how many polls may become one.
func (p *pace) delay(now time.Time, most int) time.Duration {
	poll := p.poll
	if p.wake() == logtail.WakeInotify {
		if p.rest > 0 {
			return min(p.rest, p.poll)
		}
		if p.quiet > logtail.Stretch {
			poll *= time.Duration(most)
		}
	}
	// All sources poll at the same time, so that it costs one wake-up.
	return poll - time.Duration(now.UnixNano())%poll
}
