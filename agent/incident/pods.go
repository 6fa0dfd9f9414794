package incident

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unique"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// PodGone takes a deleted pod out of every incident and abandons those that
// nobody waits for any more.
func (s *Store) PodGone(pod detect.Pod, now time.Time, emit func(Change)) {
	if len(s.waiting) == 0 {
		return // as on nearly every node
	}
	for i, e := range s.waitingFor(pod) {
		if i == 0 {
			s.noteGone(pod, now)
		}
		if e.forgotten { // to make room, a moment ago
			continue
		}
		s.forgetPod(e, pod)
		s.note(e)
		if len(e.Pods) == 0 && e.PodsDropped == 0 {
			s.abandon(e, now, emit)
		}
	}
}

// Waits reports whether a pod waits for an open incident.
func (s *Store) Waits(pod detect.Pod) bool { return len(s.waiting) > 0 && len(s.waitingFor(pod)) > 0 }

// waitingFor are the open incidents that a pod waits for.
func (s *Store) waitingFor(pod detect.Pod) (all []*entry) {
	if pod.Name != "" {
		all = slices.Clone(s.waiting[pod.Namespace+"/"+pod.Name])
		for _, e := range s.waiting[pod.UID] { // of those that tell no name
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
		return all
	}
	for _, e := range s.open { // nobody tells of a deleted pod by its uid alone, as yet
		if slices.ContainsFunc(e.Pods, func(p attempt.Pod) bool { return samePod(p.Pod, pod) }) {
			all = append(all, e)
		}
	}
	return all
}

// Pods that were deleted are known for a while: what the kubelet said of one just
// before may be heard after it, and must not begin an incident.
const (
	maxGone    = 256
	forgetGone = time.Minute
)

type gonePod struct {
	detect.Pod
	at time.Time
}

func (s *Store) noteGone(pod detect.Pod, now time.Time) {
	s.gone = slices.DeleteFunc(s.gone, func(g gonePod) bool { return now.Sub(g.at) > forgetGone })
	if len(s.gone) == maxGone {
		s.gone = slices.Delete(s.gone, 0, 1)
	}
	s.gone = append(s.gone, gonePod{Pod: pod, at: now})
}

// withoutGone are the pods that were not deleted.
func (s *Store) withoutGone(pods []attempt.Pod, now time.Time) []attempt.Pod {
	var left []attempt.Pod
	for _, p := range pods {
		if !slices.ContainsFunc(s.gone, func(g gonePod) bool { return samePod(g.Pod, p.Pod) && now.Sub(g.at) <= forgetGone }) {
			left = append(left, p)
		}
	}
	return left
}

// nameOf is the key under which a pod is known to wait.
func nameOf(p detect.Pod) string {
	if p.Name != "" {
		return p.Namespace + "/" + p.Name
	}
	return p.UID
}

// forgetPod takes a pod, all its containers, out of an open incident.
func (s *Store) forgetPod(e *entry, pod detect.Pod) {
	var gone []string
	e.Pods = slices.DeleteFunc(e.Pods, func(p attempt.Pod) bool {
		same := samePod(p.Pod, pod)
		if same {
			gone = append(gone, nameOf(p.Pod))
		}
		return same
	})
	for _, name := range gone {
		s.unwait(e, name)
	}
}

// wait notes that a pod waits for an incident, unwait that one of a name no longer does.
func (s *Store) wait(e *entry, pod detect.Pod) {
	name := nameOf(pod)
	if name != "" && !slices.Contains(s.waiting[name], e) {
		s.waiting[name] = append(s.waiting[name], e)
	}
}

func (s *Store) unwait(e *entry, name string) {
	// A StatefulSet's next pod has the name of the last one.
	if slices.ContainsFunc(e.Pods, func(p attempt.Pod) bool { return nameOf(p.Pod) == name }) {
		return
	}
	s.forgetWaiting(e, name)
}

func (s *Store) forgetWaiting(e *entry, name string) {
	rest := slices.DeleteFunc(s.waiting[name], func(other *entry) bool { return other == e })
	if len(rest) == 0 {
		delete(s.waiting, name)
	} else {
		s.waiting[name] = rest
	}
}

func samePod(a, b detect.Pod) bool {
	if a.UID != "" && b.UID != "" {
		return a.UID == b.UID
	}
	return a.Name == b.Name && a.Namespace == b.Namespace
}

// ownedPod is a pod that does not keep the log line alive that its names stood in:
// incidents stay for long. What many pods have in common is kept once.
func ownedPod(p attempt.Pod) attempt.Pod {
	p.Name, p.UID = strings.Clone(p.Name), strings.Clone(p.UID)
	p.Namespace, p.Container, p.Reason = unique.Make(p.Namespace).Value(), unique.Make(p.Container).Value(), unique.Make(p.Reason).Value()
	return p
}

// addPods notes who waits.
func (s *Store) addPods(e *entry, pods []attempt.Pod) {
	size := 0
	for i := range e.Pods {
		size += textOfPod(&e.Pods[i])
	}
	for _, p := range pods {
		p = ownedPod(p)
		at := slices.IndexFunc(e.Pods, func(have attempt.Pod) bool {
			return samePod(have.Pod, p.Pod) && have.Container == p.Container
		})
		switch {
		case at >= 0:
			if p.Kind == "" { // not every line tells
				p.Kind = e.Pods[at].Kind
			}
			old := nameOf(e.Pods[at].Pod)
			e.Pods[at] = p
			s.unwait(e, old) // not every line tells the name either
			s.wait(e, p.Pod)
		case len(e.Pods) < MaxPods && size+textOfPod(&p) <= maxPodsOf:
			size += textOfPod(&p)
			e.Pods = append(e.Pods, p)
			s.wait(e, p.Pod)
			e.takeBack(p)
		default:
			e.leaveOut(p)
		}
	}
}

// maxDropped bounds the pods beyond [MaxPods] that are told from each other: together 500,
// and no node has many more.
const maxDropped = 400

// leaveOut counts a pod that there is no room for, once however often it tries.
func (e *entry) leaveOut(p attempt.Pod) {
	sum := sumOf(p)
	if len(e.dropped) < maxDropped && !slices.Contains(e.dropped, sum) {
		e.dropped = append(e.dropped, sum)
		e.PodsDropped = len(e.dropped)
	}
}

// takeBack notes that there is room for a pod now.
func (e *entry) takeBack(p attempt.Pod) {
	if len(e.dropped) == 0 {
		return
	}
	if i := slices.Index(e.dropped, sumOf(p)); i >= 0 {
		e.dropped = slices.Delete(e.dropped, i, i+1)
		e.PodsDropped = len(e.dropped)
	}
}

// sumOf stands for a pod's container.
func sumOf(p attempt.Pod) uint32 {
	h := fnv.New32a()
	h.Write([]byte(nameOf(p.Pod) + "/" + p.Container))
	return h.Sum32()
}
