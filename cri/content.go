package cri

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	content "github.com/containerd/containerd/api/services/content/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Ingest is a blob that is being downloaded.
type Ingest struct {
	// Kind is "layer", "config", "manifest" or "index" (containerd v2.4
	// core/remotes/handlers.go MakeRefKey).
	Kind   string
	Digest string
	// Offset bytes of Total are there; Total is 0 if nobody knows.
	Offset, Total int64
	Started       time.Time
	Updated       time.Time // zero if it is not known
}

// Ingests lists the blobs that are being downloaded.
func (c *Client) Ingests(ctx context.Context) ([]Ingest, error) {
	answer, err := call[content.ListStatusesResponse](withNamespace(ctx), c, methodIngests, &content.ListStatusesRequest{})
	if err != nil {
		return nil, err
	}
	var ingests []Ingest
	for _, s := range answer.GetStatuses() {
		kind, digest, ok := parseRef(s.GetRef())
		if !ok {
			continue // somebody else's
		}
		i := Ingest{Kind: kind, Digest: digest, Offset: s.GetOffset(), Total: s.GetTotal()}
		if t := s.GetStartedAt(); t.IsValid() {
			i.Started = t.AsTime()
		}
		if t := s.GetUpdatedAt(); t.IsValid() {
			i.Updated = t.AsTime()
		}
		ingests = append(ingests, i)
	}
	return ingests, nil
}

// parseRef takes the name of a download apart: KIND-DIGEST, or KIND-NAME@DIGEST where
// the index gives the blob a name (containerd v2.4 core/remotes/handlers.go MakeRefKey).
func parseRef(ref string) (kind, digest string, ok bool) {
	kind, rest, _ := strings.Cut(ref, "-")
	digest = rest[strings.LastIndexByte(rest, '@')+1:]
	return kind, digest, strings.Contains(digest, ":")
}

// Blob is one that an image is made of.
type Blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Manifest is one that is in the store.
type Manifest struct {
	Digest  string
	Created time.Time // when it was stored
	Layers  []Blob
}

// The labels that containerd gives to a manifest before it fetches what that names
// (containerd v1.6 to v2.4: images/handlers.go ChildGCLabels,
// remotes/docker/handler.go AppendDistributionSourceLabel).
const (
	labelConfig = "containerd.io/gc.ref.content.config"
	labelSource = "containerd.io/distribution.source."
)

// maxManifest bounds what is read as a manifest, in bytes (containerd v2.4
// core/remotes/docker/resolver.go MaxManifestSize).
const maxManifest = 4 << 20

// The bounds of what is kept of one: layers, of which runtimes mount some hundred at
// most, and the bytes of a digest, of which the longest, sha512, takes 135.
const (
	maxLayers = 1000
	maxDigest = 200
)

// maxManifests bounds the manifests of one repository that are looked at.
const maxManifests = 64

// Manifests returns those of a repository ("library/nginx") that came from the
// registry ("docker.io"), the newest first, for which want asks by their digest.
func (c *Client) Manifests(ctx context.Context, registry, repository string, want func(digest string) bool) ([]Manifest, error) {
	label := labelSource + registry
	if strings.ContainsAny(label, "\"\\") {
		return nil, nil // no registry is called that
	}
	type found struct {
		digest  string
		size    int64
		created time.Time
	}
	var blobs []found
	listing, cancel := context.WithTimeout(withNamespace(ctx), c.cfg.Timeout)
	defer cancel()
	request := &content.ListContentRequest{Filters: []string{`labels."` + label + `",labels."` + labelConfig + `"`}}
	err := stream(listing, c, methodContentList, request, func(r *content.ListContentResponse) bool {
		for _, i := range r.GetInfo() {
			if i.GetSize() > 0 && i.GetSize() <= maxManifest && slices.Contains(strings.Split(i.GetLabels()[label], ","), repository) && want(i.GetDigest()) {
				blobs = append(blobs, found{i.GetDigest(), i.GetSize(), i.GetCreatedAt().AsTime()})
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(blobs, func(a, b found) int { return b.created.Compare(a.created) })
	var manifests []Manifest
	for _, b := range blobs[:min(len(blobs), maxManifests)] {
		layers, err := c.layers(ctx, b.digest, b.size)
		if status.Code(err) == codes.NotFound {
			continue // removed meanwhile
		}
		if err != nil {
			return manifests, err
		}
		manifests = append(manifests, Manifest{Digest: b.digest, Created: b.created, Layers: layers})
	}
	return manifests, nil
}

// layers reads the layers out of a manifest.
func (c *Client) layers(ctx context.Context, digest string, size int64) ([]Blob, error) {
	text := make([]byte, 0, size)
	reading, cancel := context.WithTimeout(withNamespace(ctx), c.cfg.Timeout)
	defer cancel()
	err := stream(reading, c, methodContentRead, &content.ReadContentRequest{Digest: digest, Size: size}, func(r *content.ReadContentResponse) bool {
		text = append(text, r.GetData()...)
		return int64(len(text)) < size
	})
	if err != nil {
		return nil, err
	}
	return parseLayers(text), nil
}

// parseLayers takes the layers of a manifest (opencontainers/image-spec v1.1
// manifest.md; Docker's schema 2 is alike); none if it is no manifest after all. What
// stands there came from a registry.
func parseLayers(text []byte) []Blob {
	var manifest struct {
		Layers layers `json:"layers"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil
	}
	return manifest.Layers
}

// layers is decoded one by one: a manifest has room for a million of them.
type layers []Blob

// UnmarshalJSON implements [json.Unmarshaler].
func (l *layers) UnmarshalJSON(text []byte) error {
	list := json.NewDecoder(bytes.NewReader(text))
	if start, err := list.Token(); err != nil || start != json.Delim('[') {
		return err // null is no layers
	}
	for len(*l) < maxLayers && list.More() {
		var b Blob
		if err := list.Decode(&b); err != nil {
			return err
		}
		if b.Digest == "" || len(b.Digest) > maxDigest {
			continue // nothing that could be downloaded
		}
		b.Size = max(b.Size, 0)
		*l = append(*l, b)
	}
	return nil
}

// HasBlob reports whether a blob is there, whole.
func (c *Client) HasBlob(ctx context.Context, digest string) (bool, error) {
	_, err := call[content.InfoResponse](withNamespace(ctx), c, methodContentInfo, &content.InfoRequest{Digest: digest})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	return err == nil, err
}
