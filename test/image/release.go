package image

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// sumsFile lists the others, as sha256sum -c reads it.
const sumsFile = "SHA256SUMS"

// described matches what git describe says of a commit behind a tag, or changed.
var described = regexp.MustCompile(`-[0-9]+-g[0-9a-f]+(-dirty)?$|-dirty$`)

// Release writes the files of a release into folder out: for each platform an archive and
// its SBOM, the image as one file and its digest, the chart, what is new, and the checksums of
// all. CheckRelease says beforehand whether there is anything to release.
func (b *Built) Release(source, out, repository string, snapshot bool) error {
	version := b.Commit.Version
	notes, err := CheckRelease(source, version, snapshot)
	if err != nil {
		return err
	}
	if err := newFolder(out); err != nil {
		return err
	}
	digest, err := b.Index.Digest()
	if err != nil {
		return fmt.Errorf("digest of the index: %w", err)
	}
	base := filepath.Join(out, "pullcause_"+version)
	for file, text := range map[string]string{
		filepath.Join(out, "NOTES.md"): notes,
		base + "_image.digest":         digest.String() + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Base(file), err)
		}
	}
	for _, p := range b.Each {
		if err := b.releasePlatform(source, base+"_"+p.Platform.OS+"_"+p.Platform.Architecture, p); err != nil {
			return err
		}
	}
	if err := b.releaseImage(base+"_image.tar", repository); err != nil {
		return err
	}
	if err := packChart(filepath.Join(source, chartFolder), out, b.Commit); err != nil {
		return err
	}
	return writeSums(out)
}

// CheckRelease returns what is new in a version. Without snapshot it must be the
// tag of an unchanged commit and have a section in the changelog.
func CheckRelease(source, version string, snapshot bool) (notes string, err error) {
	if !snapshot && (!semver.IsValid(version) || described.MatchString(version)) {
		return "", fmt.Errorf("release %s: want the unchanged commit of a tag such as v1.2.3: tag it (git tag v1.2.3), or try with --snapshot", version)
	}
	return releaseNotes(filepath.Join(source, "CHANGELOG.md"), version, snapshot)
}

// newFolder makes folder, or empties it of the release that is there.
func newFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into the folder for the release: %w", err)
	}
	isSums := func(e fs.DirEntry) bool { return e.Name() == sumsFile || e.Name() == "NOTES.md" }
	if len(entries) > 0 && !slices.ContainsFunc(entries, isSums) {
		return fmt.Errorf("write the release: %s holds something else: name another folder", folder)
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return fmt.Errorf("make the folder for the release: %w", err)
	}
	return nil
}

// releasePlatform writes archive and SBOM of one platform.
func (b *Built) releasePlatform(source, base string, p Platform) error {
	folder := filepath.Base(base)
	err := writeArchive(base+".tar.gz", b.Commit.Time, true, func(a *archive) error {
		for _, name := range []string{"CHANGELOG.md", "LICENSE", "README.md"} {
			if err := a.addPath(path.Join(folder, name), 0o644, filepath.Join(source, name)); err != nil {
				return err
			}
		}
		return a.addPath(path.Join(folder, "pullcause"), 0o755, p.Binary)
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+sbomExt, p.SBOM, 0o644); err != nil {
		return fmt.Errorf("write the SBOM for %s: %w", p.Platform, err)
	}
	return nil
}

func (b *Built) releaseImage(file, repository string) error {
	folder, err := os.MkdirTemp("", "pullcause-image-")
	if err != nil {
		return fmt.Errorf("make a folder for the image: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a leftover in the temporary folder harms nobody
	if err := b.WriteLayout(folder, repository); err != nil {
		return err
	}
	return b.WriteTar(folder, file)
}

// releaseNotes is the section of the changelog about a version; a snapshot has
// what is not released yet.
func releaseNotes(changelog, version string, snapshot bool) (string, error) {
	text, err := os.ReadFile(changelog)
	if err != nil {
		return "", fmt.Errorf("read the changelog: %w", err)
	}
	title := strings.TrimPrefix(version, "v")
	if snapshot {
		title = "Unreleased"
	}
	for section := range strings.SplitSeq("\n"+string(text), "\n## ") {
		head, body, _ := strings.Cut(section, "\n")
		if name := strings.Trim(strings.Fields(head + " -")[0], "[]v"); name == strings.Trim(title, "v") {
			return strings.TrimSpace(body) + "\n", nil
		}
	}
	return "", fmt.Errorf("CHANGELOG.md has no section %q: turn \"## Unreleased\" into \"## %s - date\"", "## "+title, title)
}

// writeSums writes the checksums of all files in folder.
func writeSums(folder string) error {
	entries, err := os.ReadDir(folder) // sorted by name
	if err != nil {
		return fmt.Errorf("list the release: %w", err)
	}
	var sums strings.Builder
	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return fmt.Errorf("read what was released: %w", err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(body), e.Name())
	}
	if err := os.WriteFile(filepath.Join(folder, sumsFile), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("write the checksums: %w", err)
	}
	return nil
}
