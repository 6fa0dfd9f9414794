package attempt

import (
	"container/list"
	"slices"
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// Config of a [Joiner].
type Config struct {
	// Node goes into the uid of each attempt.
	Node string
	// Started is when the agent started; see [InFlight.Backlog].
	Started time.Time
	// Window is how long to wait for further lines after the first terminal one.
	Window time.Duration
	// Forget is after how long a pull that never ended is given up.
	Forget time.Duration
	// MaxOpen bounds the attempts that are being joined; beyond it the oldest
	// is completed early, or forgotten if no line reported its end.
	MaxOpen int
}

// Joiner collects the lines of each pull until the attempt is whole. It is not
// safe for concurrent use. The zero value is not usable; see [NewJoiner].
type Joiner struct {
	cfg   Config
	refs  references
	pulls map[string][]*pull // by key, oldest first
	due   []*pull            // ended, in the order of their deadlines; may hold some that have left
	begun *list.List         // of *pull: in flight, in the order in which they began
	count int

	requests    requests
	runtime     runtimeClock
	clocks      map[string]*clock // by the kubelet's log
	unclaimed   unclaimedHosts
	credentials credentials
	volumes     []detect.Signal
	images      map[container]string // what a container's image was
	recent      map[string][]completed
	recentOrder []string
	forgotten   int64
	implausible int64
	now         time.Time // when it was called last
}

// NewJoiner returns an empty joiner.
func NewJoiner(cfg Config) *Joiner {
	return &Joiner{
		cfg:       cfg,
		begun:     list.New(),
		unclaimed: newUnclaimedHosts(),
		pulls:     make(map[string][]*pull),
		images:    make(map[container]string),
		clocks:    make(map[string]*clock),
		recent:    make(map[string][]completed),
	}
}

// Add takes one signal, read at now, and emits the attempts that it completes.
// Signals of one source come in their order; those of several interleave.
func (j *Joiner) Add(s detect.Signal, now time.Time, emit func(Attempt)) {
	j.now = now
	j.withYear(&s, now)
	if isVolumeNote(s) {
		j.noteVolume(s)
		return
	}
	if j.addToRequest(&s) {
		return
	}
	switch s.Kind {
	case detect.PullStarted:
		j.start(s, now)
	case detect.HostFailed:
		j.addHost(s, now)
	case detect.PullProgress:
		j.progress(s)
	case detect.PullStalled:
		j.stall(s, now, emit)
	case detect.PullSucceeded:
		j.succeed(s, now, emit)
	case detect.CredentialProblem:
		j.rememberCredential(s, now)
	case detect.BackOff:
		j.backOff(s, now)
	case detect.RuntimeStarted:
		j.restart(s, now)
	case detect.PullFailed:
		if fromRuntime(s) {
			j.runtimeFailed(s, now, emit)
		} else {
			j.kubeletFailed(s, now, emit)
		}
	}
	j.bound(emit)
}

// fromRuntime reports whether the runtime itself said so.
func fromRuntime(s detect.Signal) bool {
	return s.Program != detect.Kubelet && s.Program != detect.Event
}

func (j *Joiner) start(s detect.Signal, now time.Time) {
	p := j.open(s, now)
	p.a.Start, p.began = s.Time, true
	p.place = j.begun.PushBack(p)
}

// progress notes how much was read. The line names the pull by its reference
// alone; it is written just before the terminal line of the same pull.
func (j *Joiner) progress(s detect.Signal) {
	if j.count == 0 {
		return
	}
	for _, p := range j.pulls[j.key(s)] {
		if p.a.Bytes == 0 && !p.a.BackOff {
			p.a.Bytes = s.Bytes
			p.add(s)
			return
		}
	}
}

func (j *Joiner) stall(s detect.Signal, now time.Time, emit func(Attempt)) {
	p := j.forRuntime(s) // the kubelet's log may have been read first
	if p == nil {
		if j.reportLate(s, nil, emit) {
			return
		}
		p = j.open(s, now)
		j.end(p, s, now)
	}
	p.a.Stalled = true
	p.add(s)
	if s.Program == detect.CRIO { // it cancels the pull and logs no error (cri-o v1.36.3 server/image_pull.go)
		p.a.Program = s.Program
		j.end(p, s, now)
	}
}

func (j *Joiner) succeed(s detect.Signal, now time.Time, emit func(Attempt)) {
	if !fromRuntime(s) {
		return
	}
	j.completeFailed(s, emit)
	p := j.firstInFlight(s)
	if p == nil {
		p = j.open(s, now)
	}
	p.add(s)
	p.a.Succeeded, p.a.Program = true, s.Program
	p.setEnd(s)
	j.collectHosts(p)
	j.complete(p, emit)
}

// completeFailed emits the failed pulls of an image before a later pull of it succeeds, so
// that they are reported in their order.
func (j *Joiner) completeFailed(s detect.Signal, emit func(Attempt)) {
	if signalImage(s) == "" {
		return
	}
	for _, failed := range slices.Clone(j.pulls[j.key(s)]) {
		if failed.ended && !failed.a.BackOff && !failed.a.End.After(s.Time) {
			j.complete(failed, emit)
		}
	}
}

func (j *Joiner) runtimeFailed(s detect.Signal, now time.Time, emit func(Attempt)) {
	p := j.forRuntime(s)
	if j.reportLate(s, p, emit) {
		return
	}
	if p == nil {
		p = j.open(s, now)
	}
	if p.ended && !p.began { // the kubelet's log was read first
		j.absorbBeginning(p, s)
	}
	j.requests.begin(p, s)
	j.end(p, s, now)
	if !p.runtime && p.source != "" {
		j.sampleClock(p.source, s.Time, p.a.End)
	}
	p.note(s)
	p.identifyBy(s)
	p.a.Program = s.Program
	if s.Failure != nil {
		p.a.Failure = s.Failure
	}
	p.setEnd(s)
	p.add(s)
	p.addPod(s)
	j.collectHosts(p)
	if p.whole(p.a.Pods) {
		j.complete(p, emit)
	}
}

func (j *Joiner) kubeletFailed(s detect.Signal, now time.Time, emit func(Attempt)) {
	j.resolveImage(&s)
	j.joinCredentials(s)
	p := j.forKubelet(s)
	if j.reportLate(s, p, emit) {
		return
	}
	if p == nil {
		p = j.open(s, now)
	}
	j.end(p, s, now)
	if p.runtime && p.source == "" {
		j.sampleClock(s.Pos.Source, p.a.End, s.Time)
	}
	p.note(s)
	j.takeVolume(p, &s)
	if p.a.Program == "" {
		p.a.Program = s.Program
		p.identifyBy(s)
		p.setEnd(s)
	}
	if p.a.Failure == nil {
		p.a.Failure = s.Failure
	}
	p.add(s)
	p.addPod(s)
	if p.whole(p.a.Pods) {
		j.complete(p, emit)
	}
}

// backOff notes that a pod waits. It is held for the window too, so that the
// failure it follows is known first, whichever log was read sooner.
func (j *Joiner) backOff(s detect.Signal, now time.Time) {
	j.resolveImage(&s)
	for _, p := range j.pulls[j.key(s)] {
		if p.a.BackOff && p.hasPod(s) {
			return
		}
	}
	p := j.open(s, now)
	p.a.BackOff = true
	j.takeVolume(p, &s)
	p.a.Program, p.origin, p.a.Failure = s.Program, s, s.Failure
	p.setEnd(s)
	p.add(s)
	p.addPod(s)
	j.end(p, s, now)
}

// open begins a new pull for a signal.
func (j *Joiner) open(s detect.Signal, now time.Time) *pull {
	image := signalImage(s)
	parsed := j.refs.parse(image)
	p := &pull{key: j.key(s), ref: parsed, seen: now}
	p.a.Image, p.a.Ref, p.a.Registry = image, parsed.name, parsed.registry
	p.a.Line = s.Line
	p.origin = s
	p.add(s)
	j.pulls[p.key] = append(j.pulls[p.key], p)
	j.requests.begin(p, s)
	j.count++
	return p
}

// Open are the spans of all lines that are not completed yet.
func (j *Joiner) Open() []logtail.Spans {
	spans := make([]logtail.Spans, 0, j.count)
	for _, pulls := range j.pulls {
		for _, p := range pulls {
			spans = append(spans, p.a.Spans)
		}
	}
	return spans
}
