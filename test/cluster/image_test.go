//go:build linux

package cluster

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// imageName is where the node gets the agent's image, tags those that there are.
const imageName = "registry.lab.test/pullcause/pullcause"

// pushImage makes the image as "make image" does, and pushes it under all tags.
func (c *cluster) pushImage(t *testing.T, tags ...string) {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "image")
	build := exec.CommandContext(t.Context(), "go", "run", "./cmd/image", "--bin="+dir, "build", "--out="+folder)
	build.Dir = repository + "/test/image"
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	path, err := layout.FromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	all, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := all.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		if err := c.node.PushIndex(imageName+":"+tag, index); err != nil {
			t.Fatal(err)
		}
	}
}
