package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/strvals"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func installDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What each row of the table says to set is taken.
func TestInstallTable(t *testing.T) {
	_, table, _ := strings.Cut(installDoc(t), "| to | set |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[1:]
	if len(rows) < 5 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		values := map[string]any{}
		for _, set := range regexp.MustCompile("`([a-zA-Z.]+=[^`]+)`").FindAllStringSubmatch(row, -1) {
			if err := strvals.ParseInto(set[1], values); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := load(t).Render(values, OldestKubernetes); err != nil {
			t.Errorf("%s\n%v", row, err)
		}
	}
}

// The kustomization that names a receiver does.
func TestInstallPatch(t *testing.T) {
	_, block, ok := strings.Cut(installDoc(t), "```yaml\nresources: [../manifests]\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok {
		t.Fatal("no kustomization")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "manifests"), os.DirFS(deployDir+"/manifests")); err != nil {
		t.Fatal(err)
	}
	err := write(dir, map[string][]byte{"mine/kustomization.yaml": []byte("resources: [../manifests]\n" + block)})
	if err != nil {
		t.Fatal(err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "mine"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	ds := daemonSet(t, Rendered{Manifests: []Manifest{{Text: string(text)}}})
	env := ds.Spec.Template.Spec.Containers[0].Env
	want := core.EnvVar{Name: "PULLCAUSE_OTLP_CUBEAPM", Value: "http://cubeapm:3130"}
	if env[len(env)-1] != want {
		t.Errorf("got %v", env)
	}
}
