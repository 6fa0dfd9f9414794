package chart

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// What the manifests in deploy/manifests are rendered as.
const (
	Release   = "pullcause"
	Namespace = "pullcause"
	// OldestKubernetes is the first version that the chart is for.
	OldestKubernetes = "v1.25.0"
)

// Chart is the chart of a folder.
type Chart struct {
	Dir   string
	chart *v2.Chart
}

// Load reads the chart in dir.
func Load(dir string) (*Chart, error) {
	c, err := loader.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	return &Chart{Dir: dir, chart: c}, nil
}

// Presets are the names of the files in presets/, each with values.
func (c *Chart) Presets() (map[string]map[string]any, error) {
	files, err := filepath.Glob(filepath.Join(c.Dir, "presets", "*.yaml"))
	if err != nil {
		return nil, err
	}
	presets := map[string]map[string]any{}
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		var values map[string]any
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		presets[strings.TrimSuffix(filepath.Base(file), ".yaml")] = values
	}
	return presets, nil
}

// Rendered is what the templates yield.
type Rendered struct {
	// Manifests are those that are not empty, by the name of their template, in order.
	Manifests []Manifest
	Notes     string
}

// Manifest is what one template yields: one object, or several.
type Manifest struct{ Template, Text string }

// Render does what helm template does with these values: checks them against the
// schema, and renders for that version of Kubernetes.
func (c *Chart) Render(values map[string]any, kubernetes string) (Rendered, error) {
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		return Rendered{}, fmt.Errorf("version of Kubernetes: %w", err)
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	options := common.ReleaseOptions{Name: Release, Namespace: Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c.chart, values, options, capabilities)
	if err != nil {
		return Rendered{}, err
	}
	texts, err := engine.Render(c.chart, all)
	if err != nil {
		return Rendered{}, fmt.Errorf("render: %w", err)
	}
	var r Rendered
	for name, text := range texts {
		name = path.Base(name)
		switch {
		case name == "NOTES.txt":
			r.Notes = text
		case strings.TrimSpace(text) != "":
			r.Manifests = append(r.Manifests, Manifest{Template: name, Text: text})
		}
	}
	slices.SortFunc(r.Manifests, func(a, b Manifest) int { return strings.Compare(a.Template, b.Template) })
	return r, nil
}

// Objects are all objects, each as its own YAML document without the comments
// of templates.
func (r Rendered) Objects() []string {
	var objects []string
	for _, m := range r.Manifests {
		for doc := range strings.SplitSeq(m.Text, "\n---\n") {
			if doc = strings.TrimPrefix(strings.TrimSpace(doc), "---\n"); strings.TrimSpace(doc) != "" {
				objects = append(objects, doc+"\n")
			}
		}
	}
	return objects
}
