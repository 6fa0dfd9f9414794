package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/incident"
)

// No key is sent twice in a request, and all are sent in the same order.
func TestResource(t *testing.T) {
	cfg := Default()
	cfg.Resource.Attributes = map[string]string{"team": "shop", "cloud.region": "eu-1", "service.namespace": "a", "rack": "7"}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, kv := range (Node{Name: "node-a"}).resource(cfg, "1.2.3", enrich.Runtime{}) {
		got = append(got, string(kv.Key))
	}
	want := strings.Fields("service.name service.version service.instance.id k8s.node.name cloud.region rack service.namespace team")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	cfg.Resource.Attributes = map[string]string{"service.name": "x", "pullcause.team": "x", "error.type": "x", "k8s.cluster.name": "x"}
	wantErrs := []string{
		`resource.attributes: got "error.type", takes names that no record has`,
		`resource.attributes: got "k8s.cluster.name", takes names that pullcause does not send itself`,
		`resource.attributes: got "pullcause.team", takes names that pullcause does not send itself`,
		`resource.attributes: got "service.name", takes names that pullcause does not send itself`,
	}
	if diff := cmp.Diff(wantErrs, strings.Split(cfg.Validate().Error(), "\n")); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// Whatever a record may hold is refused as an attribute of the resource.
func TestRecordKeysAreRefused(t *testing.T) {
	a := attempt.Attempt{
		UID: "u", Image: "r.example/a:1@sha256:0c2404b0457345384208b88377876ad3570dc0c55ecdc429570392ef8213b752", Ref: "r.example/a:1",
		Registry: "r.example",
		Lines:    "x", Program: detect.Kubelet, Reason: "ErrImagePull", Pods: []attempt.Pod{{Pod: detect.Pod{Namespace: "shop", Name: "web-0", UID: "u"}, Container: "app"}},
		Failure: &detect.Failure{Text: "x", Status: 401, Method: "HEAD", URL: "https://r.example:5000/v2/", GRPCCode: "Unknown"},
	}
	r := export.FromChange(incident.Change{Kind: incident.Failed, Attempt: &a}, "node-a")
	for _, kv := range r.Attributes {
		if errs := checkAttributes(map[string]string{kv.Key: "x"}); errors.Join(errs...) == nil {
			t.Errorf("%s is accepted", kv.Key)
		}
	}
	if len(r.Attributes) < 20 {
		t.Errorf("got %d attributes, want more to try", len(r.Attributes))
	}
}
