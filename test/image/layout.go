package image

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// DefaultName is the repository that the layout names. It is the chart's default, so that nodes
// which import the image from the file need no registry.
const DefaultName = "ghcr.io/pullcause/pullcause"

// WriteLayout writes index, images and SBOMs as an OCI layout into folder,
// replacing a layout that is there.
func (b *Built) WriteLayout(folder, repository string) error {
	if err := removeLayout(folder); err != nil {
		return err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	// The first is read by containerd, the second by all that follow image-spec.
	names := map[string]string{
		"io.containerd.image.name":          repository + ":" + b.Commit.Tag(),
		"org.opencontainers.image.ref.name": b.Commit.Tag(),
	}
	if err := path.AppendIndex(b.Index, layout.WithAnnotations(names)); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	for _, p := range b.Each {
		artifact, err := b.referrer(p)
		if err != nil {
			return err
		}
		if err := path.AppendImage(artifact); err != nil {
			return fmt.Errorf("write the SBOM for %s: %w", p.Platform, err)
		}
	}
	return nil
}

// removeLayout removes a layout, and nothing else.
func removeLayout(folder string) error {
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the folder for the layout: %w", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "oci-layout")); err != nil {
		return fmt.Errorf("write the layout: %s holds something else (%w): name another folder", folder, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove the layout that was there: %w", err)
	}
	return nil
}

// WriteTar writes a layout as one file, which containerd (ctr images import), docker
// (docker load) and skopeo (oci-archive:) read.
func (b *Built) WriteTar(folder, file string) error {
	return writeArchive(file, b.Commit.Time, false, func(a *archive) error { return a.addTree("", folder, nil) })
}

// Push sends index, images and SBOMs to a registry: with the credentials that
// docker login left, over plain HTTP on this machine only.
func (b *Built) Push(ctx context.Context, reference string) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return fmt.Errorf("push to %q: want HOST/NAME:TAG: %w", reference, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(ref, b.Index, options...); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	for _, p := range b.Each {
		artifact, err := b.referrer(p)
		if err != nil {
			return err
		}
		digest, err := artifact.Digest()
		if err != nil {
			return fmt.Errorf("push the SBOM for %s: %w", p.Platform, err)
		}
		if err := remote.Write(ref.Context().Digest(digest.String()), artifact, options...); err != nil {
			return fmt.Errorf("push the SBOM for %s: %w", p.Platform, err)
		}
	}
	return nil
}

// descriptor names the index from outside.
func descriptor(index v1.ImageIndex) (v1.Descriptor, error) {
	mediaType, typeErr := index.MediaType()
	digest, digestErr := index.Digest()
	size, sizeErr := index.Size()
	if err := cmp.Or(typeErr, digestErr, sizeErr); err != nil {
		return v1.Descriptor{}, fmt.Errorf("describe the index: %w", err)
	}
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, nil
}
