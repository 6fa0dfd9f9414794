package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
)

func TestNetwork(t *testing.T) {
	pod := daemonSet(t, render(t, "hostNetwork: true")).Spec.Template.Spec
	if !pod.HostNetwork || pod.DNSPolicy != core.DNSClusterFirstWithHostNet {
		t.Errorf("hostNetwork %v, dnsPolicy %s", pod.HostNetwork, pod.DNSPolicy)
	}
	for endpoint, want := range map[string]string{
		"http://cubeapm:3130": "3130", "https://otel.example.com/v1/logs": "443", "http://collector/v1/logs": "80", "http://[::1]:4318/v1/logs": "4318",
	} {
		text := ""
		for _, m := range render(t, "networkPolicy: {enabled: true}\notlp: {logs: {endpoint: \""+endpoint+"\"}}").Manifests {
			if m.Template == "networkpolicy.yaml" {
				text = m.Text
			}
		}
		if !strings.Contains(text, "- port: "+want+"\n") {
			t.Errorf("%s: no way out to port %s:\n%s", endpoint, want, text)
		}
	}
}

func TestSecretOfHeaders(t *testing.T) {
	secret, ok := decode(t, render(t, `otlp: {logs: {endpoint: "http://collector:4318/v1/logs"}, headers: {Authorization: Bearer x, X-Scope: "1"}}`))["Secret"].(*core.Secret)
	if !ok {
		t.Fatal("no Secret")
	}
	if diff := cmp.Diff(map[string]string{"headers": "Authorization: Bearer x\nX-Scope: 1\n"}, secret.StringData); diff != "" {
		t.Error(diff)
	}
}
