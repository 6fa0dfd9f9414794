//go:build linux

package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// definition is a file of a module that defines kinds which the chart makes for others.
type definition struct{ module, file string }

var definitions = []definition{
	{"github.com/prometheus-operator/prometheus-operator@v0.94.0", "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"},
	{"github.com/prometheus-operator/prometheus-operator@v0.94.0", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"},
	{
		"github.com/openshift/api@v0.0.0-20250710004639-926605d3338b",
		"security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml",
	},
}

// dryRun is an API server that is asked without anything being stored.
type dryRun struct {
	*cluster
	kinds  *restmapper.DeferredDiscoveryRESTMapper
	client *dynamic.DynamicClient
}

// dryRun makes the API server know the kinds of others too.
func (c *cluster) dryRun(t *testing.T) *dryRun {
	t.Helper()
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		t.Fatal(err)
	}
	kinds := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.client.Discovery()))
	d := &dryRun{cluster: c, kinds: kinds, client: client}
	for _, def := range definitions {
		o := parse(t, def.read(t))
		if _, err := d.resource(t, o).Create(t.Context(), o, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, time.Minute, "the API server to know the kinds", func() bool {
		kinds.Reset()
		for _, known := range []schema.GroupKind{
			{Group: "monitoring.coreos.com", Kind: "PodMonitor"},
			{Group: "monitoring.coreos.com", Kind: "PrometheusRule"},
			{Group: "security.openshift.io", Kind: "SecurityContextConstraints"},
		} {
			if _, err := kinds.RESTMapping(known, "v1"); err != nil {
				return false
			}
		}
		return true
	})
	return d
}

// read downloads the module.
func (d definition) read(t *testing.T) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", d.module)
	download.Dir = os.TempDir() // outside of any module
	download.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := download.Output()
	if err != nil {
		cannot(t, err.Error()+"\n"+string(out))
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, d.file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// check asks the API server to take all objects of a text.
func (d *dryRun) check(t *testing.T, text string) {
	t.Helper()
	count := 0
	for doc := range strings.SplitSeq(text, "\n---\n") {
		o := parse(t, doc)
		if len(o.Object) == 0 {
			continue
		}
		count++
		if err := d.create(t, o); err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		if o.GetKind() == "DaemonSet" {
			d.checkPod(t, o)
		}
	}
	t.Logf("%d objects", count)
	if count == 0 {
		t.Error("no objects")
	}
}

// checkRefuses is that the API server refuses a field that it does not know: else it would mean
// nothing that it takes what the chart makes.
func (d *dryRun) checkRefuses(t *testing.T, text string) {
	t.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		o := parse(t, doc)
		if o.GetKind() != "DaemonSet" {
			continue
		}
		if err := unstructured.SetNestedField(o.Object, "yes", "spec", "template", "spec", "hostNetworks"); err != nil {
			t.Fatal(err)
		}
		err := d.create(t, o)
		if err == nil || !strings.Contains(err.Error(), `unknown field "spec.template.spec.hostNetworks"`) {
			t.Errorf("a misspelt field: got error %v", err)
		}
		return
	}
	t.Error("no DaemonSet")
}

// create asks for an object; one that there is already, for another label of it.
func (d *dryRun) create(t *testing.T, o *unstructured.Unstructured) error {
	t.Helper()
	dry := []string{meta.DryRunAll}
	r := d.resource(t, o)
	_, err := r.Create(t.Context(), o, meta.CreateOptions{DryRun: dry, FieldValidation: meta.FieldValidationStrict})
	if apierrors.IsAlreadyExists(err) {
		_, err = r.Apply(t.Context(), o.GetName(), o, meta.ApplyOptions{DryRun: dry, FieldManager: "test", Force: true})
	}
	return err
}

// checkPod asks for a pod as the DaemonSet would make it: where the namespace has the label
// that the documents tell, and where it has none.
func (d *dryRun) checkPod(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	var set apps.DaemonSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &set); err != nil {
		t.Fatal(err)
	}
	pod := &core.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	pod.Name, pod.Spec.ServiceAccountName = "dry-run", "" // of accounts that are not made there is only the default one
	options := meta.CreateOptions{DryRun: []string{meta.DryRunAll}, FieldValidation: meta.FieldValidationStrict}
	if _, err := d.cluster.client.CoreV1().Pods(namespace).Create(t.Context(), pod, options); err != nil {
		t.Errorf("a pod of the DaemonSet: %v", err)
	}
	_, err := d.cluster.client.CoreV1().Pods(unlabelled).Create(t.Context(), pod, options)
	if err == nil || !strings.Contains(err.Error(), "hostPath volumes") {
		t.Errorf("a pod of the DaemonSet in a namespace without the label: got error %v, want that of Pod Security about hostPath volumes", err)
	}
}

func (d *dryRun) resource(t *testing.T, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	kind := o.GroupVersionKind()
	mapping, err := d.kinds.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	r := d.client.Resource(mapping.Resource)
	if mapping.Scope.Name() != apimeta.RESTScopeNameNamespace {
		return r
	}
	if o.GetNamespace() == "" {
		return r.Namespace(namespace)
	}
	return r.Namespace(o.GetNamespace())
}

// parse reads one object, and refuses a key that is there twice.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(asJSON, &o.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}
