package attempt

import (
	"container/list"
	"net/url"
	"slices"
	"strings"
	"time"

	"pullcause/agent/detect"
)

// The bounds of the hosts that no pull has claimed yet.
const (
	maxUnclaimed = 256
	unclaimedFor = 10 * time.Minute // a pull may try hosts for that long
)

// unclaimedHosts are the outcomes at hosts whose pull is not known yet: before containerd
// 2.3 their lines name neither image nor repository. A busy node writes many of them, and
// each pull that ends looks for its own: they are found by what their URLs ask for.
type unclaimedHosts struct {
	all *list.List // of *unclaimedHost, in the order in which they were read
	by  map[hostKey][]*unclaimedHost
	// next numbers them.
	next int64
}

// hostKey is what a pull and the outcome at one of its hosts have in common: the registry
// and the last part of the repository. The registry is empty for a token request, which
// names no registry, and name where the line has no URL.
type hostKey struct{ registry, name string }

type unclaimedHost struct {
	s      detect.Signal
	at     time.Time
	asked  asked
	place  *list.Element
	number int64
	// alone is the pull that was the only one in flight, nil if there were more.
	alone *pull
}

// asked is what was asked for at a host.
type asked struct {
	parses     bool
	registry   string // the one in whose name a host was asked, as the URL has it
	namespace  string
	path       string // behind /v2/
	api        bool   // the URL is one of the registry API
	scope      string // of a token
	repository string
	tag        string
	manifest   bool
}

// parseAsked reads the URL of a host's line, once.
func parseAsked(h detect.Host) (a asked) {
	if h.URL == "" {
		return asked{}
	}
	u, err := url.Parse(h.URL)
	if err != nil {
		return asked{}
	}
	query := u.Query()
	a.parses = true
	a.namespace, a.scope, a.registry = query.Get("ns"), query.Get("scope"), query.Get("ns")
	a.path, a.api = strings.CutPrefix(u.Path, "/v2/")
	// containerd leaves "ns" out only where it asks the registry itself (v1.6.0
	// to v2.4.2 remotes/docker/resolver.go addNamespace).
	if a.registry == "" && a.api {
		a.registry = u.Host
	}
	a.repository, a.tag, a.manifest = strings.Cut(a.path, "/manifests/")
	if !a.manifest {
		a.repository, _, _ = strings.Cut(a.path, "/blobs/")
	}
	return a
}

// keys are those under which a host's outcome is found, none if it could only be of a pull
// that was alone.
func (h *unclaimedHost) keys() []hostKey {
	switch {
	case h.s.Host.URL == "":
		return []hostKey{{registry: originOf(h.s.Host.Host)}}
	case h.asked.api && h.asked.manifest:
		return []hostKey{{originOf(h.asked.registry), lastPart(h.asked.repository)}}
	case h.asked.parses && !h.asked.api:
		return scopeKeys(h.asked.scope)
	}
	return nil
}

// scopeKeys reads one or more scopes such as "repository:team/app:pull".
func scopeKeys(scope string) (keys []hostKey) {
	const maxScopes = 4
	for one := range strings.FieldsSeq(scope) {
		_, rest, _ := strings.Cut(one, ":")
		path, _, found := strings.Cut(rest, ":")
		if k := (hostKey{name: lastPart(path)}); found && len(keys) < maxScopes && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// keysOf are those of the outcomes that can be of a pull.
func keysOf(r ref) [3]hostKey {
	registry, name := originOf(r.registry), lastPart(r.path)
	return [3]hostKey{{registry, name}, {name: name}, {registry: registry}}
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// originOf is one name for all the hosts that serve a registry.
func originOf(host string) string {
	if slices.Contains(dockerHub[:], host) {
		return dockerHub[0]
	}
	return host
}

func newUnclaimedHosts() unclaimedHosts {
	return unclaimedHosts{all: list.New(), by: make(map[hostKey][]*unclaimedHost)}
}

// add keeps an outcome for a pull, and forgets those that are too old. One that no pull
// can claim is not kept.
func (u *unclaimedHosts) add(h *unclaimedHost) {
	if h.alone == nil && len(h.keys()) == 0 {
		return
	}
	for front := u.all.Front(); front != nil; front = u.all.Front() {
		oldest := front.Value.(*unclaimedHost) //nolint:errcheck // the list holds nothing else
		if u.all.Len() < maxUnclaimed && h.at.Sub(oldest.at) <= unclaimedFor {
			break
		}
		u.remove(oldest)
	}
	u.next++
	h.number = u.next
	h.place = u.all.PushBack(h)
	if h.alone != nil {
		h.alone.hosts = append(h.alone.hosts, h)
	}
	for _, k := range h.keys() {
		u.by[k] = append(u.by[k], h)
	}
}

func (u *unclaimedHosts) remove(h *unclaimedHost) {
	if h.place == nil {
		return
	}
	u.all.Remove(h.place)
	h.place = nil
	if h.alone != nil {
		h.alone.hosts = without(h.alone.hosts, h)
	}
	for _, k := range h.keys() {
		if rest := without(u.by[k], h); len(rest) > 0 {
			u.by[k] = rest
		} else {
			delete(u.by, k)
		}
	}
}

// leave notes that a pull is gone: what failed while it was alone can be another's only if
// its URL says so.
func (u *unclaimedHosts) leave(p *pull) {
	hosts := p.hosts
	p.hosts = nil
	for _, h := range hosts {
		h.alone = nil
		if len(h.keys()) == 0 {
			u.remove(h)
		}
	}
}

// move gives what failed while one pull was alone to another.
func (u *unclaimedHosts) move(from, to *pull) {
	for _, h := range from.hosts {
		h.alone = to
	}
	to.hosts = append(to.hosts, from.hosts...)
	from.hosts = nil
}

// without removes one of a list; most often it is the oldest.
func without(hosts []*unclaimedHost, h *unclaimedHost) []*unclaimedHost {
	i := slices.Index(hosts, h)
	switch {
	case i == 0:
		hosts[0] = nil
		return hosts[1:]
	case i > 0:
		return slices.Delete(hosts, i, i+1)
	}
	return hosts
}

// of are the outcomes that belong to a pull and were written between two times, in the
// order in which they were read. The time is tested first, and to may be zero.
func (u *unclaimedHosts) of(p *pull, from, to time.Time) (found []*unclaimedHost) {
	if u.all.Len() == 0 {
		return nil
	}
	collect := func(hosts []*unclaimedHost) {
		for _, h := range slices.Backward(hosts) {
			if h.s.Time.Before(from) {
				break // nor was any that was read before
			}
			if (to.IsZero() || !h.s.Time.After(to)) && h.concerns(p) && !slices.Contains(found, h) {
				found = append(found, h)
			}
		}
	}
	collect(p.hosts)
	for _, k := range keysOf(p.ref) {
		collect(u.by[k])
	}
	slices.SortFunc(found, func(a, b *unclaimedHost) int { return int(a.number - b.number) })
	return found
}

// concerns reports whether an outcome belongs to a pull: for sure, or for want of another
// that was in flight.
func (h *unclaimedHost) concerns(p *pull) bool {
	yes, sure := h.asked.concerns(h.s.Host, p.ref)
	return yes && (sure || h.alone == p)
}

// addHost keeps a host's outcome until the end of a pull claims it: before
// containerd 2.3 its line names neither image nor repository, and the pull that
// ends next at the same registry is most likely the one.
func (j *Joiner) addHost(s detect.Signal, now time.Time) {
	h := &unclaimedHost{s: s, at: now, asked: parseAsked(s.Host)}
	if j.begun.Len() == 1 {
		h.alone = j.begun.Front().Value.(*pull) //nolint:errcheck // the list holds nothing else
	}
	j.unclaimed.add(h)
}

func (p *pull) hasHost(h detect.Host) bool {
	return slices.ContainsFunc(p.a.Hosts, func(have detect.Host) bool {
		return have.Host == h.Host && have.Status == h.Status && have.Error == h.Error
	})
}

func (p *pull) addHost(s detect.Signal) {
	if len(p.a.Hosts) < maxHosts {
		p.a.Hosts = append(p.a.Hosts, s.Host)
	}
	p.add(s)
}

// collectHosts claims the outcomes that belong to a pull of the runtime that
// ends now, in the order in which they were written.
func (j *Joiner) collectHosts(p *pull) {
	for _, h := range j.unclaimed.of(p, p.a.Start, p.a.End) {
		if !p.hasHost(h.s.Host) {
			p.addHost(h.s)
			j.unclaimed.remove(h)
		}
	}
}
