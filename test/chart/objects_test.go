package chart

import (
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// constraints are OpenShift's SecurityContextConstraints, those fields of them that we
// set (openshift/api security/v1/types.go).
type constraints struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`

	Users                           []string          `json:"users"`
	Groups                          []string          `json:"groups"`
	Priority                        *int32            `json:"priority"`
	AllowHostDirVolumePlugin        bool              `json:"allowHostDirVolumePlugin"`
	AllowHostNetwork                bool              `json:"allowHostNetwork"`
	AllowHostPorts                  bool              `json:"allowHostPorts"`
	AllowHostPID                    bool              `json:"allowHostPID"`
	AllowHostIPC                    bool              `json:"allowHostIPC"`
	AllowPrivilegedContainer        bool              `json:"allowPrivilegedContainer"`
	AllowPrivilegeEscalation        *bool             `json:"allowPrivilegeEscalation"`
	DefaultAllowPrivilegeEscalation *bool             `json:"defaultAllowPrivilegeEscalation"`
	AllowedCapabilities             []core.Capability `json:"allowedCapabilities"`
	DefaultAddCapabilities          []core.Capability `json:"defaultAddCapabilities"`
	RequiredDropCapabilities        []core.Capability `json:"requiredDropCapabilities"`
	ReadOnlyRootFilesystem          bool              `json:"readOnlyRootFilesystem"`
	RunAsUser                       strategy          `json:"runAsUser"`
	FSGroup                         strategy          `json:"fsGroup"`
	SupplementalGroups              strategy          `json:"supplementalGroups"`
	SELinuxContext                  strategy          `json:"seLinuxContext"`
	SeccompProfiles                 []string          `json:"seccompProfiles"`
	Volumes                         []string          `json:"volumes"`
}

type strategy struct {
	Type string `json:"type"`
}

// kinds is what the chart may make, and which type each has.
func kinds() map[string]func() any {
	return map[string]func() any{
		"v1/Namespace":                            func() any { return new(core.Namespace) },
		"v1/ConfigMap":                            func() any { return new(core.ConfigMap) },
		"v1/Secret":                               func() any { return new(core.Secret) },
		"v1/ServiceAccount":                       func() any { return new(core.ServiceAccount) },
		"v1/ResourceQuota":                        func() any { return new(core.ResourceQuota) },
		"apps/v1/DaemonSet":                       func() any { return new(apps.DaemonSet) },
		"networking.k8s.io/v1/NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
		"monitoring.coreos.com/v1/PodMonitor":     func() any { return new(monitoring.PodMonitor) },
		"monitoring.coreos.com/v1/PrometheusRule": func() any { return new(monitoring.PrometheusRule) },

		"security.openshift.io/v1/SecurityContextConstraints": func() any { return new(constraints) },
	}
}

// decode reads each object as the API server does, refusing fields that its type
// does not have and keys that come twice. The result is by kind.
func decode(t *testing.T, r Rendered) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for _, text := range r.Objects() {
		var typ meta.TypeMeta
		if err := yaml.Unmarshal([]byte(text), &typ); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		newObject, ok := kinds()[typ.APIVersion+"/"+typ.Kind]
		if !ok {
			t.Fatalf("the chart makes %s/%s, whose type the tests do not know", typ.APIVersion, typ.Kind)
		}
		object := newObject()
		asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v in\n%s", typ.Kind, err, text)
		}
		// Unlike encoding/json this tells stringData from stringdata.
		strict, err := kjson.UnmarshalStrict(asJSON, object)
		if err != nil || len(strict) > 0 {
			t.Fatalf("%s: %v %v in\n%s", typ.Kind, err, strict, text)
		}
		kind := typ.Kind
		if m, ok := object.(meta.Object); ok && objects[kind] != nil {
			kind += "/" + m.GetName()
		}
		objects[kind] = object
	}
	return objects
}

func daemonSet(t *testing.T, r Rendered) *apps.DaemonSet {
	t.Helper()
	ds, ok := decode(t, r)["DaemonSet"].(*apps.DaemonSet)
	if !ok {
		t.Fatal("no DaemonSet")
	}
	return ds
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}
