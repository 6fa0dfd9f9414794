// Package image makes what is published of the agent, without any container
// engine: an image for each platform and their index, the list of what the programs are made of,
// and the files of a release. What is made depends on the commit, the version of Go and go.sum only, so
// the same commit has the same digest wherever it is built.
//
// Start with Build, which compiles and puts together; Built.WriteLayout, Built.Push
// and Built.Release say where it goes. The program is cmd/image.
package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"pullcause/test/image/roots"
)

// MaxSize is how large an image may be, uncompressed, in bytes.
const MaxSize = 25_000_000

// binaryPath is where the agent is in the image.
const binaryPath = "/pullcause"

// Platforms are those that images are made for, named as image-spec names them.
func Platforms() []v1.Platform {
	return []v1.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm64", Variant: "v8"},
	}
}

// Built is what was made of one commit.
type Built struct {
	Commit Commit
	Index  v1.ImageIndex
	Each   []Platform
}

// Platform is what was made for one platform.
type Platform struct {
	Platform v1.Platform
	Binary   string // path
	Image    v1.Image
	SBOM     []byte
}

// Name is how files for the platform are called.
func (p Platform) Name() string {
	return p.Platform.OS + "-" + p.Platform.Architecture
}

// Build compiles the agent in folder source for all platforms, writes the
// programs and their SBOMs to bin, and puts the images together.
func Build(ctx context.Context, source, bin string, c Commit) (*Built, error) {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for the programs: %w", err)
	}
	b := &Built{Commit: c}
	for _, platform := range Platforms() {
		p := Platform{Platform: platform}
		p.Binary = filepath.Join(bin, "pullcause-"+p.Name())
		if err := compile(ctx, source, p.Binary, platform.Architecture, c); err != nil {
			return nil, err
		}
		var err error
		if p.SBOM, err = sbom(p.Binary, c); err != nil {
			return nil, err
		}
		if err = os.WriteFile(p.Binary+sbomExt, p.SBOM, 0o644); err != nil {
			return nil, fmt.Errorf("write the SBOM: %w", err)
		}
		if p.Image, err = imageOf(p, c); err != nil {
			return nil, fmt.Errorf("make the image for %s: %w", platform, err)
		}
		b.Each = append(b.Each, p)
	}
	if err := b.join(); err != nil {
		return nil, err
	}
	return b, nil
}

// imageOf makes the image of one platform: the certificates, which seldom change, below the program.
func imageOf(p Platform, c Commit) (v1.Image, error) {
	certificates, err := roots.PEM()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(p.Binary)
	if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, f := range []struct {
		path string
		mode int64
		body []byte
	}{{roots.Path, 0o644, certificates}, {binaryPath, 0o755, program}} {
		layer, err := fileLayer(f.path, f.mode, f.body, c.Time)
		if err != nil {
			return nil, fmt.Errorf("make the layer of %s: %w", f.path, err)
		}
		history := v1.History{Created: v1.Time{Time: c.Time}, CreatedBy: "COPY " + f.path}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: history}); err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.Platform.OS, p.Platform.Architecture, p.Platform.Variant
	config.Created = v1.Time{Time: c.Time}
	config.Config = runConfig(c)
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(img, Labels(c)).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotate: got %T, want an image", annotated)
	}
	return annotated, nil
}

// runConfig is how the image is run. The user is root because logs and sockets
// are root's; it needs no capability, so that the chart can drop all of them.
func runConfig(c Commit) v1.Config {
	return v1.Config{
		User:         "0:0",
		Entrypoint:   []string{binaryPath},
		Cmd:          []string{"run"},
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"9808/tcp": {}},
		Labels:       Labels(c),
	}
}

// Labels say what an image is made from, in the words of image-spec's
// annotations.md. They stand in the configuration, as docker and Kubernetes show them,
// and as annotations of manifests and index, where registries look.
func Labels(c Commit) map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":       "pullcause",
		"org.opencontainers.image.description": "Tells why a Kubernetes node cannot pull images.",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     c.Version,
		"org.opencontainers.image.revision":    c.Revision,
		"org.opencontainers.image.created":     c.Time.Format(time.RFC3339),
		"org.opencontainers.image.source":      c.URL,
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels
}

// join makes the index of all platforms.
func (b *Built) join() error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range b.Each {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: p.Image, Descriptor: v1.Descriptor{Platform: p.Platform.DeepCopy()},
		})
	}
	annotated, ok := mutate.Annotations(index, Labels(b.Commit)).(v1.ImageIndex)
	if !ok {
		return fmt.Errorf("annotate: got %T, want an index", annotated)
	}
	b.Index = annotated
	for _, p := range b.Each {
		size, _, err := Size(p.Image)
		if err != nil {
			return err
		}
		if err := checkSize(p.Platform.String(), size); err != nil {
			return err
		}
	}
	return nil
}

func checkSize(platform string, size int64) error {
	if size > MaxSize {
		return fmt.Errorf("the image for %s has %d bytes uncompressed, want at most %d: "+
			"see what a dependency brought (go version -m, go tool nm -size), or argue for a higher image.MaxSize", platform, size, MaxSize)
	}
	return nil
}

// Size returns how many bytes the layers of an image have, uncompressed and compressed.
func Size(img v1.Image) (plain, compressed int64, err error) {
	layers, err := img.Layers()
	if err != nil {
		return 0, 0, fmt.Errorf("list the layers: %w", err)
	}
	for _, layer := range layers {
		size, sizeErr := layer.Size()
		unpacked, readErr := unpackedSize(layer)
		if err := cmp.Or(sizeErr, readErr); err != nil {
			return 0, 0, fmt.Errorf("measure a layer: %w", err)
		}
		plain, compressed = plain+unpacked, compressed+size
	}
	return plain, compressed, nil
}
