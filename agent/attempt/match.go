package attempt

import (
	"slices"
	"time"

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
	for _, p := range slices.Backward(j.due) {
		if !p.gone && p.a.Image != "" && p.a.Failure != nil &&
			p.a.Failure.Text == s.Failure.Text && p.near(*s) {
			s.Image = p.a.Image
			return
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
	for _, p := range j.pulls[j.key(s)] {
		if p.ended && !p.runtime && !p.a.BackOff && p.near(s) && p.fits(s) {
			return p
		}
	}
	for _, p := range j.pulls[j.key(s)] {
		if !p.ended && p.fits(s) {
			return p
		}
	}
	return nil
}

// absorbBeginning gives to a pull, of which only the kubelet's lines have been
// read, what the runtime wrote when it began.
func (j *Joiner) absorbBeginning(p *pull, s detect.Signal) {
	begun := j.firstInFlight(s)
	if begun == nil {
		return
	}
	p.absorb(begun)
	for i := range j.loose {
		if j.loose[i].alone == begun {
			j.loose[i].alone = p
		}
	}
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

// forKubelet finds the attempt that a kubelet line speaks of. Of several for
// one image it takes the one that this container already belongs to, else the
// first that belongs to nobody: the kubelet writes its lines in the order in
// which the pulls ended.
func (j *Joiner) forKubelet(s detect.Signal) *pull {
	var free, inFlight *pull
	for _, p := range j.pulls[j.key(s)] {
		switch {
		case p.a.BackOff:
		case !p.ended:
			if inFlight == nil {
				inFlight = p
			}
		case !p.near(s):
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
	if free != nil {
		return free
	}
	return inFlight
}

// near reports whether a signal can be about this attempt by its time.
func (p *pull) near(s detect.Signal) bool { return p.nearAcrossZones(p.a.End, s) }

// zoneStep is what the offsets of all zones are multiples of, and zoneSpan how far two
// of them lie apart at most where one is UTC.
const (
	zoneStep = 15 * time.Minute
	zoneSpan = 14 * time.Hour
)

// nearAcrossZones reports whether a signal can be about an attempt that ended then.
// Where one side is the runtime's and one the kubelet's, whose lines carry no zone, the
// clocks may also lie zones apart.
func (h heard) nearAcrossZones(end time.Time, s detect.Signal) bool {
	if near(end, s.Time) {
		return true
	}
	if h.runtime == fromRuntime(s) {
		return false
	}
	d := end.Sub(s.Time).Abs()
	off := d % zoneStep
	return d <= zoneSpan+tolerance && (off <= tolerance || off >= zoneStep-tolerance)
}

// near reports whether two times can belong to one attempt.
func near(a, b time.Time) bool {
	return a.IsZero() || b.IsZero() || a.Sub(b).Abs() <= tolerance
}
