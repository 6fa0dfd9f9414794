package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pullcause/agent"
)

func TestSchemaRefuses(t *testing.T) {
	c := load(t)
	for _, tt := range []struct{ values, want string }{
		// Misspelt.
		{`cubeampm: {url: "http://c:3130"}`, "additional properties 'cubeampm' not allowed"},
		{`cubeapm: {uri: "http://c:3130"}`, "at '/cubeapm': additional properties 'uri' not allowed"},
		{`config: {pulls: {stallafter: 1m}}`, "at '/config/pulls': additional properties 'stallafter' not allowed"},
		{`config: {incidents: {report: everything}}`, "at '/config/incidents/report': value must be one of 'sparse', 'all'"},
		{`hostMounts: {log: {paht: /var/log}}`, "at '/hostMounts/log': additional properties 'paht' not allowed"},
		{`image: {digest: "sha256:abc"}`, "at '/image/digest': 'sha256:abc' does not match pattern"},
		{`hostMounts: {My_Folder: {path: /opt, type: ""}}`, "at '/hostMounts': additional properties 'My_Folder' not allowed"},
		{`otlp: {headers: {"A b": c}}`, "at '/otlp/headers': additional properties 'A b' not allowed"},
		// Of a wrong type.
		{`hostNetwork: "true"`, "at '/hostNetwork': got string, want boolean"},
		{`port: "9808"`, "at '/port': got string, want integer"},
		{`tolerations: {operator: Exists}`, "at '/tolerations': got object, want array"},
		{`config: {incidents: {max_open: many}}`, "at '/config/incidents/max_open': got string, want integer"},
		{`config: {incidents: {max_open: 0}}`, "at '/config/incidents/max_open': minimum: got 0, want 1"},
		{`config: {pulls: {stall_after: 60}}`, "at '/config/pulls/stall_after': got number, want string"},
		{`config: {pulls: {stall_after: 1 minute}}`, "at '/config/pulls/stall_after': '1 minute' does not match pattern"},
		{`hostMounts: {more: {path: etc, type: ""}}`, "at '/hostMounts/more/path': 'etc' does not match pattern"},
		{`hostMounts: {more: {path: /etc, type: DirectoryOrCreate}}`, "at '/hostMounts/more/type': value must be one of '', 'Directory', 'File', 'Socket'"},
		// Contradictions.
		{
			`hostMounts: {journal: {path: /var/log/journal, type: ""}}`,
			"at '/hostMounts/journal/type': value must be one of 'Directory', '(nothing else: where the journal is not there",
		},
		{
			`extraEnv: [{name: PULLCAUSE_SERVER_LISTEN, value: ":8080"}]`,
			"at '/extraEnv/0/name': value must be '(another: mounts, port and stateDir of the chart set this)'",
		},
		{`prometheusRule: {enabled: true, disabled: [KubeErrImagePul]}`, "prometheusRule.disabled: there is no alert KubeErrImagePul"},
		{
			`{cubeapm: {url: "http://c:3130"}, otlp: {logs: {endpoint: "http://o:4318/v1/logs"}}}`,
			"at '/otlp/logs/endpoint': value must be one of '', '(nothing, since cubeapm.url sets both endpoints)'",
		},
		{
			`{cubeapm: {url: "http://c:3130"}, otlp: {metrics: {protocol: grpc}}}`,
			"at '/otlp/metrics/protocol': value must be one of 'http/protobuf', '(nothing else, since it is what CubeAPM receives)'",
		},
		{`otlp: {headers: {A: b}, headersSecret: s}`, "at '/otlp/headersSecret': value must be one of '', '(nothing, since otlp.headers has the headers)'"},
		{`{cubeapm: {url: "http://c:3130"}, otlp: {tls: {secret: s}}}`, "at '/otlp/tls/secret': value must be one of '', '(nothing, since an address begins with http://)'"},
		{`otlp: {tls: {secret: s, key: tls.key}}`, "at '/otlp/tls/key': value must be one of '', '(nothing, since otlp.tls.cert is empty)'"},
		{`otlp: {tls: {secret: s, cert: tls.crt}}`, "at '/otlp/tls/cert': value must be one of '', '(nothing, since otlp.tls.key is empty)'"},
		{`{hostNetwork: true, networkPolicy: {enabled: true}}`, "(not true, since a NetworkPolicy has no effect with hostNetwork)"},
		{`securityContextConstraints: {create: true}`, "at '/serviceAccount/create': value must be one of"},
		{`config: {otlp: {cubeapm: "http://c:3130"}}`, "at '/config/otlp/cubeapm': value must be '(set by cubeapm.url)'"},
		{`config: {delivery: {state_dir: /state}}`, "at '/config/delivery/state_dir': value must be '(set by stateDir)'"},
		{`config: {host_root: /}`, "at '/config/host_root': value must be '(set by the chart: it is /host)'"},
	} {
		t.Run(tt.values, func(t *testing.T) {
			_, err := c.Render(parse(t, tt.values), OldestKubernetes)
			if err == nil {
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the message does not have\n%s\nbut is\n%v", tt.want, err)
			}
			if lines := strings.Count(err.Error(), "- at "); lines > 2 {
				t.Errorf("%d lines for one mistake:\n%v", lines, err)
			}
		})
	}
}

// The schema has each key of the agent, and no value that is not documented.
func TestSchemaIsWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range agent.Keys() {
		at := asMap(asMap(schema["$defs"])["config"])
		for name := range strings.SplitSeq(key.Name, ".") {
			at = asMap(asMap(at["properties"])[name])
		}
		if at == nil {
			t.Errorf("the schema does not have config.%s", key.Name)
		}
	}
	for key := range setBy() {
		if !slices.ContainsFunc(agent.Keys(), func(k agent.Key) bool { return k.Name == key }) {
			t.Errorf("the agent has no key %s", key)
		}
	}
	checkDescribed(t, schema, "")
}

func checkDescribed(t *testing.T, schema map[string]any, prefix string) {
	t.Helper()
	for name, below := range asMap(schema["properties"]) {
		if asMap(below)["description"] == nil && name != "global" {
			if asMap(below)["properties"] == nil {
				t.Errorf("values.yaml does not document %s, which the schema takes", prefix+name)
			}
			checkDescribed(t, asMap(below), prefix+name+".")
		}
	}
}
