package chart

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is made of the chart")

const (
	deployDir = "../../deploy"
	chartDir  = deployDir + "/helm/pullcause"
)

func load(t *testing.T) *Chart {
	t.Helper()
	c, err := Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func render(t *testing.T, values string) Rendered {
	t.Helper()
	r, err := load(t).Render(parse(t, values), OldestKubernetes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The order is that of making: manifests are rendered with the schema.
func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		if err := updateAll(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func updateAll() error {
	for _, c := range copies() {
		text, err := os.ReadFile(filepath.Join(deployDir, c.from))
		if err != nil {
			return err
		}
		if err := write(chartDir, map[string][]byte{c.to: text}); err != nil {
			return err
		}
	}
	for _, files := range []func(*Chart) (map[string][]byte, error){(*Chart).Files, (*Chart).Manifests} {
		c, err := Load(chartDir)
		if err != nil {
			return err
		}
		made, err := files(c)
		if err != nil {
			return err
		}
		if err := write(deployDir, made); err != nil {
			return err
		}
	}
	return nil
}

// What stands in the repository is what the chart makes, and nothing is left of what it
// no longer makes.
func TestMade(t *testing.T) {
	c := load(t)
	made, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := c.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(made, manifests)
	for _, name := range slices.Sorted(maps.Keys(made)) {
		have, err := os.ReadFile(filepath.Join(deployDir, name))
		if err != nil {
			t.Errorf("%v; go test ./... -update makes it", err)
			continue
		}
		if !bytes.Equal(have, made[name]) {
			t.Errorf("%s is not what the chart makes; go test ./... -update does. Have (-), made (+):\n%s", name,
				cmp.Diff(strings.Split(string(have), "\n"), strings.Split(string(made[name]), "\n")))
		}
	}
	err = filepath.WalkDir(filepath.Join(deployDir, "manifests"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(deployDir, path)
		if _, ok := made[name]; !ok {
			t.Errorf("%s is not made of the chart; remove it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type copied struct{ from, to string }

// copies are what the chart takes with it from elsewhere: Helm packs no symbolic links.
func copies() []copied {
	return []copied{
		{"alerts/pullcause.rules.yaml", "files/alerts.yaml"},
		{"dashboards/grafana.json", "files/dashboard.json"},
	}
}

func TestCopies(t *testing.T) {
	for _, c := range copies() {
		t.Run(c.to, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(deployDir, c.from))
			if err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(filepath.Join(chartDir, c.to))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(have, want) {
				t.Errorf("%s is not deploy/%s; go test ./... -update copies it", c.to, c.from)
			}
		})
	}
}
