package cri

import (
	"bytes"
	"context"
	"encoding/json"
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

// Ingests lists the blobs that are being downloaded. Of a list that is too long, cut
// elements are left out.
func (c *Client) Ingests(ctx context.Context) (ingests []Ingest, cut int, err error) {
	cut, err = list(withNamespace(ctx), c, methodIngests, &content.ListStatusesRequest{}, maxIngests, func(s *content.Status) {
		kind, digest, ok := parseRef(s.GetRef())
		if !ok || len(kind)+len(digest) > maxDigest {
			return // somebody else's
		}
		i := Ingest{Kind: kind, Digest: digest, Offset: s.GetOffset(), Total: s.GetTotal()}
		if t := s.GetStartedAt(); t.IsValid() {
			i.Started = t.AsTime()
		}
		if t := s.GetUpdatedAt(); t.IsValid() {
			i.Updated = t.AsTime()
		}
		ingests = append(ingests, i)
	})
	return ingests, cut, err
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

// maxManifest bounds what is read as a manifest, in bytes. One of 127 layers, which is
// as many as images have, takes 30 KB.
const maxManifest = 1 << 20

// The bounds of what is kept of one: layers, of which the kernel mounts at most 500
// (linux v6.12 fs/overlayfs/params.h OVL_MAX_STACK), and the bytes of a digest, of which
// the longest, sha512, takes 135.
const (
	maxLayers = 500
	maxDigest = 200
)

// ReadManifest reads one that [Client.Stored] found; ok is false if it has been removed
// meanwhile.
func (c *Client) ReadManifest(ctx context.Context, m StoredManifest) (manifest Manifest, ok bool, err error) {
	text := make([]byte, 0, m.Size)
	ctx, cancel := context.WithTimeout(withNamespace(ctx), c.cfg.Timeout)
	defer cancel()
	var part content.ReadContentResponse
	err = stream(ctx, c, methodContentRead, &content.ReadContentRequest{Digest: m.Digest, Size: m.Size}, &part, func() bool {
		text = append(text, part.GetData()[:min(int64(len(part.GetData())), m.Size-int64(len(text)))]...)
		return int64(len(text)) < m.Size
	})
	if status.Code(err) == codes.NotFound {
		return Manifest{}, false, nil
	}
	if err != nil {
		return Manifest{}, false, err
	}
	return Manifest{Digest: m.Digest, Created: m.Created, Layers: parseLayers(text)}, true, nil
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
