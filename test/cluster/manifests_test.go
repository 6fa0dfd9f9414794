//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// namespace is the one that the documents install into.
const namespace = "pullcause"

// unlabelled is a namespace as it is when nothing was said of it.
const unlabelled = "unlabelled"

// everything turns on what no preset does.
const everything = `
cubeapm: {url: "https://cubeapm.example.com"}
otlp: {headers: {Authorization: Bearer secret}, tls: {secret: certs}}
serviceAccount: {create: true}
securityContextConstraints: {create: true}
networkPolicy: {enabled: true}
podMonitor: {enabled: true}
prometheusRule: {enabled: true}
dashboard: {enabled: true}
`

// TestManifests has the API server look at all that the chart makes, as it would if it was
// to be stored, and refuse fields that it does not know.
func TestManifests(t *testing.T) {
	c := start(t)
	server := c.dryRun(t)
	c.makeNamespace(t, namespace, map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
	c.makeNamespace(t, unlabelled, nil)

	values := filepath.Join(t.TempDir(), "everything.yaml")
	if err := os.WriteFile(values, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{"", values}
	presets, err := filepath.Glob(filepath.Join(repository, chart, "presets", "*.yaml"))
	if err != nil || len(presets) == 0 {
		t.Fatalf("no presets: %v", err)
	}
	for _, file := range append(files, presets...) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		var with []string
		if file == "" {
			name = "defaults"
		} else {
			absolute, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			with = []string{"--values", absolute}
		}
		t.Run("helm template/"+name, func(t *testing.T) {
			helm(t, append([]string{"lint", "--strict", chart}, with...)...)
			text := helm(t, append([]string{"template", "pullcause", chart, "--namespace", namespace, "--kube-version", version}, with...)...)
			server.check(t, text)
			if file == "" {
				server.checkRefuses(t, text)
			}
		})
	}
	manifests := repository + "/deploy/manifests"
	made, err := filepath.Glob(manifests + "/*/pullcause.yaml")
	if err != nil || len(made) != len(presets) {
		t.Fatalf("got %d folders of manifests, want one for each of %d presets: %v", len(made), len(presets), err)
	}
	for _, file := range append(made, manifests+"/pullcause.yaml") {
		folder := filepath.Dir(file)
		t.Run("manifests/"+filepath.Base(folder), func(t *testing.T) {
			for _, name := range []string{"namespace.yaml", "pullcause.yaml"} {
				text, err := os.ReadFile(filepath.Join(folder, name))
				if err != nil {
					t.Fatal(err)
				}
				server.check(t, string(text))
			}
		})
	}
}
