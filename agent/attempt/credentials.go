package attempt

import (
	"slices"
	"time"

	"pullcause/agent/detect"
)

// The bounds of the credential problems that wait for the failure they cause.
const (
	maxCredentials = 256
	credentialFor  = time.Minute
)

// credentials are the problems with credentials of the last minute, found by the
// repository or the pod that their lines name.
type credentials struct {
	all  []*credential // the oldest first
	by   map[credentialKey][]*credential
	next int64
}

type credential struct {
	s      detect.Signal
	at     time.Time
	keys   []credentialKey
	number int64
}

// credentialKey is a repository without its tag, for which a credential plugin is called,
// or a pod, by its uid or by its name.
type credentialKey struct {
	registry, path  string
	podUID          string
	namespace, name string
}

func podKeys(p detect.Pod) (keys []credentialKey) {
	if p.UID != "" {
		keys = append(keys, credentialKey{podUID: p.UID})
	}
	if p.Name != "" {
		keys = append(keys, credentialKey{namespace: p.Namespace, name: p.Name})
	}
	return keys
}

func (j *Joiner) rememberCredential(s detect.Signal, now time.Time) {
	c := &credential{s: s, at: now, keys: podKeys(s.Pod)}
	if image := signalImage(s); image != "" {
		if r := j.refs.parse(image); r.path != "" {
			c.keys = append(c.keys, credentialKey{registry: r.registry, path: r.path})
		}
	}
	j.credentials.add(c)
}

func (c *credentials) add(one *credential) {
	for len(c.all) > 0 && (len(c.all) >= maxCredentials || one.at.Sub(c.all[0].at) > credentialFor) {
		c.dropOldest()
	}
	if c.by == nil {
		c.by = make(map[credentialKey][]*credential)
	}
	c.next++
	one.number = c.next
	c.all = append(c.all, one)
	for _, k := range one.keys {
		c.by[k] = append(c.by[k], one)
	}
}

func (c *credentials) dropOldest() {
	oldest := c.all[0]
	c.all[0] = nil
	c.all = c.all[1:]
	for _, k := range oldest.keys { // it is the first of each of its lists
		if rest := c.by[k][1:]; len(rest) > 0 {
			c.by[k] = rest
		} else {
			delete(c.by, k)
		}
	}
}

// credential is the problem that explains a failure: the last one about the same
// repository or the same pod, shortly before it.
func (j *Joiner) credential(p *pull) *detect.Failure {
	if len(j.credentials.all) == 0 {
		return nil
	}
	var last *credential
	look := func(k credentialKey, fits func(*credential) bool) {
		for _, c := range slices.Backward(j.credentials.by[k]) {
			if last != nil && c.number <= last.number || j.now.Sub(c.at) > credentialFor {
				return
			}
			if fits(c) {
				last = c
				return
			}
		}
	}
	if p.ref.path != "" {
		look(credentialKey{registry: p.ref.registry, path: p.ref.path}, func(*credential) bool { return true })
	}
	for _, pod := range p.a.Pods {
		for _, k := range podKeys(pod.Pod) {
			look(k, func(c *credential) bool { return samePod(pod, detect.Signal{Pod: c.s.Pod}) })
		}
	}
	switch {
	case last == nil:
		return nil
	case last.s.Failure != nil:
		return last.s.Failure
	}
	return &detect.Failure{Text: last.s.Raw}
}
