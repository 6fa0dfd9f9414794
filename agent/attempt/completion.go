package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// end starts the window of a pull at its first terminal line.
func (j *Joiner) end(p *pull, s detect.Signal, now time.Time) {
	if p.ended {
		return
	}
	p.ended = true
	j.leaveFlight(p)
	p.deadline = now.Add(j.cfg.Window)
	if p.a.End.IsZero() {
		p.setEnd(s)
	}
	j.due = append(j.due, p)
}

// leaveFlight takes a pull off the list of those in flight.
func (j *Joiner) leaveFlight(p *pull) {
	if p.place != nil {
		j.begun.Remove(p.place)
		p.place = nil
	}
}

// complete emits a pull as an attempt and forgets it, except for what is needed to know a
// late line about it.
func (j *Joiner) complete(p *pull, emit func(Attempt)) {
	j.absorbOwn(p)
	if !p.a.Succeeded && !p.a.BackOff {
		p.a.Credential = j.credential(p)
	}
	j.remove(p)
	j.measure(p)
	a := p.finish(j.cfg.Node)
	if !a.Succeeded && !a.BackOff {
		j.remember(p.key, newCompleted(p, a))
	}
	emit(a)
}

func (j *Joiner) remove(p *pull) {
	p.gone = true
	j.requests.leave(p)
	j.unclaimed.leave(p)
	j.leaveFlight(p)
	j.count--
	rest := slices.DeleteFunc(j.pulls[p.key], func(q *pull) bool { return q == p })
	if len(rest) == 0 {
		delete(j.pulls, p.key)
		return
	}
	j.pulls[p.key] = rest
}

// Expire emits the attempts whose window has ended by now, and forgets pulls
// that never ended.
func (j *Joiner) Expire(now time.Time, emit func(Attempt)) {
	j.now = now
	for len(j.due) > 0 && (j.due[0].gone || !j.due[0].deadline.After(now)) {
		if p := j.nextDue(); !p.gone {
			j.complete(p, emit)
		}
	}
	for j.begun.Len() > 0 && now.Sub(j.oldestBegun().seen) > j.cfg.Forget {
		j.forget()
	}
}

// forget gives up the oldest pull in flight.
func (j *Joiner) forget() {
	j.remove(j.oldestBegun())
	j.forgotten++
}

func (j *Joiner) oldestBegun() *pull {
	return j.begun.Front().Value.(*pull) //nolint:errcheck // the list holds nothing else
}

// Flush emits every attempt that has ended, at once. Pulls in flight stay.
func (j *Joiner) Flush(emit func(Attempt)) {
	for _, p := range j.due {
		if !p.gone {
			j.complete(p, emit)
		}
	}
	j.due = nil
}

// Deadline is when Expire has something to emit; ok is false if nothing waits.
func (j *Joiner) Deadline() (at time.Time, ok bool) {
	for _, p := range j.due {
		if !p.gone {
			return p.deadline, true
		}
	}
	return time.Time{}, false
}

// Forgotten is the number of pulls that began and were given up because
// no line reported their end.
func (j *Joiner) Forgotten() int64 { return j.forgotten }

// bound keeps the number of open pulls within MaxOpen, and the queue free of
// those that have left.
func (j *Joiner) bound(emit func(Attempt)) {
	for len(j.due) > 0 && (j.due[0].gone || j.count > j.cfg.MaxOpen) {
		if p := j.nextDue(); !p.gone {
			j.complete(p, emit)
		}
	}
	for j.count > j.cfg.MaxOpen && j.begun.Len() > 0 {
		j.forget()
	}
}

func (j *Joiner) nextDue() *pull {
	p := j.due[0]
	j.due[0] = nil
	j.due = j.due[1:]
	return p
}
