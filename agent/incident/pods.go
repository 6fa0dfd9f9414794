package incident

import (
	"slices"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// PodGone takes a deleted pod out of every incident and abandons those that
// nobody waits for any more.
func (s *Store) PodGone(pod detect.Pod, now time.Time, emit func(Change)) {
	if len(s.waiting) == 0 {
		return // as on nearly every node
	}
	noted := false
	for _, name := range namesOf(pod) {
		for _, e := range slices.Clone(s.waiting[name]) {
			if !noted {
				s.noteGone(pod, now)
				noted = true
			}
			s.forgetPod(e, pod)
			if len(e.Pods) == 0 && e.PodsDropped == 0 {
				s.abandon(e, now, emit)
			}
		}
	}
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

// namesOf are the keys under which a pod is known to wait.
func namesOf(p detect.Pod) []string {
	names := make([]string, 0, 2)
	if p.UID != "" {
		names = append(names, p.UID)
	}
	if p.Name != "" {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return names
}

// forgetPod takes a pod, all its containers, out of an open incident.
func (s *Store) forgetPod(e *entry, pod detect.Pod) {
	e.Pods = slices.DeleteFunc(e.Pods, func(p attempt.Pod) bool {
		if !samePod(p.Pod, pod) {
			return false
		}
		s.unwait(e, p.Pod)
		return true
	})
}

// wait notes that a pod waits for an incident, unwait that it no longer does.
func (s *Store) wait(e *entry, pod detect.Pod) {
	for _, name := range namesOf(pod) {
		if !slices.Contains(s.waiting[name], e) {
			s.waiting[name] = append(s.waiting[name], e)
		}
	}
}

func (s *Store) unwait(e *entry, pod detect.Pod) {
	for _, name := range namesOf(pod) {
		rest := slices.DeleteFunc(s.waiting[name], func(other *entry) bool { return other == e })
		if len(rest) == 0 {
			delete(s.waiting, name)
		} else {
			s.waiting[name] = rest
		}
	}
}

func samePod(a, b detect.Pod) bool {
	if a.UID != "" && b.UID != "" {
		return a.UID == b.UID
	}
	return a.Name == b.Name && a.Namespace == b.Namespace
}

// owned is a pod that does not keep the log line alive that its names stood in:
// incidents stay for long.
func owned(p attempt.Pod) attempt.Pod {
	p.Namespace, p.Name, p.UID = strings.Clone(p.Namespace), strings.Clone(p.Name), strings.Clone(p.UID)
	p.Container, p.Reason = strings.Clone(p.Container), strings.Clone(p.Reason)
	return p
}

// addPods notes who waits.
func (s *Store) addPods(e *entry, pods []attempt.Pod) {
	for _, p := range pods {
		p = owned(p)
		at := slices.IndexFunc(e.Pods, func(have attempt.Pod) bool {
			return samePod(have.Pod, p.Pod) && have.Container == p.Container
		})
		switch {
		case at >= 0:
			if p.Kind == "" { // not every line tells
				p.Kind = e.Pods[at].Kind
			}
			e.Pods[at] = p
			s.wait(e, p.Pod)
		case len(e.Pods) < MaxPods:
			e.Pods = append(e.Pods, p)
			s.wait(e, p.Pod)
		default:
			e.PodsDropped++
		}
	}
}
