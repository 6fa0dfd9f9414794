package incident

import (
	"slices"
	"strings"
	"unicode/utf8"

	"pullcause/agent/attempt"
	"pullcause/agent/diagnose"
)

// The bounds of what incidents keep, in bytes. [Config.MaxOpen] incidents whose errors,
// names and pods are of an ordinary length fit into maxBytes; beyond it the oldest lose
// first what is long.
const (
	maxBytes  = 15 << 20 // all incidents, open and closed
	maxError  = 8 << 10
	maxName   = 2 << 10 // an image, a reference, a summary
	maxRemedy = 4 << 10
	maxTags   = 4 << 10  // names of other images, together
	maxPodsOf = 16 << 10 // pods of one incident, together

	// What is left of the longest texts of an incident that has lost its details.
	leanError   = 160
	leanRemedy  = 1 << 10
	leanPods    = 512
	leanCounted = 8

	// keepDetails is how many incidents keep their details before open ones are evicted.
	keepDetails = 50
)

// What a value takes beside its text, about: the structs, the lists and maps it is in.
const (
	sizeOfEntry   = 700
	sizeOfClosed  = 450
	sizeOfPod     = 200
	sizeOfCounted = 48
	sizeOfChanged = 64
	sizeOfOther   = 160 // a diagnosis that is not part of the entry
)

// measure is about how much memory an incident takes.
func (e *entry) measure() int {
	n := sizeOfEntry + textOf(&e.Incident) + sizeOfChanged*len(e.changed) + 4*len(e.dropped)
	if e.key != e.Ref {
		n += len(e.key)
	}
	if e.told != nil {
		n += sizeOfOther + textOfDiagnosis(e.told)
	}
	for i := range e.counted {
		c := &e.counted[i]
		n += sizeOfCounted + len(c.UID)
		if c.Previous != nil {
			n += sizeOfOther + textOfDiagnosis(c.Previous)
		}
	}
	return n
}

// textOf is how much text an incident keeps.
func textOf(i *Incident) int {
	n := len(i.ID) + len(i.Ref) + len(i.LastError) + textOfDiagnosis(&i.Diagnosis)
	for _, name := range []string{i.Image, i.Registry} {
		if !strings.HasPrefix(i.Ref, name) && !strings.HasSuffix(i.Ref, name) { // see within
			n += len(name)
		}
	}
	for k := range i.Pods {
		n += sizeOfPod + textOfPod(&i.Pods[k])
	}
	return n
}

func textOfDiagnosis(d *diagnose.Diagnosis) int {
	n := len(d.Summary) + len(d.Remedy)
	if d.Cache != nil {
		n += sizeOfOther + total(d.Cache.OtherTags) + total(d.Cache.Platforms)
	}
	return n
}

// textOfPod is the text of a pod, with its name as the key in Store.waiting.
func textOfPod(p *attempt.Pod) int {
	return 2*(len(p.Namespace)+len(p.Name)) + len(p.UID) + len(p.Container) + len(p.Reason)
}

// total is the length of texts, with that of their headers.
func total(texts []string) (n int) {
	for _, s := range texts {
		n += len(s) + len("pointer and size")
	}
	return n
}

// owned is a diagnosis of bounded size that keeps no line of a log alive.
func owned(d diagnose.Diagnosis) diagnose.Diagnosis {
	d.Summary, d.Detail = strings.Clone(clip(d.Summary, maxName)), strings.Clone(d.Detail)
	remedy := strings.Clone(clip(d.Remedy, maxRemedy))
	if at := strings.Index(remedy, d.Action); at >= 0 {
		d.Action = remedy[at : at+len(d.Action)]
	} else {
		d.Action = strings.Clone(clip(d.Action, maxRemedy))
	}
	d.Remedy = remedy
	if c := d.Cache; c != nil && total(c.OtherTags)+total(c.Platforms) > maxTags {
		some := *c
		some.OtherTags, some.Platforms = upTo(c.OtherTags, maxTags/2), upTo(c.Platforms, maxTags/2)
		d.Cache = &some
	}
	return d
}

// upTo is as many of the texts as fit into a size.
func upTo(texts []string, size int) []string {
	n := 0
	for n < len(texts) && total(texts[:n+1]) <= size {
		n++
	}
	return slices.Clone(texts[:n])
}

// clip cuts a text to a number of bytes, and marks that.
func clip(s string, limit int) string {
	const mark = " … [clipped]"
	if len(s) <= limit {
		return s
	}
	n := limit - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// shed drops the details of an incident. What is left is who it is, its cause and counts.
func (s *Store) shed(e *entry) {
	e.LastError = clip(e.LastError, leanError)
	e.Diagnosis = lean(e.Diagnosis)
	if e.told != nil {
		told := lean(*e.told)
		e.told = &told
	}
	if n := len(e.counted) - leanCounted; n > 0 {
		e.counted = slices.Clone(e.counted[n:])
	}
	s.shedPods(e)
}

func lean(d diagnose.Diagnosis) diagnose.Diagnosis {
	if len(d.Remedy) > leanRemedy {
		d.Remedy, d.Action = clip(d.Remedy, leanRemedy), clip(d.Action, leanRemedy)
	}
	d.Summary = clip(d.Summary, leanError)
	if d.Cache != nil {
		few := *d.Cache
		few.OtherTags, few.Platforms = nil, nil
		d.Cache = &few
	}
	return d
}

// shedPods counts the pods that there is no room for any more among those left out.
func (s *Store) shedPods(e *entry) {
	keep, size := 0, 0
	for keep < len(e.Pods) && (keep == 0 || size+textOfPod(&e.Pods[keep]) <= leanPods) {
		size += textOfPod(&e.Pods[keep])
		keep++
	}
	out := e.Pods[keep:]
	e.Pods = slices.Clone(e.Pods[:keep])
	for _, p := range out {
		if e.State == Open {
			s.unwait(e, nameOf(p.Pod))
		}
		e.leaveOut(p)
	}
}

// note takes in that something about an incident is new.
func (s *Store) note(e *entry) {
	if e.forgotten {
		return
	}
	size := e.measure()
	s.size += size - e.size
	e.size = size
	s.unsavedNow(e)
}

// detailed notes that an incident has its details, as of now.
func (s *Store) detailed(e *entry) {
	if e.details == nil {
		e.details = s.details.PushBack(e)
		return
	}
	s.details.MoveToBack(e.details)
}

// bound keeps to the bounds: the oldest closed incidents go first, then the details of
// those whose pull failed longest ago, then the incidents that were quiet for longest.
func (s *Store) bound() {
	for len(s.open) > s.cfg.MaxOpen {
		s.evict()
	}
	for s.size > maxBytes {
		switch front := s.details.Front(); {
		case len(s.closed) > 0:
			s.forgetClosed()
			s.cut++
		case s.details.Len() <= keepDetails && len(s.open) > keepDetails:
			s.evict()
		case front != nil:
			e := front.Value.(*entry) //nolint:errcheck // the list holds nothing else
			s.withoutDetails(e)
			s.shed(e)
			s.note(e)
			s.cut++
		case len(s.open) > 0:
			s.evict()
		default:
			return
		}
	}
}

// withoutDetails takes an incident off the list of those that have details.
func (s *Store) withoutDetails(e *entry) {
	if e.details != nil {
		s.details.Remove(e.details)
		e.details = nil
	}
}

// evict gives up the open incident that was quiet for longest.
func (s *Store) evict() {
	e := s.quiet.Front().Value.(*entry) //nolint:errcheck // the list holds nothing else
	s.drop(e)
	s.forget(e)
	s.evicted++
}

// remember adds a closed incident to those that are shown.
func (s *Store) remember(i Incident) {
	if len(s.closed) == maxClosed {
		s.forgetClosed()
	}
	s.closed = append(s.closed, i)
	s.size += sizeOfClosed + textOf(&i)
}

// forgetClosed forgets the one that was closed first.
func (s *Store) forgetClosed() {
	s.size -= sizeOfClosed + textOf(&s.closed[0])
	s.closed[0] = Incident{}
	s.closed = s.closed[1:]
}

// forget is for an incident that is neither open nor ended any more.
func (s *Store) forget(e *entry) {
	s.size -= e.size
	e.size, e.forgotten = 0, true
	s.withoutDetails(e)
	s.forgetSaved(e)
}

// Cut is how many times details of an incident, or a closed incident, were dropped since
// all of them took too much memory.
func (s *Store) Cut() int64 { return s.cut }
