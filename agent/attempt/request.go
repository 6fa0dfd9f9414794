package attempt

import "pullcause/agent/detect"

// maxFinishedRequests bounds the requests that are remembered after their pulls have left.
const maxFinishedRequests = 256

// requests finds the pulls of CRI-O by the ids of their requests. The id is all that its
// lines about one pull have in common: the line about the end of a pull does not name the
// image, or names it by its digest (cri-o v1.30.5 to v1.36.3 server/image_pull.go).
type requests struct {
	known    map[string]*request
	finished []string // ids of pulls that have left, the oldest first
}

type request struct {
	pull  *pull // nil once it has left
	image string
	// failed is set once CRI-O has reported the failure: at debug level it does so twice.
	failed bool
}

// requestID is the id by which a line of CRI-O is joined, empty where there is none. The
// trace id of other runtimes is shared by all pulls of a pod.
func requestID(s detect.Signal) string {
	if s.Program != detect.CRIO {
		return ""
	}
	return s.RequestID
}

// of returns the request that a line belongs to, nil if no other line of it was read.
func (r *requests) of(s detect.Signal) *request {
	id := requestID(s)
	if id == "" {
		return nil
	}
	return r.known[id]
}

// begin notes that a line belongs to a pull.
func (r *requests) begin(p *pull, s detect.Signal) {
	id := requestID(s)
	if id == "" {
		return
	}
	q := r.known[id]
	if q == nil || q.pull != nil && q.pull != p || s.Kind == detect.PullStarted {
		q = r.add(id)
	}
	q.pull, q.image = p, p.a.Image
	p.request = id
}

func (r *requests) add(id string) *request {
	if r.known == nil {
		r.known = make(map[string]*request)
	}
	q := &request{}
	r.known[id] = q
	return q
}

// leave notes that a pull has left. Its request stays known for a while, so that a
// further line about it opens no other pull.
func (r *requests) leave(p *pull) {
	if q := r.known[p.request]; q != nil && q.pull == p {
		q.pull = nil
		r.finish(p.request)
	}
}

// finish bounds the requests that have no pull.
func (r *requests) finish(id string) {
	if len(r.finished) >= maxFinishedRequests {
		if oldest := r.known[r.finished[0]]; oldest != nil && oldest.pull == nil {
			delete(r.known, r.finished[0])
		}
		r.finished = append(r.finished[:0], r.finished[1:]...)
	}
	r.finished = append(r.finished, id)
}

// addToRequest uses the id of a line's request: it fills in the image, adds a failed host to
// the pull of the request, and drops what repeats a known failure. It reports whether the
// line needs no further handling.
func (j *Joiner) addToRequest(s *detect.Signal) (done bool) {
	q := j.requests.of(*s)
	if q == nil {
		if id := requestID(*s); id != "" && s.Kind == detect.PullFailed {
			j.requests.add(id).failed = true
			j.requests.finish(id)
		}
		return false
	}
	if q.image != "" {
		s.Image = q.image
	}
	switch {
	case s.Kind == detect.PullStarted:
		return q.pull != nil && !q.pull.ended
	case s.Kind == detect.HostFailed && q.pull != nil:
		q.pull.addHost(*s)
		return true
	case s.Kind == detect.PullFailed && q.failed:
		if q.pull != nil {
			q.pull.add(*s)
		}
		return true
	case s.Kind == detect.PullFailed:
		q.failed = true
	}
	return false
}
