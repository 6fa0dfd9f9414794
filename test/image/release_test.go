package image

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// repository makes the files of one that a release takes from it.
func repository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"README.md": "read me\n", "LICENSE": "licence\n",
		"CHANGELOG.md":                         "# Changelog\n\n## Unreleased\n\n- not yet\n\n## 1.2.3 - 2026-11-25\n\n### Added\n- all\n\n## 1.2.2 - 2026-11-01\n- less\n",
		chartFolder + "/Chart.yaml":            "apiVersion: v2\nname: pullcause\nversion: 0.1.0\nappVersion: \"0.1.0\"\n",
		chartFolder + "/values.yaml":           "a: b\n",
		chartFolder + "/templates/ds.yaml":     "kind: DaemonSet\n",
		chartFolder + "/tests/ds_test.yaml":    "suite: left out\n",
		chartFolder + "/templates/ds.yaml.swp": "left out\n",
		chartFolder + "/.helmignore":           "# what is left out\n*.swp\ntests/\n",
	} {
		write(t, filepath.Join(folder, name), text)
	}
	return folder
}

func TestRelease(t *testing.T) {
	source, out := repository(t), t.TempDir()
	if err := built(t).Release(source, out, DefaultName, false); err != nil {
		t.Fatal(err)
	}
	got := contents(t, out)
	want := []string{
		"NOTES.md", "SHA256SUMS", "pullcause-1.2.3.tgz", "pullcause_v1.2.3_image.digest", "pullcause_v1.2.3_image.tar",
		"pullcause_v1.2.3_linux_amd64.cdx.json", "pullcause_v1.2.3_linux_amd64.tar.gz",
		"pullcause_v1.2.3_linux_arm64.cdx.json", "pullcause_v1.2.3_linux_arm64.tar.gz",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	if notes := got["NOTES.md"]; notes != "### Added\n- all\n" {
		t.Errorf("notes: %q", notes)
	}
	if text := got["pullcause_v1.2.3_image.digest"]; text != digest(t, built(t).Index)+"\n" {
		t.Errorf("digest: %s", text)
	}
	var sums strings.Builder
	for _, name := range want {
		if name != sumsFile {
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(got[name])), name)
		}
	}
	if diff := cmp.Diff(sums.String(), got[sumsFile]); diff != "" {
		t.Errorf("checksums (-want +got):\n%s", diff)
	}
	checkArchives(t, out)
	// Over what is there, it is the same again.
	if err := built(t).Release(source, out, DefaultName, false); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, contents(t, out)) {
		t.Error("the files differ from one time to the next")
	}
}

// checkArchives looks into those of the programs and of the chart.
func checkArchives(t *testing.T, out string) {
	t.Helper()
	program := "pullcause_v1.2.3_linux_arm64"
	for file, want := range map[string][]string{
		program + ".tar.gz": {
			"-rw-r--r-- " + program + "/CHANGELOG.md", "-rw-r--r-- " + program + "/LICENSE", "-rw-r--r-- " + program + "/README.md",
			"-rwxr-xr-x " + program + "/pullcause",
		},
		"pullcause-1.2.3.tgz": {
			"-rw-r--r-- pullcause/Chart.yaml", "-rw-r--r-- pullcause/.helmignore",
			"-rw-r--r-- pullcause/templates/ds.yaml", "-rw-r--r-- pullcause/values.yaml",
		},
	} {
		in, err := os.Open(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		plain, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range headers(t, plain) {
			got = append(got, fmt.Sprintf("%s %s", h.FileInfo().Mode(), h.Name))
			if !h.ModTime.Equal(testCommit.Time) || h.Uid != 0 || h.Uname != "" {
				t.Errorf("%s: %s is of %s and of user %d %q", file, h.Name, h.ModTime, h.Uid, h.Uname)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		all[e.Name()] = read(t, filepath.Join(folder, e.Name()))
	}
	return all
}

func TestReleaseSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, version, want string }{
		{"no tag", "3e030b727437", "tag it"},
		{"behind a tag", "v1.2.3-5-g3e030b727437", "tag it"},
		{"changed", "v1.2.3-dirty", "tag it"},
		{"not in the changelog", "v1.2.4", `CHANGELOG.md has no section "## 1.2.4"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := *built(t)
			b.Commit.Version = c.version
			if err := b.Release(repository(t), t.TempDir(), DefaultName, false); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	full := t.TempDir()
	write(t, filepath.Join(full, "precious"), "")
	if err := built(t).Release(repository(t), full, DefaultName, false); err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Errorf("into a folder that holds something else: %v", err)
	}
}

// The chart and the changelog of this repository can be released.
func TestSnapshotOfThisRepository(t *testing.T) {
	out := t.TempDir()
	if err := packChart(filepath.Join(root, chartFolder), out, Commit{Version: "3e030b727437-dirty", Time: testCommit.Time}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "pullcause-0.0.0-g3e030b727437-dirty.tgz")); err != nil {
		t.Error(err)
	}
	if notes, err := releaseNotes(filepath.Join(root, "CHANGELOG.md"), "3e030b727437-dirty", true); err != nil || notes == "" {
		t.Errorf("notes %q, %v", notes, err)
	}
}

// What the chart asks for without any value is what the image is called.
func TestNameIsTheChartsDefault(t *testing.T) {
	if values := read(t, filepath.Join(root, chartFolder, "values.yaml")); !strings.Contains(values, "repository: "+DefaultName+"\n") {
		t.Errorf("values.yaml has another image.repository than %s", DefaultName)
	}
}

func TestChartVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-rc.1": "1.2.3-rc.1", "v1.2.3-5-gabc": "1.2.3-5-gabc",
		"3e030b727437": "0.0.0-g3e030b727437", "v1.2": "0.0.0-gv1.2", "a_b": "0.0.0-ga-b",
	} {
		if got := chartVersion(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

func TestChartSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"Chart.yaml", "name: pullcause\nversion: 1.0.0\n", "has no line \"^appVersion"},
		{".helmignore", "!keep\n", "want a pattern without !"},
	} {
		folder := filepath.Join(repository(t), chartFolder)
		write(t, filepath.Join(folder, c.file), c.text)
		if err := packChart(folder, t.TempDir(), testCommit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.file, err, c.want)
		}
	}
}

func TestHelmignore(t *testing.T) {
	i := ignore{"*.swp", "tests/", "/README.md", "a/b"}
	for name, want := range map[string]bool{
		"x.swp": true, "templates/x.swp": true, "tests/": true, "tests": false, "README.md": true,
		"files/README.md": false, "a/b": true, "c/a/b": false,
	} {
		if got := i.match(strings.TrimSuffix(name, "/"), strings.HasSuffix(name, "/")); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
