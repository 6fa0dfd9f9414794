package image

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"pullcause/test/image/roots"
)

// The other folder is what the Dockerfile's build gets to see, so this also
// tells that .dockerignore leaves enough.
func TestSameDigestInAnotherFolder(t *testing.T) {
	want := built(t)
	other := filepath.Join(t.TempDir(), "another", "folder")
	dockerContext(t, other)
	t.Setenv("GOFLAGS", "-tags=other -ldflags=-w") // of the builder's own, which must not matter
	got, err := Build(t.Context(), other, filepath.Join(other, "bin"), testCommit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Each {
		if string(want.Each[i].SBOM) != string(got.Each[i].SBOM) {
			t.Errorf("%s: SBOMs differ:\n%s", want.Each[i].Platform, cmp.Diff(string(want.Each[i].SBOM), string(got.Each[i].SBOM)))
		}
	}
	if a, b := digest(t, want.Index), digest(t, got.Index); a != b {
		t.Errorf("digests differ: %s and %s", a, b)
	}
	t.Logf("%s twice", digest(t, want.Index))
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	hash, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

func TestIndex(t *testing.T) {
	b := built(t)
	manifest, err := b.Index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range manifest.Manifests {
		got = append(got, fmt.Sprintf("%s %s", m.Platform, m.MediaType))
	}
	want := []string{"linux/amd64 " + string(types.OCIManifestSchema1), "linux/arm64/v8 " + string(types.OCIManifestSchema1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Labels(testCommit), manifest.Annotations); diff != "" || manifest.MediaType != types.OCIImageIndex {
		t.Errorf("index of type %s, annotations (-want +got):\n%s", manifest.MediaType, diff)
	}
}

func TestConfig(t *testing.T) {
	for _, p := range built(t).Each {
		t.Run(p.Name(), func(t *testing.T) {
			config, err := p.Image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{
				"org.opencontainers.image.title":       "pullcause",
				"org.opencontainers.image.description": "Tells why a Kubernetes node cannot pull images.",
				"org.opencontainers.image.licenses":    "Apache-2.0",
				"org.opencontainers.image.version":     "v1.2.3",
				"org.opencontainers.image.revision":    testCommit.Revision,
				"org.opencontainers.image.created":     "2026-11-25T12:00:00Z",
				"org.opencontainers.image.source":      "https://example.com/pullcause",
			}
			want := v1.Config{
				User: "0:0", Entrypoint: []string{"/pullcause"}, Cmd: []string{"run"}, WorkingDir: "/",
				ExposedPorts: map[string]struct{}{"9808/tcp": {}}, Labels: labels,
			}
			if diff := cmp.Diff(want, config.Config); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			if got := config.Platform(); !got.Equals(p.Platform) || !config.Created.Equal(testCommit.Time) {
				t.Errorf("platform %s, created %s", got, config.Created)
			}
			if manifest, err := p.Image.Manifest(); err != nil || cmp.Diff(labels, manifest.Annotations) != "" {
				t.Errorf("annotations of the manifest: %v, %v", manifest.Annotations, err)
			}
		})
	}
}

// A program and certificates: no shell, no package manager, no libc.
func TestFiles(t *testing.T) {
	certificates, err := roots.PEM()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range built(t).Each {
		program, err := os.Stat(p.Binary)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"drwxr-xr-x 0:0 0 etc/", "drwxr-xr-x 0:0 0 etc/ssl/", "drwxr-xr-x 0:0 0 etc/ssl/certs/",
			fmt.Sprintf("-rw-r--r-- 0:0 %d etc/ssl/certs/ca-certificates.crt", len(certificates)),
			fmt.Sprintf("-rwxr-xr-x 0:0 %d pullcause", program.Size()),
		}
		if diff := cmp.Diff(want, files(t, p.Image)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Platform, diff)
		}
	}
}

// files lists what the layers hold, in their order.
func files(t *testing.T, img v1.Image) (all []string) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		r, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range headers(t, r) {
			if !h.ModTime.Equal(testCommit.Time) {
				t.Errorf("%s is of %s, want the commit's time", h.Name, h.ModTime)
			}
			all = append(all, fmt.Sprintf("%s %d:%d %d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Size, h.Name))
		}
	}
	return all
}

func headers(t *testing.T, r io.Reader) (all []*tar.Header) {
	t.Helper()
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
}

func TestStatic(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for _, p := range built(t).Each {
		program, err := elf.Open(p.Binary)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { program.Close() })
		if program.Machine != machines[p.Platform.Architecture] {
			t.Errorf("%s: the program is for %s", p.Platform, program.Machine)
		}
		for _, part := range program.Progs {
			if part.Type == elf.PT_INTERP {
				t.Errorf("%s: the program wants a dynamic linker, which the image has not", p.Platform)
			}
		}
	}
}

func TestSize(t *testing.T) {
	for _, p := range built(t).Each {
		plain, compressed, err := Size(p.Image)
		if err != nil {
			t.Fatal(err)
		}
		if plain < 1e6 || plain > MaxSize || compressed >= plain {
			t.Errorf("%s: %d bytes, %d compressed", p.Platform, plain, compressed)
		}
		t.Logf("%s: %.1f MB, compressed %.1f MB", p.Platform, float64(plain)/1e6, float64(compressed)/1e6)
	}
	if err := checkSize("linux/amd64", MaxSize); err != nil {
		t.Error(err)
	}
	if err := checkSize("linux/amd64", MaxSize+1); err == nil {
		t.Error("an image that is too large passes")
	}
}

func TestLayout(t *testing.T) {
	b, folder := built(t), filepath.Join(t.TempDir(), "image")
	tars := []string{folder + "-1.tar", folder + "-2.tar"}
	for _, file := range tars { // the second time over the first
		if err := b.WriteLayout(folder, "registry.example.com/pullcause"); err != nil {
			t.Fatal(err)
		}
		if err := b.WriteTar(folder, file); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, tars[0]) != read(t, tars[1]) {
		t.Error("the file differs from one time to the next")
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	first := manifest.Manifests[0]
	if first.Digest.String() != digest(t, b.Index) || first.Annotations["io.containerd.image.name"] != "registry.example.com/pullcause:1.2.3" {
		t.Errorf("the layout begins with %+v", first)
	}
	image, err := index.ImageIndex(first.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(image); err != nil {
		t.Errorf("the layout's image is invalid: %v", err)
	}
	if n := len(manifest.Manifests); n != 3 {
		t.Errorf("%d entries, want the image and the SBOM of each platform", n)
	}
}

func TestLayoutLeavesOtherFoldersAlone(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "precious"), "")
	err := built(t).WriteLayout(folder, DefaultName)
	if err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Errorf("got %v", err)
	}
	read(t, filepath.Join(folder, "precious"))
}
