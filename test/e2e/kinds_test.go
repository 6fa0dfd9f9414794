//go:build linux

package e2e

import (
	"slices"
	"testing"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// kinds are the pods that fail to get an image, each in its own way.
var kinds = []struct {
	name  string
	fault map[string]lab.Fault // by repository
	pod   lab.Manifest
	want  int // records of first attempts
}{
	{
		name: "a container", want: 1,
		fault: map[string]lab.Fault{"app/one": lab.NotFound},
		pod:   lab.Manifest{Name: "ordinary", Containers: []lab.Container{{Name: "app", Image: image("app/one")}}},
	},
	{
		name: "an init container", want: 1,
		fault: map[string]lab.Fault{"app/setup": lab.Forbidden},
		pod: lab.Manifest{
			Name:           "init",
			InitContainers: []lab.Container{{Name: "setup", Image: image("app/setup")}},
			Containers:     []lab.Container{{Name: "app", Image: image("app/after")}},
		},
	},
	{
		name: "two of three containers", want: 2,
		fault: map[string]lab.Fault{"app/left": lab.Unavailable, "app/right": lab.RateLimited},
		pod: lab.Manifest{Name: "several", Containers: []lab.Container{
			{Name: "left", Image: image("app/left")}, {Name: "good", Image: image("app/good")}, {Name: "right", Image: image("app/right")},
		}},
	},
	{
		name: "an image volume", want: 1,
		fault: map[string]lab.Fault{"app/model": lab.NotFound},
		pod: lab.Manifest{
			Name: "volume", Containers: []lab.Container{{Name: "app", Image: image("app/good")}},
			ImageVolumes: []lab.ImageVolume{{Name: "model", Image: image("app/model")}},
		},
	},
	{
		name: "a private image", want: 1,
		fault: map[string]lab.Fault{"app/private": lab.Unauthorized},
		pod:   lab.Manifest{Name: "private", Containers: []lab.Container{{Name: "app", Image: image("app/private"), Policy: lab.Always}}},
	},
	{
		name: "policy Never", want: 1,
		pod: lab.Manifest{Name: "never", Containers: []lab.Container{{Name: "app", Image: image("app/never"), Policy: lab.Never}}},
	},
	{
		name: "an invalid name", want: 1,
		pod: lab.Manifest{Name: "invalid", Containers: []lab.Container{{Name: "app", Image: image("App/Invalid")}}},
	},
}

func image(path string) string { return appRegistry + "/" + path + ":1.0" }

// TestKinds compares what is told of the first attempt of each kind of pod with a
// text, for each kubelet.
func TestKinds(t *testing.T) {
	for _, version := range lab.KubeletVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			requireRoot(t)
			began := time.Now()
			node := startNode(t, version, lab.Options{})
			receiver := listen(t)
			agent := startAgent(t, logsOf(node), receiver)
			var names []string
			records := map[string][]otlptest.Record{}
			must(t, node.SetListening("registry.k8s.io", false))
			names = append(names, "the pause image")
			records["the pause image"] = firsts(t, node, receiver, lab.Manifest{Name: "sandbox", Containers: []lab.Container{{Name: "app", Image: image("app/good")}}}, 1)
			must(t, node.SetListening("registry.k8s.io", true))
			for _, k := range kinds {
				for repository, f := range k.fault {
					must(t, node.SetFault(appRegistry+"/"+repository, f))
				}
				names = append(names, k.name)
				records[k.name] = firsts(t, node, receiver, k.pod, k.want)
			}
			agent.stop(t)
			golden(t, "kubelet-"+version, names, records)
			t.Logf("%s took %s", version, time.Since(began).Round(time.Second))
		})
	}
}

// firsts adds a pod, waits for n records about it, and removes it.
func firsts(t *testing.T, node *lab.Node, receiver *otlptest.Receiver, m lab.Manifest, n int) []otlptest.Record {
	t.Helper()
	m.Namespace = "shop"
	pod, err := node.AddPod(m)
	must(t, err)
	var found []otlptest.Record
	until(t, time.Minute, "records about "+m.Name, func() bool {
		found = found[:0]
		seen := map[string]bool{}
		for _, r := range failures(receiver.Records()) {
			w := waiterOf(r)
			if w.UID == pod.UID && !seen[w.Container] {
				seen[w.Container] = true
				found = append(found, r)
			}
		}
		return len(found) >= n
	})
	must(t, node.RemovePod(pod))
	slices.SortFunc(found, func(a, b otlptest.Record) int { return a.Time.Compare(b.Time) })
	return slices.Clone(found)
}
