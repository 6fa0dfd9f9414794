package enrich

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pullcause/agent/diagnose"
	"pullcause/cri"
)

// images are those that are on the node, and the names of some that were.
type images struct {
	mu      sync.Mutex
	asOf    time.Time // when they were listed; zero if they never were
	list    []cri.Image
	partial bool                // the list was too long, so that not all names are in it
	byName  map[string]int      // tags and digests, as index into list
	byRepo  map[string][]string // the tags of a repository
	removed *removed
	status  map[string]cri.ImageStatus // by the image's id, of those that were asked for
}

// maxStatuses bounds the images whose status is remembered.
const maxStatuses = 5000

func newImages(r *removed) *images {
	return &images{removed: r, status: make(map[string]cri.ImageStatus)}
}

// Images is what /debug/images shows.
type Images struct {
	// AsOf is when they were listed; zero if they are not known.
	AsOf    time.Time
	Images  []cri.Image
	Bytes   uint64
	Removed []Removed
}

// set takes a new list, which is partial if it was cut. It reports whether a name came or
// went.
func (i *images) set(list []cri.Image, partial bool, now time.Time) (changed bool) {
	slices.SortFunc(list, func(a, b cri.Image) int { return strings.Compare(firstName(a), firstName(b)) })
	byName := make(map[string]int, 2*len(list))
	byRepo := make(map[string][]string, len(list))
	ids := make(map[string]bool, len(list))
	for n, image := range list {
		ids[image.ID] = true
		for _, name := range image.Digests {
			byName[name] = n
		}
		for _, name := range image.Tags {
			byName[name] = n
			repo := diagnose.RepositoryOf(name)
			byRepo[repo] = append(byRepo[repo], name)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list, i.partial, i.byName, i.byRepo, i.asOf = list, partial, byName, byRepo, now
	maps.DeleteFunc(i.status, func(id string, _ cri.ImageStatus) bool { return !ids[id] })
	if partial {
		return false // what is not in it may be there all the same
	}
	return i.removed.update(byName, now)
}

// firstName is a name of an image to sort by.
func firstName(i cri.Image) string {
	for _, names := range [...][]string{i.Tags, i.Digests} {
		if len(names) > 0 {
			return names[0]
		}
	}
	return i.ID
}

// lookup tells what there is of a normalised reference; nil if that is not known.
func (i *images) lookup(ref string) *diagnose.Cache {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.asOf.IsZero() || ref == "" {
		return nil
	}
	c := &diagnose.Cache{}
	if n, ok := i.byName[ref]; ok {
		c.Present = true
		if p := i.status[i.list[n].ID].Platform; p != (cri.Platform{}) {
			c.Platforms = []string{p.String()}
		}
	} else if i.partial {
		return nil
	}
	for _, tag := range i.byRepo[diagnose.RepositoryOf(ref)] {
		if tag != ref && len(c.OtherTags) < diagnose.MaxOtherTags {
			c.OtherTags = append(c.OtherTags, tag)
		}
	}
	if !c.Present {
		c.RemovedAt = i.removed.at(ref)
	}
	return c
}

// unasked reports whether the image of a reference is listed, and its status not known yet.
func (i *images) unasked(ref string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	n, ok := i.byName[ref]
	if !ok {
		return false
	}
	_, known := i.status[i.list[n].ID]
	return !known
}

func (i *images) noteStatus(s cri.ImageStatus) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.status) >= maxStatuses { // of images that nobody lists
		clear(i.status)
	}
	i.status[s.ID] = s
}

// chainOf is the chain of layers of the image that a reference names; empty if it is not
// known.
func (i *images) chainOf(ref string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	n, ok := i.byName[ref]
	if !ok {
		return ""
	}
	return i.status[i.list[n].ID].ChainID
}

// all is what is known now.
func (i *images) all() Images {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := Images{AsOf: i.asOf, Images: i.list, Removed: i.removed.list()}
	for _, image := range i.list {
		all.Bytes += image.Size
	}
	return all
}

// known reports whether images were ever listed.
func (i *images) known() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.asOf.IsZero()
}

// count is the number of images and of their bytes.
func (i *images) count() (n int, bytes uint64, known bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, image := range i.list {
		bytes += image.Size
	}
	return len(i.list), bytes, !i.asOf.IsZero()
}
