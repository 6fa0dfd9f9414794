package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// push sends the images to a registry and returns its name for them.
func push(t *testing.T) name.Reference {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/pullcause:1.2.3"
	if err := built(t).Push(t.Context(), reference); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("what was pushed is invalid: %v", err)
	}
	return ref
}

// pull returns the agent's program as the registry hands it out for a platform.
func pull(t *testing.T, ref name.Reference, platform v1.Platform) string {
	t.Helper()
	img, err := remote.Image(ref, remote.WithPlatform(platform), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	r := mutate.Extract(img)
	defer r.Close()
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("the image that was pulled has no program")
		}
		if err != nil {
			t.Fatal(err)
		}
		if "/"+h.Name != binaryPath {
			continue
		}
		file := filepath.Join(t.TempDir(), "pullcause")
		out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, h.FileInfo().Mode())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, archive); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		return file
	}
}

// output runs a program that was pulled; emulator is empty for this machine's own.
func output(t *testing.T, emulator, program string, args ...string) string {
	t.Helper()
	command := append([]string{program}, args...)
	if emulator != "" {
		command = append([]string{emulator}, command...)
	}
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

const recorded = root + "/agent/demo/session/containerd.log"

func TestPushedImageRuns(t *testing.T) {
	ref := push(t)
	tried := 0
	var explained []string
	for _, platform := range Platforms() {
		t.Run(platform.Architecture, func(t *testing.T) {
			emulator := emulatorFor(t, platform.Architecture)
			program := pull(t, ref, platform)
			want := "pullcause v1.2.3\ncommit    " + testCommit.Revision + "\ngo        " + runtime.Version() +
				"\nplatform  linux/" + platform.Architecture + "\n"
			if diff := cmp.Diff(want, output(t, emulator, program, "version")); diff != "" {
				t.Errorf("version (-want +got):\n%s", diff)
			}
			text := output(t, emulator, program, "explain", recorded)
			if !strings.Contains(text, "rate_limited/docker_hub: 429 Too Many Requests (certain)") {
				t.Errorf("explain says:\n%s", text)
			}
			explained = append(explained, text)
			tried++
		})
	}
	if tried == 2 && explained[0] != explained[1] {
		t.Errorf("amd64 and arm64 explain the same log differently:\n%s", cmp.Diff(explained[0], explained[1]))
	}
}

// emulatorFor returns what runs programs of an architecture here, or skips.
func emulatorFor(t *testing.T, arch string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a program for Linux cannot be run here")
	}
	if arch == runtime.GOARCH {
		return ""
	}
	emulators := map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
	path, err := exec.LookPath(emulators[arch])
	if err != nil {
		t.Skipf("no %s to run programs for %s with: install qemu-user-static", emulators[arch], arch)
	}
	return path
}

// A registry lists the SBOMs beside the image.
func TestSBOMsArePushed(t *testing.T) {
	ref := push(t)
	index, err := built(t).Index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := remote.Referrers(ref.Context().Digest(index.String()), remote.WithFilter("artifactType", sbomMediaType))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := referrers.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for _, m := range manifest.Manifests {
		artifact, err := remote.Image(ref.Context().Digest(m.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		about, err := artifact.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		titles[about.Annotations["org.opencontainers.image.title"]] = true
		layers, err := artifact.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers, %v", len(layers), err)
		}
		r, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		var bom struct{ BOMFormat string }
		if err := json.NewDecoder(r).Decode(&bom); err != nil || bom.BOMFormat != "CycloneDX" {
			t.Errorf("an SBOM of format %q, %v", bom.BOMFormat, err)
		}
	}
	want := map[string]bool{"pullcause-linux-amd64.cdx.json": true, "pullcause-linux-arm64.cdx.json": true}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("SBOMs (-want +got):\n%s", diff)
	}
}

func TestPushSaysWhatIsWrong(t *testing.T) {
	for reference, want := range map[string]string{
		"UPPER/case:tag":              "want HOST/NAME:TAG",
		"127.0.0.1:1/pullcause:1.2.3": "push 127.0.0.1:1/pullcause:1.2.3",
	} {
		if err := built(t).Push(t.Context(), reference); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("push to %s: %v, want %q", reference, err, want)
		}
	}
}
