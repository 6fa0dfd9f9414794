//go:build linux

package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Sizes in bytes. containerd copies through a buffer of 1 MiB, so the first
// half of a medium layer is seen as progress; the huge one does not fit into
// containerd's root.
const (
	rootSize    = 24 << 20
	smallLayer  = 64 << 10
	mediumLayer = 4 << 20
	largeLayer  = 30 << 20
	hugeLayer   = 2 * rootSize
)

// foreignArch is one that no node of the lab has; foreignRepository is for it.
const (
	foreignArch       = "s390x"
	foreignRepository = "platform/foreign"
)

// OtherArch is an architecture that the node does not run programs of.
func OtherArch() string {
	if runtime.GOARCH == "arm64" {
		return "amd64"
	}
	return "arm64"
}

// fill pushes the images that exist.
func (g *registry) fill() error {
	sizes := map[string]int{
		"team/ok:1.0":         smallLayer,
		"team/web:1.0":        smallLayer,
		"limit/layers:1.0":    smallLayer,
		"corrupt/digest:1.0":  smallLayer,
		"corrupt/short:1.0":   smallLayer,
		"slow/stalled:1.0":    mediumLayer,
		"legacy/schema1:data": smallLayer,
		"huge/layer:1.0":      hugeLayer,
	}
	for reference, size := range sizes {
		if err := g.push(reference, runtime.GOARCH, size); err != nil {
			return fmt.Errorf("push %s: %w", reference, err)
		}
	}
	if g.pause != nil {
		if err := g.push(strings.TrimPrefix(pauseImage, pauseHost+"/"), runtime.GOARCH, smallLayer); err != nil {
			return fmt.Errorf("push %s: %w", pauseImage, err)
		}
	}
	return g.pushForeign(foreignRepository + ":1.0")
}

func (g *registry) push(reference, arch string, size int) error {
	image, err := g.image(reference, arch, size)
	if err != nil {
		return err
	}
	ref, err := name.ParseReference("registry.lab.test/" + reference)
	if err != nil {
		return err
	}
	return remote.Write(ref, image, remote.WithTransport(direct{g.good}))
}

// PushIndex puts images of several platforms into the registries, under a name such as
// "registry.lab.test/team/web:1.0".
func (n *Node) PushIndex(reference string, index v1.ImageIndex) error {
	ref, err := name.ParseReference(reference)
	if err == nil {
		err = remote.WriteIndex(ref, index, remote.WithTransport(direct{n.internet.registry.good}))
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", reference, err)
	}
	return nil
}

// pushForeign pushes an index without an image for this platform.
func (g *registry) pushForeign(reference string) error {
	image, err := g.image(reference, foreignArch, smallLayer)
	if err != nil {
		return err
	}
	ref, err := name.ParseReference("registry.lab.test/" + reference)
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add:        image,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: foreignArch}},
	})
	return remote.WriteIndex(ref, index, remote.WithTransport(direct{g.good}))
}

// image makes an image of a layer of its own, as a layer that containerd has seen
// under another name is not fetched again, and one with a program to run.
func (g *registry) image(reference, arch string, size int) (v1.Image, error) {
	content := make([]byte, size)
	copy(content, reference)
	layers := make([]v1.Layer, 0, 2)
	layer, err := makeLayer("data", 0o644, content)
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	layers = append(layers, layer)
	command := "/data"
	if g.pause != nil {
		if layer, err = makeLayer("pause", 0o755, g.pause); err != nil {
			return nil, fmt.Errorf("make layer: %w", err)
		}
		layers = append(layers, layer)
		command = "/pause"
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return nil, fmt.Errorf("make layer: %w", err)
		}
		g.layers[digest.String()] = true
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: arch, Config: v1.Config{Cmd: []string{command}}})
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	return mutate.AppendLayers(image, layers...)
}

// makeLayer packs one file, without compression, so that the layer is as big on
// the wire.
func makeLayer(name string, mode int64, content []byte) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.NoCompression), tarball.WithMediaType(types.OCILayer))
}
