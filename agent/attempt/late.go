package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// maxRecent bounds what is remembered of attempts that were completed.
const maxRecent = 1000

// lateFor is how late a line may be read whose zone is not known. The kubelet's longest
// back-off, five minutes, makes the third attempt from now look like one of another zone.
const lateFor = 5 * time.Minute

// completed is what is remembered of an attempt after it has left.
type completed struct {
	heard
	uid       string
	began     bool   // its beginning was read
	leaf      string // that of its failure; empty if nobody told
	end, read time.Time
	pods      []Pod
}

func newCompleted(p *pull, a Attempt) completed {
	h := completed{heard: p.heard, uid: a.UID, began: p.began, end: a.End, read: a.Observed, pods: a.Pods}
	if a.Failure != nil {
		h.leaf = a.Failure.Leaf
	}
	return h
}

func (j *Joiner) remember(key string, h completed) {
	if len(j.recentOrder) >= maxRecent {
		oldest := j.recentOrder[0]
		j.recentOrder = j.recentOrder[1:]
		if rest := j.recent[oldest][1:]; len(rest) > 0 {
			j.recent[oldest] = rest
		} else {
			delete(j.recent, oldest)
		}
	}
	j.recent[key] = append(j.recent[key], h)
	j.recentOrder = append(j.recentOrder, key)
}

// reportLate emits a line about an attempt that has been completed: it adds a pod, or
// says the same once more, and is no attempt of its own. p is the pull that the line is
// about otherwise, nil if there is none. It reports false if the line is not late.
func (j *Joiner) reportLate(s detect.Signal, p *pull, emit func(Attempt)) bool {
	if p != nil && p.ended {
		return false
	}
	h := j.lacking(s, p)
	if h == nil {
		return false
	}
	if p != nil && fromRuntime(s) && !h.began {
		j.remove(p) // how the same attempt began, held back with its end
	}
	a := fromSignal(s, j.refs.parse(signalImage(s)))
	a.UID, a.Late, a.Hosts = h.uid, true, nil
	h.note(s)
	if len(h.pods) == 0 {
		h.pods = a.Pods
	}
	emit(a)
	return true
}

// lacking finds the last attempt of which a line may have been missing, one of the same
// time before one of another zone's, if more is to come of that: what was written at other
// times may be read at once. nil if there is none.
func (j *Joiner) lacking(s detect.Signal, p *pull) (found *completed) {
	recent := j.recent[j.key(s)]
	for i := range slices.Backward(recent) {
		h := &recent[i]
		if !h.lacks(s, p) {
			continue
		}
		switch j.closeness(h.end, &h.heard, s) {
		case exact:
			return h
		case acrossZones:
			if found == nil && !h.whole(h.pods) && sameLeaf(h.leaf, s) && s.Observed.Sub(h.read) <= lateFor {
				found = h
			}
		}
	}
	return found
}

// lacks reports whether a line, which is the end of p if not of this attempt, may have
// been missing from it.
func (h *completed) lacks(s detect.Signal, p *pull) bool {
	switch {
	case len(h.pods) > 0 && hasPod(s) && !samePod(h.pods[0], s):
		return false
	case fromRuntime(s):
		return !h.runtime && h.mayHaveFailedAs(s) && (p == nil || !h.endedBefore(p, s))
	default:
		return p == nil || !h.whole(h.pods)
	}
}

// mayHaveFailedAs compares errors: of what the kubelet refuses itself, as for
// registryPullQPS, the runtime never hears, and the next failure is another's.
func (h *completed) mayHaveFailedAs(s detect.Signal) bool {
	return sameLeaf(h.leaf, s)
}

// endedBefore reports whether a pull, of which s tells the end, began after this attempt
// had ended. Where the ends lie zones apart, so do the times that are compared.
func (h *completed) endedBefore(p *pull, s detect.Signal) bool {
	apart := h.end.Sub(s.Time).Round(zoneStep)
	return p.a.Start.Add(apart).After(h.end)
}
