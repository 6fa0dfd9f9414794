package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// InFlight is a pull that has begun and not ended.
type InFlight struct {
	// UID is that of the attempt in the making.
	UID string
	// Image, Ref and Registry are those of [Attempt]; Repository is the path at the
	// registry, "library/nginx".
	Image, Ref, Registry, Repository string
	// Start is when the runtime says that it began, Seen when that was read.
	Start, Seen time.Time
	Program     string
	// Failed are the hosts that have failed it so far.
	Failed []string
	// Backlog is set if the line about its beginning was old when it was read: the end may
	// have been lost long ago, so the line does not prove that the pull goes on.
	Backlog bool
}

// fromBacklog reports whether a pull began before the agent started, or its beginning was
// not read as it was written.
func (j *Joiner) fromBacklog(p *pull) bool {
	return p.a.Start.Before(j.cfg.Started) || p.seen.Sub(p.a.Start) > liveFor
}

// InFlight is the number of pulls that have begun and not ended.
func (j *Joiner) InFlight() int { return j.begun.Len() }

// Begun lists them, the oldest first.
func (j *Joiner) Begun() []InFlight {
	pulls := make([]InFlight, 0, j.begun.Len())
	for p := range j.allBegun {
		f := InFlight{
			UID: p.inFlightUID(j.cfg.Node), Image: p.a.Image, Ref: p.a.Ref, Registry: p.a.Registry, Repository: p.ref.path,
			Start: p.a.Start, Seen: p.seen, Program: p.origin.Program,
			Backlog: j.fromBacklog(p),
		}
		for _, h := range j.unclaimed.of(p, p.a.Start, time.Time{}) {
			f.Failed = append(f.Failed, h.s.Host.Host)
		}
		pulls = append(pulls, f)
	}
	return pulls
}

// allBegun yields the pulls in flight, the oldest first.
func (j *Joiner) allBegun(yield func(*pull) bool) {
	for e := j.begun.Front(); e != nil; e = e.Next() {
		if !yield(e.Value.(*pull)) { //nolint:errcheck // the list holds nothing else
			return
		}
	}
}

// inFlightUID is that of the attempt in the making. It is asked for often and hashed once.
func (p *pull) inFlightUID(node string) string {
	if p.uid == "" {
		p.uid = uid(node, p.origin)
	}
	return p.uid
}

// restart ends the pulls that began before a process of the runtime did.
func (j *Joiner) restart(s detect.Signal, now time.Time) {
	j.lose(s.Time, now, func(p *pull) bool {
		return p.origin.Program == s.Program && p.origin.Pos.Source == s.Pos.Source
	})
}

// RuntimeGone ends the pulls that began before the process of the runtime ended:
// nobody else will. What the kubelet says about them may still come.
func (j *Joiner) RuntimeGone(at, now time.Time) {
	j.lose(at, now, func(*pull) bool { return true })
}

func (j *Joiner) lose(at, now time.Time, its func(*pull) bool) {
	for _, p := range slices.Collect(j.allBegun) {
		if !p.a.Start.Before(at) || !its(p) {
			continue
		}
		p.runtime = true
		p.a.Program = p.origin.Program
		p.a.Failure = detect.RuntimeLost()
		p.a.End, p.a.Observed = at, now
		j.collectHosts(p)
		j.end(p, p.origin, now)
	}
}
