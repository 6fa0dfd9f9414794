package attempt

import (
	"time"

	"pullcause/agent/detect"
)

// tolerance is how far apart the times in two programs' lines about one attempt may be,
// apart from the offset of their clocks. The kubelet writes its lines after the runtime's,
// once for each secret it tried.
const tolerance = 2 * time.Second

// Bounds of what the times of two programs may differ by.
const (
	// zoneStep is what the offsets of all zones are multiples of, and zoneSpan how far two
	// of them lie apart at most where one is UTC.
	zoneStep = 15 * time.Minute
	zoneSpan = 14 * time.Hour
	// maxSkew is how far apart two clocks may be where no zone explains it.
	maxSkew = 10*time.Minute + tolerance
	// liveFor is how long after it was written a line is read at most by an agent that
	// follows its log.
	liveFor = 10 * time.Second
)

const (
	maxClocks    = 64 // kubelet logs whose clocks are known
	clockSamples = 5
)

// clock is what is known of the offset of a kubelet's times from the runtime's. The text
// log of the kubelet carries neither zone nor year, and what stamps the lines may be
// another machine's clock.
type clock struct {
	samples [clockSamples]time.Duration // runtime's time less kubelet's, of the last attempts that joined
	count   int
	offset  time.Duration
	known   bool
}

// add takes the offset of one more attempt. The first one counts until others
// contradict it: then the offset that most of the last ones share, if there is one.
func (c *clock) add(d time.Duration) {
	if d.Abs() > zoneSpan+tolerance {
		return
	}
	c.samples[c.count%clockSamples] = d
	c.count++
	n := min(c.count, clockSamples)
	if !c.known {
		c.offset, c.known = d, true
		return
	}
	for _, middle := range c.samples[:n] {
		var sum time.Duration
		agree := 0
		for _, other := range c.samples[:n] {
			if (other - middle).Abs() <= tolerance {
				agree++
				sum += other
			}
		}
		if 2*agree > n {
			c.offset = sum / time.Duration(agree)
			return
		}
	}
}

// closeness is how well the times of two lines fit one attempt.
type closeness int

const (
	far         closeness = iota
	acrossZones           // a whole number of zones apart, and the zone is unknown
	asWritten             // the same time, though the clocks are known to differ
	exact
)

// closeness compares a line with an attempt that ended then. source is the kubelet's log
// of the two.
func (j *Joiner) closeness(end time.Time, h *heard, s detect.Signal) closeness {
	if h.runtime == fromRuntime(s) || end.IsZero() || s.Time.IsZero() {
		if near(end, s.Time) {
			return exact
		}
		return far
	}
	source, apart := h.source, s.Time.Sub(end)
	if h.runtime {
		source, apart = s.Pos.Source, -apart
	}
	same := apart.Abs() <= tolerance
	if c := j.clocks[source]; c != nil && c.known {
		switch {
		case (apart - c.offset).Abs() <= tolerance:
			return exact
		case same:
			return asWritten
		}
		return far
	}
	off := apart.Abs() % zoneStep
	switch {
	case same:
		return exact
	case apart.Abs() <= zoneSpan+tolerance && (off <= tolerance || off >= zoneStep-tolerance):
		return acrossZones
	}
	return far
}

// runtimeClock is when the runtime wrote its last line, and when that was read.
type runtimeClock struct{ written, read time.Time }

// withYear corrects the year of a kubelet's line by the runtime's, which was read just
// before: klog writes none, and the year of reading is wrong for an old log.
func (j *Joiner) withYear(s *detect.Signal, now time.Time) {
	const halfYear = 183 * 24 * time.Hour
	if fromRuntime(*s) {
		if !s.Time.IsZero() {
			j.runtime = runtimeClock{s.Time, now}
		}
		return
	}
	if s.Time.IsZero() || j.runtime.written.IsZero() || now.Sub(j.runtime.read) > liveFor {
		return
	}
	if s.Time.Sub(j.runtime.written).Abs() <= halfYear {
		return
	}
	years := j.runtime.written.Year() - s.Time.Year()
	for _, n := range [...]int{years, years - 1, years + 1} {
		if t := s.Time.AddDate(n, 0, 0); t.Sub(j.runtime.written).Abs() <= halfYear {
			s.Time = t
			return
		}
	}
}

// corrected is the time of a line by the runtime's clock, or its own time while the offset is unknown.
func (j *Joiner) corrected(s detect.Signal) time.Time {
	if c := j.clocks[s.Pos.Source]; c != nil && c.known && !fromRuntime(s) {
		return s.Time.Add(c.offset)
	}
	return s.Time
}

// sampleClock takes the offset between the runtime's last line of an attempt and the
// kubelet's first.
func (j *Joiner) sampleClock(source string, runtime, kubelet time.Time) {
	if runtime.IsZero() || kubelet.IsZero() {
		return
	}
	c := j.clocks[source]
	if c == nil {
		if len(j.clocks) >= maxClocks {
			clear(j.clocks)
		}
		c = &clock{}
		j.clocks[source] = c
	}
	c.add(runtime.Sub(kubelet))
}

// near reports whether two times of one clock can belong to one attempt.
func near(a, b time.Time) bool {
	return a.IsZero() || b.IsZero() || a.Sub(b).Abs() <= tolerance
}

// sameError finds the only pull that ended in the same error as a line tells, where the
// other program has not logged the end yet and both were read as they were written. Then
// their clocks differ by minutes: it joins them if that offset is not known yet, and
// learns it in any case. nil if there is none, or more than one.
func (j *Joiner) sameError(s detect.Signal) *pull {
	if s.Failure == nil || s.Failure.Leaf == "" {
		return nil
	}
	var found *pull
	for _, p := range j.pulls[j.key(s)] {
		if !p.ended || p.a.BackOff || !p.fits(s) || !p.lacksWordOf(s) ||
			p.a.Failure == nil || p.a.Failure.Leaf != s.Failure.Leaf {
			continue
		}
		if found != nil {
			return nil
		}
		found = p
	}
	if found == nil || found.a.End.Sub(s.Time).Abs() > maxSkew || !found.readLive(s) {
		return nil
	}
	source, runtime, kubelet := s.Pos.Source, found.a.End, s.Time
	if fromRuntime(s) {
		source, runtime, kubelet = found.source, s.Time, found.a.End
	}
	if c := j.clocks[source]; c != nil && c.known {
		j.sampleClock(source, runtime, kubelet)
		return nil
	}
	return found
}

// lacksWordOf reports whether only the other one of runtime and kubelet has logged the
// end so far.
func (p *pull) lacksWordOf(s detect.Signal) bool {
	if fromRuntime(s) {
		return !p.runtime
	}
	return p.runtime && p.source == "" && len(p.a.Pods) == 0
}

// readLive reports whether a line and the end of a pull were read when they were written,
// by one of their two clocks.
func (p *pull) readLive(s detect.Signal) bool {
	return p.a.Observed.Sub(p.a.End).Abs() <= liveFor || s.Observed.Sub(s.Time).Abs() <= liveFor
}
