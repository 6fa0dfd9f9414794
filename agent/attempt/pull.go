package attempt

import (
	"container/list"
	"slices"
	"strings"
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// maxPods and maxLines bound what is kept of one attempt.
const (
	maxPods  = 100
	maxLines = maxHosts + maxPods
)

// pull is an attempt in the making.
type pull struct {
	key  string
	ref  ref
	a    Attempt
	seen time.Time // when its first line was read
	// origin is the line that the uid is made of: the runtime's about the beginning if that
	// was read, since it is known first in any order of reading, else the one about the end.
	origin detect.Signal
	// began is set if the runtime's line about its beginning was read.
	began bool
	// ended is set once a terminal line was read; deadline is when the window closes.
	ended    bool
	deadline time.Time
	heard
	gone bool
	// place is where it is among those in flight, nil if it is not.
	place *list.Element
	// hosts are those that failed while it was alone in flight and are still unclaimed.
	hosts []*unclaimedHost
	uid   string // while it is in flight, once it was asked for
	// request is the id of CRI-O's request, empty if unknown.
	request string
	lines   []line
}

// heard is who has spoken of an attempt.
type heard struct {
	// runtime is set once the runtime has told of the end.
	runtime bool
	// source is the kubelet's log that logged the end first, empty if none has.
	source string
	// podLines counts the kubelet's lines that name a pod; see lastWord.
	podLines int
}

// note takes notice of a line about the end.
func (h *heard) note(s detect.Signal) {
	if fromRuntime(s) && s.Kind == detect.PullFailed {
		h.runtime = true
	}
	if !fromRuntime(s) && h.source == "" {
		h.source = s.Pos.Source
	}
	if s.Program == detect.Kubelet && hasPod(s) {
		h.podLines++
	}
}

type line struct {
	at  time.Time
	raw string
}

// whole reports whether nothing more is to come: the runtime told of the end,
// and whoever names the pod has had its last word.
func (h heard) whole(pods []Pod) bool {
	return h.runtime && h.podLines >= lastWord(pods)
}

// lastWord is how many lines with the pod the kubelet writes about an attempt:
// "container … start failed in pod" and "Error syncing pod", and for a sandbox
// "Failed to create sandbox for pod", "CreatePodSandbox for pod failed" and
// "Error syncing pod"; of an image volume the latter alone (kubelet v1.24 to v1.37
// pkg/kubelet/kuberuntime).
func lastWord(pods []Pod) int {
	if len(pods) == 0 {
		return 2
	}
	switch pods[0].Kind {
	case detect.KindSandbox:
		return 3
	case detect.KindImageVolume:
		return 1
	default:
		return 2
	}
}

// add notes a line: its text, its place and its time.
func (p *pull) add(s detect.Signal) {
	p.addLine(s)
	p.addSpan(s)
	if p.a.Start.IsZero() || !p.began && !s.Time.IsZero() && s.Time.Before(p.a.Start) {
		p.a.Start = s.Time
	}
	if s.Bytes > p.a.Bytes {
		p.a.Bytes = s.Bytes
	}
	if s.Duration > 0 {
		p.a.Duration = s.Duration
	}
	if s.Reason != "" {
		p.a.Reason = s.Reason
	}
}

func (p *pull) addLine(s detect.Signal) {
	if s.Raw == "" || len(p.lines) > 0 && p.lines[len(p.lines)-1].raw == s.Raw {
		return
	}
	if len(p.lines) >= maxLines {
		p.a.Truncated = true
		return
	}
	p.lines = append(p.lines, line{at: s.Time, raw: s.Raw})
}

func (p *pull) addSpan(s detect.Signal) {
	if s.Pos.Source == "" {
		return
	}
	p.a.Spans = p.a.Spans.With(logtail.Span{First: s.Pos, Last: s.End})
}

// absorb adds what is known of the same pull from before.
func (p *pull) absorb(q *pull) {
	if q.began {
		p.origin, p.began, p.a.Start = q.origin, true, q.a.Start
	}
	p.lines = append(q.lines, p.lines...)
	if !q.a.Start.IsZero() && q.a.Start.Before(p.a.Start) {
		p.a.Start = q.a.Start
	}
	p.a.Stalled = p.a.Stalled || q.a.Stalled
	for _, s := range q.a.Spans {
		p.a.Spans = p.a.Spans.With(s)
	}
}

// identifyBy makes a line about the end the one that the uid is made of, if nothing better
// is known.
func (p *pull) identifyBy(s detect.Signal) {
	if !p.began {
		p.origin = s
	}
}

func (p *pull) setEnd(s detect.Signal) {
	p.a.End, p.a.Observed = s.Time, s.Observed
}

func (p *pull) hasPod(s detect.Signal) bool {
	return slices.ContainsFunc(p.a.Pods, func(have Pod) bool { return samePod(have, s) })
}

// samePod compares by uid where both sides know it; a line of an old kubelet
// has the name only.
func samePod(have Pod, s detect.Signal) bool {
	if have.Container != "" && s.Container != "" && have.Container != s.Container {
		return false
	}
	if have.UID != "" && s.Pod.UID != "" {
		return have.UID == s.Pod.UID
	}
	return have.Namespace == s.Pod.Namespace && have.Name == s.Pod.Name
}

func (p *pull) addPod(s detect.Signal) {
	if !hasPod(s) {
		return
	}
	if by := attribution(s); p.a.Attribution == "" || by == ByKubelet {
		p.a.Attribution = by
	}
	for i := range p.a.Pods {
		if samePod(p.a.Pods[i], s) {
			p.a.Pods[i].fill(s)
			return
		}
	}
	if len(p.a.Pods) >= maxPods {
		return
	}
	p.a.Pods = append(p.a.Pods, Pod{Pod: s.Pod, Container: s.Container, Kind: s.ContainerKind, Reason: s.Reason})
}

// fill adds what a further line knows of the same container.
func (p *Pod) fill(s detect.Signal) {
	if p.Namespace == "" {
		p.Namespace, p.Name = s.Pod.Namespace, s.Pod.Name
	}
	if p.UID == "" {
		p.UID = s.Pod.UID
	}
	if p.Container == "" {
		p.Container = s.Container
	}
	// The line on the pod does not tell init from ordinary containers, the one
	// on the container does.
	if p.Kind == "" || p.Kind == detect.KindContainer && s.ContainerKind != "" {
		p.Kind = s.ContainerKind
	}
	if s.Reason != "" {
		p.Reason = s.Reason
	}
}

// finish makes the attempt out of what was collected.
func (p *pull) finish(node string) Attempt {
	a := p.a
	a.Registry = p.ref.registryOf(a.Failure)
	a.Whole = p.whole(p.a.Pods)
	if a.Succeeded { // nearly all do: a hash would cost more than the rest
		a.UID = place(p.origin)
	} else {
		a.UID = uid(node, p.origin)
	}
	if a.Attribution == "" {
		a.Attribution = ByNobody
	}
	for i := range a.Hosts {
		a.Hosts[i].Role = role(a.Hosts[i], a.Registry)
	}
	a.Hosts = withTerminal(a.Hosts, a.Failure, p.ref)
	a.Lines, a.Truncated = joined(p.lines, a.Truncated)
	return a
}

// joined puts the lines in the order in which they were written.
func joined(lines []line, truncated bool) (string, bool) {
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	size := 0
	for _, l := range lines {
		size += len(l.raw) + 1
	}
	var b strings.Builder
	b.Grow(min(size, detect.MaxRaw))
	for i, l := range lines {
		room := detect.MaxRaw - b.Len()
		if i > 0 {
			room--
		}
		raw := l.raw
		if len(raw) > room {
			truncated = true
			if room <= 0 {
				break
			}
			raw = strings.ToValidUTF8(raw[:room], "")
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(raw)
	}
	return b.String(), truncated
}
