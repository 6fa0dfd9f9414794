package enrich

import (
	"context"
	"slices"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/hostconf"
)

// tellStall tells of a pull that makes no progress, or takes long; once of each. A
// pull that unpacks makes none that can be seen.
func (e *Enricher) tellStall(ctx context.Context, p *pull, now time.Time) {
	if p.Backlog && !p.seenInFlight() {
		return
	}
	phase := p.phase()
	still := now.Sub(p.progress) >= e.cfg.StallAfter && (phase == PhaseResolving || phase == PhaseDownloading)
	switch {
	case still && !p.stalled:
		p.stalled = true
		if p.told.Equal(p.progress) {
			break // the runtime did not answer for a while
		}
		p.told = p.progress
		a := e.unfinished(ctx, p, now)
		a.Stalled = true
		e.cfg.Stalled(a)
	case !still:
		p.stalled = false
	}
	if !p.slow && now.Sub(p.Start) >= e.cfg.SlowAfter {
		p.slow = true
		if !still { // that was told
			a := e.unfinished(ctx, p, now)
			a.Slow = true
			e.cfg.Stalled(a)
		}
	}
}

// recentDownload is how long before its beginning was read a download may have moved last
// for a pull from a backlog to be in flight still. containerd cancels a pull after five
// minutes without progress (v1.7.0 and later, image_pull_progress_timeout), and keeps what
// it left behind for a day.
const recentDownload = 10 * time.Minute

// seenInFlight reports whether the runtime has shown that it works on a pull. The log does
// not prove that of a pull whose beginning was read late: the line about its end may be
// lost, or the runtime have ended before it.
func (p *pull) seenInFlight() bool {
	for _, i := range p.ingests {
		if !i.Updated.Before(p.Start) && p.Seen.Sub(i.Updated) <= recentDownload {
			p.seen = true
		}
	}
	return p.seen
}

// unfinished is the attempt that a pull in flight is so far.
func (e *Enricher) unfinished(ctx context.Context, p *pull, now time.Time) attempt.Attempt {
	a := attempt.Attempt{
		UID: p.UID, Image: p.Image, Ref: p.Ref, Registry: p.Registry, Program: p.Program,
		Start: p.Start, End: now, Observed: now, Unfinished: true,
		Bytes: p.bytes, Duration: now.Sub(p.Start), Layer: p.slowest(), Attribution: attempt.ByNobody,
	}
	if host, ok := e.serving(p); ok {
		a.Hosts = []detect.Host{{Host: host.Host, Role: detect.Role(host.Role)}}
	}
	if a.Pods = e.candidates(ctx, p.Start.Add(time.Second)); len(a.Pods) > 0 {
		a.Attribution = attempt.ByCandidate
	}
	return a
}

// slowest is the layer on its way that nothing arrived of for longest.
func (p *pull) slowest() attempt.Layer {
	var l attempt.Layer
	var last time.Time
	for digest, i := range p.ingests {
		if i.Kind != "layer" || !last.IsZero() && !i.Updated.Before(last) {
			continue
		}
		last = i.Updated
		l = attempt.Layer{Digest: digest, Bytes: i.Offset, Size: i.Total}
	}
	return l
}

// serving is the host that a pull most likely waits for: the first that may be pulled
// from and has not failed.
func (e *Enricher) serving(p *pull) (hostconf.Host, bool) {
	for _, h := range e.hosts.Effective(p.Registry).Hosts {
		if slices.Contains(h.Capabilities, "pull") && !slices.Contains(p.Failed, h.Host) {
			return h, true
		}
	}
	return hostconf.Host{}, false
}

// view is what is shown of a pull.
func (e *Enricher) view(p *pull) Pull {
	v := Pull{
		uid: p.UID, Image: p.Image, Ref: p.Ref, Registry: p.Registry, Started: p.Start, Phase: p.phase(),
		Bytes: p.bytes, Rate: p.rate, Stalled: p.stalled, Layers: p.layers(),
	}
	if !p.blind {
		v.Progress = p.progress
	}
	if host, ok := e.serving(p); ok {
		v.Host = host.Host
	}
	if p.manifest != nil {
		for _, l := range p.manifest.Layers {
			v.Size += l.Size
		}
		if p.rate > 0 {
			v.Remaining = float64(v.Size-v.Bytes) / p.rate
		}
	}
	return v
}

// layers are those of the manifest, or what is on its way where that is not known.
func (p *pull) layers() []Layer {
	layers := []Layer{}
	if p.manifest == nil {
		for digest, i := range p.ingests {
			layers = append(layers, Layer{Digest: digest, State: LayerDownloading, Bytes: i.Offset, Size: i.Total})
		}
		slices.SortFunc(layers, func(a, b Layer) int { return strings.Compare(a.Digest, b.Digest) })
		return layers
	}
	for _, l := range p.manifest.Layers {
		layer := Layer{Digest: l.Digest, State: LayerWaiting, Size: l.Size}
		if i, ok := p.ingests[l.Digest]; ok {
			layer.State, layer.Bytes = LayerDownloading, i.Offset
		} else if p.done[l.Digest] {
			layer.State, layer.Bytes = LayerDone, l.Size
		}
		layers = append(layers, layer)
	}
	return layers
}
