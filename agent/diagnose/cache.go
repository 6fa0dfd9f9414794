package diagnose

import (
	"strings"
	"time"
)

// Cache is what the node has of an image that could not be pulled.
type Cache struct {
	// Present is set if the very reference, or its digest, is on the node.
	Present bool `json:"present"`
	// Incomplete is set if the image that is present may lack its layers, so that no
	// container starts from it.
	Incomplete bool `json:"incomplete,omitempty"`
	// OtherTags are names of the same repository that are, at most [MaxOtherTags].
	OtherTags []string `json:"other_tags,omitempty"`
	// RemovedAt is when it was seen to have been removed; zero if it was not.
	RemovedAt time.Time `json:"removed_at,omitzero"`
	// Platforms are those of the image that is present, as far as they are known.
	Platforms []string `json:"image_platforms,omitempty"`
	// AvailableBytes and UsedRatio are of the filesystem that images are kept on; 0 if
	// that is not known.
	AvailableBytes int64   `json:"imagefs_available_bytes,omitempty"`
	UsedRatio      float64 `json:"imagefs_used_ratio,omitempty"`
}

// MaxOtherTags bounds [Cache.OtherTags].
const MaxOtherTags = 10

// CacheVerdict is what follows from a [Cache].
type CacheVerdict string

// The values of pullcause.cache.verdict.
const (
	CachedPolicyAlways CacheVerdict = "cached_policy_always" // it would start without a pull
	Evicted            CacheVerdict = "evicted"              // it was here and was removed
	OtherTagCached     CacheVerdict = "other_tag_cached"
	Absent             CacheVerdict = "absent"
)

// Verdict sums up, the most telling first. Of an incomplete image it says nothing: it is
// not absent, and it may not start.
func (c Cache) Verdict() CacheVerdict {
	switch {
	case c.Present && !c.Incomplete:
		return CachedPolicyAlways
	case !c.RemovedAt.IsZero():
		return Evicted
	case len(c.OtherTags) > 0:
		return OtherTagCached
	case c.Present:
		return ""
	default:
		return Absent
	}
}

// withCache adds to a remedy what the node's own images make possible.
func withCache(remedy string, c *Cache) string {
	if c == nil {
		return remedy
	}
	switch c.Verdict() {
	case CachedPolicyAlways:
		return remedy + " The image is on this node: with imagePullPolicy IfNotPresent the cached copy would start."
	case Evicted:
		return remedy + " The image was on this node and was removed at " + c.RemovedAt.UTC().Format(time.RFC3339) +
			", as the kubelet does when disk is short (imageGCHighThresholdPercent)."
	case OtherTagCached:
		const most = 3
		names := make([]string, 0, most)
		for _, name := range c.OtherTags[:min(len(c.OtherTags), most)] {
			names = append(names, quotedIfNeeded(name))
		}
		return remedy + " Of the same repository this node has " + strings.Join(names, ", ") + "."
	default:
		return remedy
	}
}
