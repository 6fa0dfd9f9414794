//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// The shop is what somebody else runs on the cluster: a deployment whose image cannot be
// pulled.
const (
	shop           = "shop"
	shopRepository = "registry.lab.test/app/web"
	shopImage      = shopRepository + ":1.0"
	shopContainer  = "front"
)

// openShop makes the deployment.
func (c *cluster) openShop(t *testing.T) {
	t.Helper()
	if err := c.node.SetFault(shopRepository, lab.NotFound); err != nil {
		t.Fatal(err)
	}
	c.makeNamespace(t, shop, nil)
	labels := map[string]string{"app": "web"}
	_, err := c.client.AppsV1().Deployments(shop).Create(t.Context(), &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: "web"},
		Spec: apps.DeploymentSpec{
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{
					InitContainers: []core.Container{{Name: "setup", Image: "registry.lab.test/app/setup:1.0", Command: []string{"/pause", "and end"}}},
					Containers:     []core.Container{{Name: shopContainer, Image: shopImage}},
				},
			},
		},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// expandShop asks for one pod more, which has its image pulled at once: for the others
// the kubelet holds back for minutes.
func (c *cluster) expandShop(t *testing.T) {
	t.Helper()
	deployments := c.client.AppsV1().Deployments(shop)
	scale, err := deployments.GetScale(t.Context(), "web", meta.GetOptions{})
	if err == nil {
		scale.Spec.Replicas++
		_, err = deployments.UpdateScale(t.Context(), "web", scale, meta.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// told are the records about the shop's image.
func told(r *otlptest.Receiver) (records []otlptest.Record) {
	for _, record := range r.Records() {
		if record.Name == export.EventFailed && record.Attributes[export.ImageRefKey] == shopImage {
			records = append(records, record)
		}
	}
	return records
}

var failedPull = regexp.MustCompile(`level=error msg="PullImage \\"` + regexp.QuoteMeta(shopImage) + `\\" failed"`)

// failures is how often containerd says that it failed to pull the shop's image.
func (c *cluster) failures(t *testing.T) int {
	t.Helper()
	log, err := c.node.Log(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return len(failedPull.FindAll(log, -1))
}

// checkTold compares what was told of the shop with the log of containerd: each failed pull
// once, all of one outage, in order.
func (c *cluster) checkTold(t *testing.T, r *otlptest.Receiver) {
	t.Helper()
	pods, err := c.client.CoreV1().Pods(shop).List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	uids := map[any]any{} // by name
	for _, p := range pods.Items {
		uids[p.Name] = string(p.UID)
	}
	var records []otlptest.Record
	failures := -1
	settled := within(20*time.Second, func() bool {
		before := failures
		failures, records = c.failures(t), told(r)
		return before == failures && len(records) == failures
	})
	different := map[any]bool{}
	incident := records[0].Attributes[export.IncidentIDKey]
	for i, record := range records {
		a := record.Attributes
		different[a[export.LogRecordUIDKey]] = true
		if a[export.IncidentIDKey] != incident || a[export.AttemptKey] != int64(i+1) {
			t.Errorf("record %d is of attempt %v of incident %v, want attempt %d of %v", i, a[export.AttemptKey], a[export.IncidentIDKey], i+1, incident)
		}
		want := map[string]any{
			export.ErrorTypeKey: "manifest_not_found", export.SourceKey: "containerd",
			export.NamespaceKey: shop, export.PodUIDKey: uids[a[export.PodNameKey]],
			export.ContainerNameKey: shopContainer, export.ContainerKindKey: "container", export.PodAttributionKey: "kubelet",
		}
		for key, value := range want {
			if a[key] != value {
				t.Errorf("record %d: %s is %v, want %v", i, key, a[key], value)
			}
		}
		for key, value := range map[string]any{
			"k8s.node.name": pods.Items[0].Spec.NodeName, "container.runtime.name": "containerd",
			"container.runtime.version": "v" + c.node.Containerd.Version, "service.name": "pullcause",
		} {
			if record.Resource[key] != value {
				t.Errorf("record %d: %s of the resource is %v, want %v", i, key, record.Resource[key], value)
			}
		}
	}
	if !settled || len(different) != failures {
		t.Errorf("%d records of %d attempts, want %d", len(records), len(different), failures)
	}
	t.Logf("%d failed pulls, %d records: %s", failures, len(records), strings.TrimSpace(records[0].Body))
}

// checkMirrors has a pod want an image that is to come from mirrors, and looks for what the node's
// configuration says of the hosts.
func (c *cluster) checkMirrors(t *testing.T, r *otlptest.Receiver) {
	t.Helper()
	const image = "registry.corp.lab.test/team/mirrored:1.0"
	_, err := c.client.CoreV1().Pods(shop).Create(t.Context(), &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: "mirrored"},
		Spec:       core.PodSpec{Containers: []core.Container{{Name: "app", Image: image}}},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var hosts []struct{ Host, Role string }
	until(t, time.Minute, "a record of "+image, func() bool {
		for _, record := range r.Records() {
			if text, ok := record.Attributes[export.HostsKey].(string); ok && record.Attributes[export.ImageRefKey] == image {
				return json.Unmarshal([]byte(text), &hosts) == nil
			}
		}
		return false
	})
	want := []struct{ Host, Role string }{
		{"mirror-a.lab.test", "mirror"}, {"mirror-b.lab.test", "mirror"}, {"registry.corp.lab.test", "origin"},
	}
	if diff := cmp.Diff(want, hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if err := c.client.CoreV1().Pods(shop).Delete(t.Context(), "mirrored", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
