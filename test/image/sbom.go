package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/licensedetect/local"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rs/zerolog"

	"pullcause/test/image/roots"
)

const (
	sbomExt       = ".cdx.json"
	sbomMediaType = "application/vnd.cyclonedx+json"
	sbomTool      = "github.com/CycloneDX/cyclonedx-gomod"
)

// sbom lists, as CycloneDX, the modules that the linker put into a program,
// with their licences, Go itself, and the certificates beside it. It has no serial number and
// the commit's time, so that it is the same whenever it is made.
func sbom(program string, c Commit) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("list the modules of %s: %w", program, err) }
	generator, err := bin.NewGenerator(program,
		bin.WithLogger(zerolog.Nop()), bin.WithIncludeStdlib(true),
		bin.WithVersionOverride(c.Version), bin.WithLicenseDetector(local.NewDetector(zerolog.Nop())))
	if err != nil {
		return fail(err)
	}
	bom, err := generator.Generate()
	if err != nil {
		return fail(err)
	}
	certificates, err := certificatesComponent()
	if err != nil {
		return fail(err)
	}
	*bom.Components = append(*bom.Components, certificates)
	bom.SerialNumber = ""
	bom.Metadata.Timestamp = c.Time.Format(time.RFC3339)
	bom.Metadata.Tools = &cdx.ToolsChoice{Components: &[]cdx.Component{{
		Type: cdx.ComponentTypeApplication, Name: sbomTool, Version: moduleVersion(sbomTool),
	}}}
	bom.Metadata.Component.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return fail(err)
	}
	return out.Bytes(), nil
}

func certificatesComponent() (cdx.Component, error) {
	text, err := roots.PEM()
	if err != nil {
		return cdx.Component{}, err
	}
	sum := sha256.Sum256(text)
	version := moduleVersion(roots.Module)
	return cdx.Component{
		BOMRef: "file:" + roots.Path, Type: cdx.ComponentTypeData, Name: roots.Path, Version: version,
		Description: "Mozilla's root certificates, from " + roots.Module,
		PackageURL:  "pkg:golang/" + roots.Module + "@" + version,
		Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}, nil
}

// moduleVersion is the version of a module that is linked into this program.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return ""
}

// referrer wraps the SBOM of a platform as an artifact that points to the index, so that a
// registry lists it beside the image (image-spec 1.1, subject).
func (b *Built) referrer(p Platform) (v1.Image, error) {
	fail := func(err error) (v1.Image, error) { return nil, fmt.Errorf("wrap the SBOM for %s: %w", p.Platform, err) }
	subject, err := descriptor(b.Index)
	if err != nil {
		return fail(err)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), sbomMediaType)
	if img, err = mutate.AppendLayers(img, static.NewLayer(p.SBOM, sbomMediaType)); err != nil {
		return fail(err)
	}
	annotated, ok := mutate.Annotations(img, map[string]string{
		"org.opencontainers.image.title":   "pullcause-" + p.Name() + sbomExt,
		"org.opencontainers.image.created": b.Commit.Time.Format(time.RFC3339),
	}).(v1.Image)
	if !ok {
		return fail(fmt.Errorf("got %T, want an image", annotated))
	}
	// Last, since Annotations would drop it.
	artifact, ok := mutate.Subject(annotated, subject).(v1.Image)
	if !ok {
		return fail(fmt.Errorf("got %T, want an image", artifact))
	}
	return artifact, nil
}
