package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// The bounds of what is remembered for a later line.
const (
	maxLoose      = 256
	looseFor      = 10 * time.Minute // a pull may try hosts for that long
	credentialFor = time.Minute
)

// hostSeen is a host's outcome whose pull is not known yet.
type hostSeen struct {
	s  detect.Signal
	at time.Time
	// alone is the pull that was the only one in flight, nil if there were more.
	alone *pull
}

// credentialSeen is a credential problem that waits for the failure it causes.
type credentialSeen struct {
	s  detect.Signal
	at time.Time
}

// addHost keeps a host's outcome until the end of a pull claims it: before
// containerd 2.3 its line names neither image nor repository, and the pull that
// ends next at the same registry is most likely the one.
func (j *Joiner) addHost(s detect.Signal, now time.Time) {
	var alone *pull
	if len(j.begun) == 1 {
		alone = j.begun[0]
	}
	j.loose = slices.DeleteFunc(j.loose, func(h hostSeen) bool { return now.Sub(h.at) > looseFor })
	if len(j.loose) >= maxLoose {
		j.loose = slices.Delete(j.loose, 0, 1)
	}
	j.loose = append(j.loose, hostSeen{s: s, at: now, alone: alone})
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
	j.loose = slices.DeleteFunc(j.loose, func(h hostSeen) bool {
		yes, sure := concerns(h.s.Host, p.ref)
		if !yes || !sure && h.alone != p || h.s.Time.Before(p.a.Start) || h.s.Time.After(p.a.End) || p.hasHost(h.s.Host) {
			return false
		}
		p.addHost(h.s)
		return true
	})
}

func (j *Joiner) rememberCredential(s detect.Signal, now time.Time) {
	j.credentials = slices.DeleteFunc(j.credentials, func(c credentialSeen) bool {
		return now.Sub(c.at) > credentialFor
	})
	if len(j.credentials) >= maxLoose {
		j.credentials = slices.Delete(j.credentials, 0, 1)
	}
	j.credentials = append(j.credentials, credentialSeen{s: s, at: now})
}

// credential is the problem that explains a failure: one about the same image
// or the same pod, shortly before it.
func (j *Joiner) credential(p *pull) *detect.Failure {
	for _, c := range slices.Backward(j.credentials) {
		image := signalImage(c.s)
		sameImage := image != "" && sameRepository(j.refs.parse(image), p.ref)
		if !sameImage && !p.hasPod(detect.Signal{Pod: c.s.Pod}) {
			continue
		}
		if c.s.Failure != nil {
			return c.s.Failure
		}
		return &detect.Failure{Text: c.s.Raw}
	}
	return nil
}

// sameRepository compares without the tag: a credential plugin is called for
// the repository.
func sameRepository(a, b ref) bool {
	return a.path != "" && a.path == b.path && a.registry == b.registry
}

// handOn emits a pull as an attempt and forgets it, but for its outline.
func (j *Joiner) handOn(p *pull, emit func(Attempt)) {
	j.absorbOwn(p)
	if !p.a.Succeeded && !p.a.BackOff {
		p.a.Credential = j.credential(p)
	}
	j.remove(p)
	a := p.finish(j.cfg.Node)
	if !a.Succeeded && !a.BackOff {
		j.remember(p.key, newHandedOn(p, a))
	}
	emit(a)
}

func (j *Joiner) remove(p *pull) {
	p.gone = true
	j.requests.leave(p)
	j.landed(p)
	j.count--
	rest := slices.DeleteFunc(j.pulls[p.key], func(q *pull) bool { return q == p })
	if len(rest) == 0 {
		delete(j.pulls, p.key)
		return
	}
	j.pulls[p.key] = rest
}
