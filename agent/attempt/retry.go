package attempt

import (
	"slices"

	"pullcause/agent/detect"
)

// joinCredentials makes one attempt of the pulls that the kubelet made for it, one with
// each credential it has for the image. Only its line on the pod tells that they belong
// together, since it repeats their errors in order: "[rpc error: … not found, … 403
// Forbidden]" (kubelet v1.24 to v1.37 pkg/kubelet/kuberuntime/kuberuntime_image.go). The
// error of the first stays the attempt's, the others are added to it.
func (j *Joiner) joinCredentials(s detect.Signal) {
	if s.Failure == nil || len(s.Failure.Others) == 0 || !hasPod(s) {
		return
	}
	tries := j.credentialTries(s)
	if len(tries) < 2 {
		return
	}
	first, last := tries[0], tries[len(tries)-1]
	f := *first.a.Failure
	f.Others = slices.Clone(f.Others)
	for _, p := range tries[1:] {
		if len(f.Others) < detect.MaxOthers {
			f.Others = append(f.Others, p.a.Failure)
		}
		first.join(p)
		j.remove(p)
	}
	first.a.Failure = &f
	first.a.End, first.a.Observed = last.a.End, last.a.Observed
}

// credentialTries finds the first pulls that ended in the errors of a line, in order: each
// began as soon as the one before it had failed, and the last one ended at the time of the
// line. The kubelet does not repeat an error: more pulls may have ended in the first one.
func (j *Joiner) credentialTries(s detect.Signal) []*pull {
	errs := append([]*detect.Failure{s.Failure}, s.Failure.Others...)
	pulls := slices.Clone(j.pulls[j.key(s)])
	pulls = slices.DeleteFunc(pulls, func(p *pull) bool {
		return !p.ended || !p.runtime || p.a.BackOff || p.a.Failure == nil || len(p.a.Pods) > 0
	})
	for i := range pulls {
		n := i + len(errs)
		if n > len(pulls) || !isSequence(pulls[i:n], errs) || j.closeness(pulls[n-1].a.End, &pulls[n-1].heard, s) < asWritten {
			continue
		}
		for i > 0 && pulls[i-1].precedes(pulls[i]) && pulls[i-1].a.Failure.Leaf == s.Failure.Leaf {
			i--
		}
		return pulls[i:n]
	}
	return nil
}

// isSequence reports whether pulls ended in errors, one after the other.
func isSequence(pulls []*pull, errs []*detect.Failure) bool {
	for i, p := range pulls {
		if p.a.Failure.Leaf != errs[i].Leaf || i > 0 && !pulls[i-1].precedes(p) {
			return false
		}
	}
	return true
}

// precedes reports whether a pull began as soon as this one had ended.
func (p *pull) precedes(next *pull) bool {
	pause := next.a.Start.Sub(p.a.End)
	return pause >= 0 && pause <= tolerance
}

// join adds what is known of another pull of the same attempt.
func (p *pull) join(q *pull) {
	p.lines = append(p.lines, q.lines...)
	if len(p.lines) > maxLines {
		p.lines, p.a.Truncated = p.lines[:maxLines], true
	}
	for _, s := range q.a.Spans {
		p.a.Spans = p.a.Spans.With(s)
	}
	p.a.Stalled = p.a.Stalled || q.a.Stalled
	p.a.Truncated = p.a.Truncated || q.a.Truncated
	p.a.Bytes += q.a.Bytes
	for _, h := range q.a.Hosts {
		if len(p.a.Hosts) < maxHosts && !p.hasHost(h) {
			p.a.Hosts = append(p.a.Hosts, h)
		}
	}
}
