//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// stateDir is the folder of the node that the agent writes to.
const stateDir = "/var/lib/pullcause"

// objects are the names of all objects of the cluster but those that come and go by themselves.
func (c *cluster) objects(t *testing.T) []string {
	t.Helper()
	lists, err := c.client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	listable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "create", "delete"}}, lists)
	for _, list := range listable {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if r.Kind == "Event" {
				continue
			}
			objects, err := client.Resource(group.WithResource(r.Name)).List(t.Context(), meta.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects.Items {
				if o.GetNamespace() == shop {
					continue // it grows
				}
				all = append(all, r.Kind+" "+o.GetNamespace()+"/"+o.GetName())
			}
		}
	}
	slices.Sort(all)
	return all
}

// files are the names of what an installation may leave on the node: what programs have folders
// for, and pods, but those of the shop.
func (c *cluster) files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"/", "/etc", "/run", "/run/log", "/var/lib", "/var/log", "/var/log/pods", "/run/containerd"} {
		entries, err := os.ReadDir(filepath.Join(c.node.FileSystem(), dir))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), shop+"_") {
				all = append(all, filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(all)
	return all
}
