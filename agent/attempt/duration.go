package attempt

// measure works out how long a pull took, unless the runtime logged it: from the times in its
// lines if they are plausible, else from when these were read. A clock that is set
// meanwhile must not add a day to the durations. Without the line about the beginning
// nothing is known.
func (j *Joiner) measure(p *pull) {
	if p.a.Duration > 0 || !p.began || p.a.Start.IsZero() || p.a.End.IsZero() {
		return
	}
	end := p.a.End
	if c := j.clocks[p.source]; c != nil && c.known && !p.runtime && !p.a.Succeeded {
		end = end.Add(c.offset)
	}
	took, read := end.Sub(p.a.Start), p.a.Observed.Sub(p.origin.Observed)
	live := p.origin.Observed.Sub(p.a.Start).Abs() <= liveFor
	switch {
	case took < 0 && took >= -tolerance:
	case took >= 0 && took <= j.cfg.Forget && (!live || took <= read+liveFor):
		p.a.Duration = took
	case live && read > 0 && read <= j.cfg.Forget:
		p.a.Duration = read
	default:
		j.implausible++
	}
}

// Implausible is the number of pulls without a duration, because the
// times of their lines contradict each other.
func (j *Joiner) Implausible() int64 { return j.implausible }
