package attempt

import (
	"slices"

	"pullcause/agent/detect"
)

// container names a container of a pod; it is the key of what its image was.
type container struct {
	uid, namespace, pod, name string
}

func containerOf(s detect.Signal) container {
	if s.Pod.UID != "" {
		return container{uid: s.Pod.UID, name: s.Container}
	}
	return container{namespace: s.Pod.Namespace, pod: s.Pod.Name, name: s.Container}
}

// maxContainers bounds the remembered images of containers.
const maxContainers = 4096

// resolveImage fills in the image of a kubelet line that does not name it,
// from an earlier line about the same container or from an attempt that ended
// in the same error just now.
func (j *Joiner) resolveImage(s *detect.Signal) {
	image := signalImage(*s)
	if image != "" {
		j.rememberImage(*s, image)
		return
	}
	if !hasPod(*s) {
		return
	}
	if known, ok := j.images[containerOf(*s)]; ok {
		s.Image = known
		return
	}
	if s.Failure == nil {
		return
	}
	best := far
	for _, p := range slices.Backward(j.due) {
		if p.gone || p.a.Image == "" || p.a.Failure == nil || p.a.Failure.Text != s.Failure.Text {
			continue
		}
		if c := j.closeness(p.a.End, &p.heard, *s); c > best {
			s.Image, best = p.a.Image, c
		}
	}
}

func (j *Joiner) rememberImage(s detect.Signal, image string) {
	if !hasPod(s) || s.Container == "" {
		return
	}
	if len(j.images) >= maxContainers {
		clear(j.images)
	}
	j.images[containerOf(s)] = image
}

// key is what the lines of one pull have in common. Without an image it is the
// container, so that at least its own lines meet.
func (j *Joiner) key(s detect.Signal) string {
	if image := signalImage(s); image != "" {
		return j.refs.parse(image).key(image)
	}
	return s.Pod.Namespace + "/" + s.Pod.Name + "/" + s.Container
}

// firstInFlight is the oldest pull in flight that a line of the runtime can be about.
func (j *Joiner) firstInFlight(s detect.Signal) *pull {
	for _, p := range j.pulls[j.key(s)] {
		if !p.ended && p.fits(s) {
			return p
		}
	}
	return nil
}

// forRuntime finds the pull whose end the runtime tells: one whose end only
// the kubelet has told so far, else the oldest in flight.
func (j *Joiner) forRuntime(s detect.Signal) *pull {
	var found *pull
	best := far
	for _, p := range j.pulls[j.key(s)] {
		if !p.ended || p.runtime || p.a.BackOff || !p.fits(s) {
			continue
		}
		if c := j.closeness(p.a.End, &p.heard, s); c > best && (c == exact || p.mayHaveFailedAs(s)) {
			found, best = p, c
		}
	}
	if best >= asWritten {
		return found
	}
	if p := j.sameError(s); p != nil {
		return p
	}
	if found != nil {
		return found
	}
	return j.firstInFlight(s)
}

// mayHaveFailedAs reports whether a line can tell the error that a pull failed with.
func (p *pull) mayHaveFailedAs(s detect.Signal) bool {
	return p.a.Failure == nil || sameLeaf(p.a.Failure.Leaf, s)
}

// sameLeaf compares errors; an unknown one equals any other.
func sameLeaf(leaf string, s detect.Signal) bool {
	return leaf == "" || s.Failure == nil || s.Failure.Leaf == "" || s.Failure.Leaf == leaf
}

// absorbBeginning gives to a pull, of which only the kubelet's lines have been
// read, what the runtime wrote when it began.
func (j *Joiner) absorbBeginning(p *pull, s detect.Signal) {
	begun := j.firstInFlight(s)
	if begun == nil {
		return
	}
	j.absorb(p, begun)
}

// absorbOwn adds the runtime's first lines to a pull whose end only the kubelet logged, if
// they were read later.
func (j *Joiner) absorbOwn(p *pull) {
	if p.runtime || p.began || p.source == "" || p.a.BackOff {
		return
	}
	end := detect.Signal{Program: detect.Kubelet, Time: p.a.End}
	end.Pos.Source = p.source
	begun := firstOf(j.pulls[p.key], func(q *pull) bool {
		return !q.ended && j.mayBeOf(q, end) && !q.a.Start.After(j.corrected(end))
	})
	if begun != nil {
		j.absorb(p, begun)
	}
}

func (j *Joiner) absorb(p, begun *pull) {
	p.absorb(begun)
	j.unclaimed.move(begun, p)
	j.remove(begun)
}

// fits reports whether a signal's pod is, or may become, a pod of the pull, and its request
// is, or may be, the one that the pull is made for.
func (p *pull) fits(s detect.Signal) bool {
	if id := requestID(s); id != "" && p.request != "" && p.request != id {
		return false
	}
	return !hasPod(s) || len(p.a.Pods) == 0 || p.hasPod(s)
}

// forKubelet finds the attempt that a kubelet line speaks of: one that ended at the time
// of the line, else one in flight then, else one that ended a whole number of zones away.
func (j *Joiner) forKubelet(s detect.Signal) *pull {
	pulls := j.pulls[j.key(s)]
	for _, c := range [...]closeness{exact, asWritten} {
		if p := j.endedAt(pulls, s, c); p != nil {
			return p
		}
	}
	if p := j.sameError(s); p != nil {
		return p
	}
	inFlight := firstOf(pulls, func(p *pull) bool { return !p.ended })
	if inFlight != nil && j.mayBeOf(inFlight, s) {
		return inFlight
	}
	if p := j.endedAt(pulls, s, acrossZones); p != nil {
		return p
	}
	return inFlight
}

func firstOf(pulls []*pull, has func(*pull) bool) *pull {
	if i := slices.IndexFunc(pulls, has); i >= 0 {
		return pulls[i]
	}
	return nil
}

// mayBeOf reports whether a kubelet line was written while a pull was in flight. A line of
// an unknown zone was not, or the pull takes longer than the steps of the zones.
func (j *Joiner) mayBeOf(p *pull, s detect.Signal) bool {
	since := j.corrected(s).Sub(p.a.Start)
	return since >= -tolerance && since < zoneStep-tolerance
}

// endedAt finds the attempt that a kubelet line speaks of among those that are as close as
// that. Of several for one image it takes the one that this container already belongs to,
// else the first that is unclaimed: the kubelet writes its lines in the order in
// which the pulls ended.
func (j *Joiner) endedAt(pulls []*pull, s detect.Signal, c closeness) *pull {
	var free *pull
	for _, p := range pulls {
		switch {
		case p.a.BackOff || !p.ended || j.closeness(p.a.End, &p.heard, s) != c:
		case c != exact && !p.mayHaveFailedAs(s):
		case hasPod(s) && p.hasPod(s):
			if p.podLines < lastWord(p.a.Pods) {
				return p
			}
		case !hasPod(s):
			if free == nil || free.podLines > 0 && p.podLines == 0 {
				free = p
			}
		case len(p.a.Pods) == 0 && free == nil:
			free = p
		}
	}
	return free
}
