package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// chartFolder is where the chart is in the repository, named like the chart.
const chartFolder = "deploy/helm/pullcause"

// The two lines of Chart.yaml that follow the release.
var (
	chartVersionLine = regexp.MustCompile(`(?m)^version:.*$`)
	appVersionLine   = regexp.MustCompile(`(?m)^appVersion:.*$`)
)

// packChart writes the chart as helm package does, but with the release's
// version and the commit's time.
func packChart(folder, out string, c Commit) error {
	chart, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return fmt.Errorf("read the chart: %w", err)
	}
	version := chartVersion(c.Version)
	for line, text := range map[*regexp.Regexp]string{
		chartVersionLine: "version: " + version,
		appVersionLine:   fmt.Sprintf("appVersion: %q", c.Tag()),
	} {
		if !line.Match(chart) {
			return fmt.Errorf("read the chart: Chart.yaml has no line %q", strings.TrimPrefix(line.String(), "(?m)"))
		}
		chart = line.ReplaceAllLiteral(chart, []byte(text))
	}
	ignored, err := readIgnore(filepath.Join(folder, ".helmignore"))
	if err != nil {
		return err
	}
	name := filepath.Base(folder)
	return writeArchive(filepath.Join(out, name+"-"+version+".tgz"), c.Time, true, func(a *archive) error {
		if err := a.add(path.Join(name, "Chart.yaml"), 0o644, chart); err != nil {
			return err
		}
		return a.addTree(name, folder, func(file string, dir bool) bool {
			return file == "Chart.yaml" || ignored.match(file, dir)
		})
	})
}

// chartVersion makes a version that Helm takes: strictly semantic, without v.
func chartVersion(version string) string {
	if semver.IsValid(version) && strings.Count(strings.SplitN(version, "-", 2)[0], ".") == 2 {
		return strings.TrimPrefix(version, "v")
	}
	return "0.0.0-g" + regexp.MustCompile(`[^0-9A-Za-z.-]`).ReplaceAllString(version, "-")
}

// ignore holds the patterns of a .helmignore.
type ignore []string

func readIgnore(file string) (ignore, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what the chart leaves out: %w", err)
	}
	var patterns ignore
	for line := range bytes.Lines(text) {
		pattern := string(bytes.TrimSpace(line))
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil || strings.HasPrefix(pattern, "!") || strings.Contains(pattern, "**") {
			return nil, fmt.Errorf("%s: %q: want a pattern without ! and **", file, pattern)
		}
		patterns = append(patterns, pattern)
	}
	return patterns, nil
}

// match does as Helm does: a pattern with a slash inside is about the whole name, others about its last part,
// and one with a slash at the end about folders only.
func (i ignore) match(name string, dir bool) bool {
	for _, pattern := range i {
		trimmed := strings.TrimSuffix(pattern, "/")
		if trimmed != pattern && !dir {
			continue
		}
		whole := name
		if !strings.Contains(trimmed, "/") {
			whole = path.Base(name)
		}
		if ok, err := path.Match(strings.TrimPrefix(trimmed, "/"), whole); ok && err == nil {
			return true
		}
	}
	return false
}
