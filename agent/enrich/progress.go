package enrich

import (
	"context"
	"slices"
	"sync"
	"time"

	"pullcause/agent/attempt"
	"pullcause/cri"
)

// How often the runtime is asked how far pulls have come, while there are any. Its own
// developers warn of the cost of asking more often (containerd v2.4
// internal/cri/server/images/image_pull.go, on the progress reporter).
const (
	firstPoll = time.Second // most pulls are over by then
	pollEvery = 5 * time.Second
)

// The phases of a pull in flight.
const (
	PhaseUnknown     = "unknown"     // the runtime does not tell
	PhaseResolving   = "resolving"   // its manifest is not there yet
	PhaseDownloading = "downloading" // some layer is not there
	PhaseUnpacking   = "unpacking"   // all layers are
)

// The states of a [Layer].
const (
	LayerWaiting     = "waiting"
	LayerDownloading = "downloading"
	LayerDone        = "done"
)

// Layer is one of a pull in flight.
type Layer struct {
	Digest string `json:"digest"`
	State  string `json:"state"`
	Bytes  int64  `json:"bytes"`
	Size   int64  `json:"size_bytes,omitempty"` // 0 if unknown
}

// Pull is one in flight, as /debug/pulls shows it.
type Pull struct {
	Image    string    `json:"image"`
	Ref      string    `json:"ref,omitempty"`
	Registry string    `json:"registry,omitempty"`
	Started  time.Time `json:"started"`
	Phase    string    `json:"phase"`
	// Host is the one that serves it, as far as the configuration and the lines so far
	// tell.
	Host string `json:"host,omitempty"`
	// Bytes of Size are there; Size is 0 if unknown.
	Bytes int64 `json:"bytes"`
	Size  int64 `json:"size_bytes,omitempty"`
	// Rate is in bytes a second, since the look before; Remaining in seconds, if that
	// can be told.
	Rate      float64 `json:"bytes_per_second"`
	Remaining float64 `json:"remaining_seconds,omitempty"`
	// Progress is when something arrived last.
	Progress time.Time `json:"last_progress,omitzero"`
	Stalled  bool      `json:"stalled"`
	Layers   []Layer   `json:"layers"`

	uid string
}

// progress looks at pulls in flight.
type progress struct {
	e *Enricher

	// These are its goroutine's own.

	pulls     []*pull                  // the oldest first
	manifests map[string]*cri.Manifest // that were read, by digest
	turn      int                      // counts searches, so that each blob is looked for in its turn

	mu    sync.Mutex
	shown []Pull
}

// pull is one in flight.
type pull struct {
	attempt.InFlight
	manifest *cri.Manifest
	done     map[string]bool       // layers that are there
	ingests  map[string]cri.Ingest // what is on its way, by digest
	blind    bool                  // the runtime does not tell

	bytes    int64
	rate     float64
	looked   time.Time // when it was looked at last
	progress time.Time // when something arrived last
	stalled  bool
	told     time.Time // progress when it was told that it is stalled
	slow     bool
	seen     bool // the runtime has shown that it works on it
}

func newProgress(e *Enricher) *progress {
	return &progress{e: e, manifests: make(map[string]*cri.Manifest)}
}

// run looks while pulls are in flight and sleeps while none is.
func (p *progress) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.e.wake:
		}
		if !sleep(ctx, firstPoll) {
			return nil
		}
		for p.look(ctx, time.Now()) {
			if !sleep(ctx, pollEvery) {
				return nil
			}
		}
	}
}

// look brings all pulls up to date. It reports whether there are any.
func (p *progress) look(ctx context.Context, now time.Time) bool {
	p.follow(p.e.cfg.Begun())
	blind := !p.ask(ctx)
	shown := make([]Pull, 0, len(p.pulls))
	for _, one := range p.pulls {
		one.blind = blind
		one.advance(now)
		p.e.tellStall(ctx, one, now)
		shown = append(shown, p.e.view(one))
	}
	p.mu.Lock()
	p.shown = shown
	p.mu.Unlock()
	return len(p.pulls) > 0
}

// ask asks what is on its way. It reports whether the runtime tells. A stall has to be
// found also where the runtime's answers take long.
func (p *progress) ask(ctx context.Context) bool {
	client := p.e.connected()
	if client == nil || !p.e.isContainerd() {
		return false
	}
	if len(p.pulls) == 0 {
		clear(p.manifests)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, pollEvery)
	defer cancel()
	ingests, cut, err := client.Ingests(ctx)
	if err != nil {
		return false
	}
	p.e.cuts.note("downloads", cut)
	p.assign(ctx, client, ingests)
	return true
}

// follow takes the pulls in flight, with what is known of them from before.
func (p *progress) follow(begun []attempt.InFlight) {
	known := make(map[string]*pull, len(p.pulls))
	for _, one := range p.pulls {
		known[one.UID] = one
	}
	pulls := make([]*pull, 0, len(begun))
	for _, f := range begun {
		one := known[f.UID]
		if one == nil {
			one = &pull{progress: f.Seen}
		}
		one.InFlight = f
		pulls = append(pulls, one)
	}
	p.pulls = pulls
}

// advance works out how far a pull has come since it was looked at last.
func (p *pull) advance(now time.Time) {
	bytes := p.have()
	if elapsed := now.Sub(p.looked); !p.looked.IsZero() && elapsed > 0 {
		p.rate = float64(max(bytes-p.bytes, 0)) / elapsed.Seconds()
		if bytes != p.bytes {
			p.progress = now
		}
	}
	for _, i := range p.ingests {
		if i.Updated.After(p.progress) && i.Updated.Before(now) {
			p.progress = i.Updated
		}
	}
	p.bytes, p.looked = bytes, now
}

// have is how many bytes of the layers are there.
func (p *pull) have() (n int64) {
	for _, i := range p.ingests {
		n += i.Offset
	}
	if p.manifest == nil {
		return n
	}
	for _, l := range p.manifest.Layers {
		if p.done[l.Digest] {
			n += l.Size
		}
	}
	return n
}

// phase is where a pull stands.
func (p *pull) phase() string {
	switch {
	case p.blind:
		return PhaseUnknown
	case p.manifest == nil && len(p.ingests) == 0:
		return PhaseResolving
	case p.manifest == nil || slices.ContainsFunc(p.manifest.Layers, func(l cri.Blob) bool { return !p.done[l.Digest] }):
		return PhaseDownloading
	default:
		return PhaseUnpacking
	}
}

// Pulls are those in flight, as they were looked at last.
func (e *Enricher) Pulls() []Pull {
	begun := e.cfg.Begun()
	e.progress.mu.Lock()
	defer e.progress.mu.Unlock()
	shown := make(map[string]int, len(e.progress.shown))
	for i := range e.progress.shown {
		shown[e.progress.shown[i].uid] = i
	}
	pulls := make([]Pull, 0, len(begun))
	for _, f := range begun {
		if i, ok := shown[f.UID]; ok {
			pulls = append(pulls, e.progress.shown[i])
			continue
		}
		pulls = append(pulls, Pull{Image: f.Image, Ref: f.Ref, Registry: f.Registry, Started: f.Start, Phase: PhaseUnknown, Layers: []Layer{}})
	}
	return pulls
}

// Stalled is the number of pulls in flight that make no progress.
func (e *Enricher) Stalled() (n int) {
	for _, p := range e.Pulls() {
		if p.Stalled {
			n++
		}
	}
	return n
}
