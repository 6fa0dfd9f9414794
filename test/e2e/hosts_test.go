//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// TestRegistryConfiguration has a registry with two mirrors fail, whose hosts.toml has
// a wrong line: the record tells what each host is, the debug endpoint which line it is.
func TestRegistryConfiguration(t *testing.T) {
	const registry = "registry.corp.lab.test"
	const file = lab.InnerDir + "/etc/certs.d/" + registry + "/hosts.toml"
	type problem struct {
		File string
		Line int
	}
	tests := []struct {
		name, wrong string
		cause       string
		roles       map[string]string // of the hosts asked
		problem     problem
	}{
		{
			"plain HTTP at port 443", "[host.\"http://mirror-b.lab.test:443\"]\n  capabilities = [\"pull\", \"resolve\"]\n", "",
			map[string]string{"mirror-a.lab.test": "mirror", "mirror-b.lab.test:443": "mirror", registry: "origin"},
			problem{file, 4},
		},
		{
			"a CA that is not there", "[host.\"https://mirror-b.lab.test\"]\n  capabilities = [\"pull\", \"resolve\"]\n  ca = \"nowhere.pem\"\n", "tls",
			nil,
			problem{file, 6},
		},
	}
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				hosts := "server = \"https://" + registry + "\"\n[host.\"https://mirror-a.lab.test\"]\n  capabilities = [\"pull\", \"resolve\"]\n" + tt.wrong
				// The file that containerd reads and the one that the agent is shown.
				for _, root := range []string{filepath.Join(node.Dir, "etc"), filepath.Join(node.HostRoot, lab.InnerDir, "etc")} {
					must(t, os.WriteFile(filepath.Join(root, "certs.d", registry, "hosts.toml"), []byte(hosts), 0o644))
				}
				receiver := listen(t)
				agent := startAgent(t, logsOf(node), receiver)
				image := registry + "/team/" + strings.ReplaceAll(strings.ToLower(tt.name), " ", "-") + ":1.0"
				if err := node.Pull(t.Context(), image); err == nil {
					t.Fatal("the pull did not fail")
				}
				until(t, 10*time.Second, "the record", func() bool { return len(told(receiver, image)) == 1 })
				r := recordOf(receiver, image)
				t.Log(r.Body)
				if cause := text(r, export.ErrorTypeKey); tt.cause != "" && cause != tt.cause {
					t.Errorf("got cause %q, want %q", cause, tt.cause)
				}
				checkRoles(t, text(r, export.HostsKey), tt.roles)
				got := ask[struct {
					Configuration struct {
						Registry string
						Hosts    []struct{ URL, Role string }
						Problems []problem
					} `json:"registry_configuration"`
				}](t, agent, "/debug/incidents/"+text(r, export.IncidentIDKey)).Configuration
				if len(got.Hosts) != 3 || got.Hosts[0].Role != "mirror" || got.Hosts[1].Role != "mirror" || got.Hosts[2].Role != "origin" {
					t.Errorf("got hosts %v", got.Hosts)
				}
				if diff := cmp.Diff([]problem{tt.problem}, got.Problems); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// recordOf is the first record about an image.
func recordOf(r *otlptest.Receiver, image string) (found otlptest.Record) {
	for _, rec := range r.Records() {
		if text(rec, export.ImageRefKey) == image {
			return rec
		}
	}
	return found
}

// checkRoles looks at the roles of the hosts that were asked; which were is the
// runtime's affair.
func checkRoles(t *testing.T, list string, roles map[string]string) {
	t.Helper()
	if list == "" && roles == nil {
		return
	}
	var hosts []struct{ Host, Role string }
	must(t, json.Unmarshal([]byte(list), &hosts))
	for _, h := range hosts {
		if h.Role != roles[h.Host] {
			t.Errorf("%s: got role %q, want %q", h.Host, h.Role, roles[h.Host])
		}
	}
}

// TestCandidates reads containerd's log alone: nobody names the pods that wait, but
// their sandboxes are up and empty.
func TestCandidates(t *testing.T) {
	requireRoot(t)
	node := startNode(t, lab.KubeletVersions()[0], lab.Options{})
	receiver := listen(t)
	startAgent(t, filesOf(node, "containerd:"+node.LogFile), receiver)
	running := begin(t, node, appRegistry+"/app/running", lab.OK)
	until(t, 30*time.Second, "a pod to run", func() bool { return node.Running(t.Context(), running.pod) })
	o := begin(t, node, appRegistry+"/app/waits", lab.NotFound)
	until(t, time.Minute, "a record", func() bool { return len(told(receiver, o.image)) > 0 })
	r := failures(receiver.Records())[0]
	got := [3]string{text(r, export.NamespaceKey), text(r, export.PodNameKey), text(r, export.PodAttributionKey)}
	if want := [3]string{"shop", o.pod.Name, "candidate"}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if pods := text(r, export.PodsKey); pods != "" {
		t.Errorf("got more pods: %s", pods)
	}
}
