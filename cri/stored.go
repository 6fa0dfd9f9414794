package cri

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	content "github.com/containerd/containerd/api/services/content/v1"
	"google.golang.org/grpc"
)

// Repository is one of a registry: "docker.io", "library/nginx".
type Repository struct{ Registry, Name string }

// Search says what to look for in the content store.
type Search struct {
	// Manifests are wanted of these repositories.
	Manifests []Repository
	// Blobs are digests.
	Blobs []string
}

// StoredManifest is a manifest that is in the store.
type StoredManifest struct {
	Digest  string
	Size    int64
	Created time.Time // when it was stored
}

// Stored is what of a [Search] is in the store.
type Stored struct {
	// Manifests are the newest of each repository, the newest first.
	Manifests map[Repository][]StoredManifest
	Blobs     map[string]bool
	// Cut is how many blobs of the answer were not looked at.
	Cut int

	manifests int // in all
}

// Bounds of a [Search]. What is beyond them is not looked for. containerd compares each
// of its blobs with each filter.
const (
	MaxSearchedRegistries = 64
	MaxSearchedBlobs      = 256
)

// Bounds of the manifests that a search keeps: of one repository, and of all.
const (
	maxManifests    = 64
	maxManifestsAll = 2000
)

// The labels that containerd gives to a manifest before it fetches what that names
// (containerd v1.6 to v2.4: images/handlers.go ChildGCLabels,
// remotes/docker/handler.go AppendDistributionSourceLabel).
const (
	labelConfig = "containerd.io/gc.ref.content.config"
	labelSource = "containerd.io/distribution.source."
)

// Stored looks for manifests and blobs, all with one call.
func (c *Client) Stored(ctx context.Context, search Search) (Stored, error) {
	found := Stored{Manifests: make(map[Repository][]StoredManifest), Blobs: make(map[string]bool)}
	filters, wanted := search.filters()
	if len(filters) == 0 {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(withNamespace(ctx), c.cfg.Timeout)
	defer cancel()
	infos := elementsOf(maxStored, func(i *content.Info) {
		if wanted.blobs[i.GetDigest()] {
			found.Blobs[i.GetDigest()] = true
		}
		found.addManifest(i, wanted.repositories)
	})
	err := stream(ctx, c, methodContentList, &content.ListContentRequest{Filters: filters}, infos, func() bool {
		return infos.seen <= infos.most
	}, grpc.ForceCodecV2(listCodec()))
	found.Cut += infos.cut
	return found, err
}

// addManifest keeps a manifest for each repository that wants it.
func (s *Stored) addManifest(i *content.Info, wanted map[string]map[string]bool) {
	if _, ok := i.GetLabels()[labelConfig]; !ok || i.GetSize() <= 0 || i.GetSize() > maxManifest || len(i.GetDigest()) > maxDigest {
		return
	}
	for registry, names := range wanted {
		for name := range strings.SplitSeq(i.GetLabels()[labelSource+registry], ",") {
			if names[name] {
				s.keep(Repository{registry, name}, StoredManifest{i.GetDigest(), i.GetSize(), i.GetCreatedAt().AsTime()})
			}
		}
	}
}

// keep adds a manifest to those of a repository, the newest first, and drops the oldest
// when there are too many.
func (s *Stored) keep(of Repository, m StoredManifest) {
	kept := s.Manifests[of]
	if len(kept) < maxManifests && s.manifests == maxManifestsAll {
		s.Cut++
		return
	}
	at, _ := slices.BinarySearchFunc(kept, m, func(a, b StoredManifest) int { return b.Created.Compare(a.Created) })
	if at == maxManifests {
		return
	}
	if len(kept) == maxManifests {
		kept = kept[:maxManifests-1]
		s.manifests--
	}
	s.Manifests[of] = slices.Insert(kept, at, m)
	s.manifests++
}

// wanted is a search by key.
type wanted struct {
	repositories map[string]map[string]bool // by registry, then name
	blobs        map[string]bool
}

// digest is what may stand in a filter (opencontainers/image-spec v1.1 descriptor.md,
// Digests). What a manifest calls a digest was written by whoever pushed it.
var digest = regexp.MustCompile(`^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$`)

// filters are those of containerd (containerd v1.6 to v2.4 filters/filter.go,
// content/adaptor.go AdaptInfo): a blob is listed if one of them fits.
func (s Search) filters() (filters []string, w wanted) {
	w = wanted{make(map[string]map[string]bool), make(map[string]bool)}
	for _, r := range s.Manifests {
		names := w.repositories[r.Registry]
		if names == nil {
			if r.Registry == "" || strings.ContainsAny(r.Registry, "\"\\") || len(w.repositories) == MaxSearchedRegistries {
				continue // no registry is called that
			}
			names = make(map[string]bool)
			w.repositories[r.Registry] = names
			filters = append(filters, `labels."`+labelSource+r.Registry+`",labels."`+labelConfig+`"`)
		}
		names[r.Name] = true
	}
	for _, d := range s.Blobs {
		if w.blobs[d] || len(w.blobs) == MaxSearchedBlobs || len(d) > maxDigest || !digest.MatchString(d) {
			continue
		}
		w.blobs[d] = true
		filters = append(filters, `digest=="`+d+`"`)
	}
	return filters, w
}
