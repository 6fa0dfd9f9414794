package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// addHost keeps a host's outcome until the end of a pull claims it: before
// containerd 2.3 its line names neither image nor repository, and the pull that
// ends next at the same registry is most likely the one.
func (j *Joiner) addHost(s detect.Signal, now time.Time) {
	h := &unclaimedHost{s: s, at: now, asked: parseAsked(s.Host)}
	if j.begun.Len() == 1 {
		h.alone = j.begun.Front().Value.(*pull) //nolint:errcheck // the list holds nothing else
	}
	j.unclaimed.add(h)
}

func (p *pull) hasHost(h detect.Host) bool {
	return slices.ContainsFunc(p.a.Hosts, func(have detect.Host) bool {
		return have.Host == h.Host && have.Status == h.Status && have.Error == h.Error
	})
}

func (p *pull) addHost(s detect.Signal) {
	if len(p.a.Hosts) < maxHosts {
		p.a.Hosts = append(p.a.Hosts, s.Host)
	}
	p.add(s)
}

// collectHosts claims the outcomes that belong to a pull of the runtime that
// ends now, in the order in which they were written.
func (j *Joiner) collectHosts(p *pull) {
	for _, h := range j.unclaimed.of(p, p.a.Start, p.a.End) {
		if !p.hasHost(h.s.Host) {
			p.addHost(h.s)
			j.unclaimed.remove(h)
		}
	}
}

// handOn emits a pull as an attempt and forgets it, but for its outline.
func (j *Joiner) handOn(p *pull, emit func(Attempt)) {
	j.absorbOwn(p)
	if !p.a.Succeeded && !p.a.BackOff {
		p.a.Credential = j.credential(p)
	}
	j.remove(p)
	j.measure(p)
	a := p.finish(j.cfg.Node)
	if !a.Succeeded && !a.BackOff {
		j.remember(p.key, newHandedOn(p, a))
	}
	emit(a)
}

func (j *Joiner) remove(p *pull) {
	p.gone = true
	j.requests.leave(p)
	j.unclaimed.leave(p)
	j.landed(p)
	j.count--
	rest := slices.DeleteFunc(j.pulls[p.key], func(q *pull) bool { return q == p })
	if len(rest) == 0 {
		delete(j.pulls, p.key)
		return
	}
	j.pulls[p.key] = rest
}
