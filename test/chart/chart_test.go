package chart

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// newestKubernetes is that of the types in go.mod.
const newestKubernetes = "v1.37.0"

// everything turns on all that can be made.
const everything = `
cubeapm: {url: "https://cubeapm.example.com"}
otlp: {headers: {Authorization: Bearer secret}, tls: {secret: certs, cert: tls.crt, key: tls.key}}
imagePullSecrets: [{name: registry}]
commonLabels: {team: platform}
annotations: {a: b}
podAnnotations: {c: d}
podLabels: {e: f}
affinity: {nodeAffinity: {}}
dnsConfig: {searches: [example.com]}
extraEnv: [{name: PULLCAUSE_LOG_LEVEL, value: debug}]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
seLinuxOptions: {type: spc_t}
serviceAccount: {create: true, annotations: {g: h}}
securityContextConstraints: {create: true}
networkPolicy:
  enabled: true
  from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: [{ports: [{port: 3128}]}]
podMonitor: {enabled: true, labels: {i: j}, relabelings: [{action: labeldrop, regex: pod}], metricRelabelings: [{action: drop, regex: go_.*, sourceLabels: [__name__]}]}
prometheusRule: {enabled: true, labels: {k: l}, alertLabels: {notify: nodes}, disabled: [PullcauseAbsent]}
dashboard: {enabled: true, annotations: {folder: nodes}}
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-map'}}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: text}
`

func allValues(t *testing.T) map[string]map[string]any {
	t.Helper()
	all, err := load(t).Presets()
	if err != nil {
		t.Fatal(err)
	}
	all["defaults"] = nil
	all["everything"] = parse(t, everything)
	return all
}

func TestLint(t *testing.T) {
	for name, values := range allValues(t) {
		for _, version := range []string{OldestKubernetes, newestKubernetes} {
			t.Run(name+"/"+version, func(t *testing.T) {
				kubernetes, err := common.ParseKubeVersion(version)
				if err != nil {
					t.Fatal(err)
				}
				result := lint.RunAll(chartDir, values, Namespace, lint.WithKubeVersion(kubernetes))
				for _, m := range result.Messages {
					if m.Severity > support.InfoSev { // it recommends an icon
						t.Error(m)
					}
				}
			})
		}
	}
}

func TestPresets(t *testing.T) {
	presets, err := load(t).Presets()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"aks", "bottlerocket", "crio", "eks", "gke", "k0s", "k3s", "kubeadm", "logs-only", "microk8s", "openshift", "rke2"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(presets))); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile("../../docs/distributions.md")
	if err != nil {
		t.Fatal(err)
	}
	for preset := range presets {
		if !strings.Contains(string(text), "`"+preset+"`") {
			t.Errorf("docs/distributions.md does not tell of the preset %s", preset)
		}
	}
}

// Each object that is made is one that the API server takes, with old Kubernetes
// and with new.
func TestObjects(t *testing.T) {
	made := map[string]bool{"v1/Namespace": true} // of the manifests
	for name, values := range allValues(t) {
		for _, version := range []string{OldestKubernetes, newestKubernetes} {
			t.Run(name+"/"+version, func(t *testing.T) {
				r, err := load(t).Render(values, version)
				if err != nil {
					t.Fatal(err)
				}
				for kind := range decode(t, r) {
					kind, _, _ = strings.Cut(kind, "/")
					for known := range kinds() {
						if strings.HasSuffix(known, "/"+kind) {
							made[known] = true
						}
					}
				}
			})
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds())), slices.Sorted(maps.Keys(made))); diff != "" {
		t.Errorf("kinds that are known (-) and made (+):\n%s", diff)
	}
}

// What kubectl apply -k does, for each folder.
func TestKustomize(t *testing.T) {
	files, err := filepath.Glob(deployDir + "/manifests/*/kustomization.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	for _, file := range append(files, deployDir+"/manifests/kustomization.yaml") {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
			if err != nil {
				t.Fatal(err)
			}
			text, err := built.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			objects := decode(t, Rendered{Manifests: []Manifest{{Text: string(text)}}})
			for _, kind := range []string{"Namespace", "DaemonSet", "ConfigMap"} {
				if objects[kind] == nil {
					t.Errorf("no %s", kind)
				}
			}
		})
	}
}

func TestSecurity(t *testing.T) {
	no, yes, root := false, true, int64(0)
	want := &core.SecurityContext{
		RunAsUser: &root, RunAsGroup: &root,
		Privileged: &no, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}},
	}
	for name, values := range allValues(t) {
		t.Run(name, func(t *testing.T) {
			r, err := load(t).Render(values, OldestKubernetes)
			if err != nil {
				t.Fatal(err)
			}
			pod := daemonSet(t, r).Spec.Template.Spec
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
				t.Fatalf("%d containers, %d that run before", len(pod.Containers), len(pod.InitContainers))
			}
			have := pod.Containers[0].SecurityContext
			have.SELinuxOptions = nil // the one part that differs between nodes
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(&core.PodSecurityContext{SeccompProfile: &core.SeccompProfile{Type: "RuntimeDefault"}}, pod.SecurityContext); diff != "" {
				t.Error(diff)
			}
			if pod.HostPID || pod.HostIPC || pod.HostNetwork || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
				t.Errorf("hostPID %v, hostIPC %v, hostNetwork %v, token %v", pod.HostPID, pod.HostIPC, pod.HostNetwork, pod.AutomountServiceAccountToken)
			}
			for _, m := range r.Manifests {
				if strings.Contains(m.Text, "rbac.authorization.k8s.io") {
					t.Errorf("%s: access to the API", m.Template)
				}
			}
			checkMounts(t, pod)
		})
	}
}

// checkMounts finds folders of the node that could be written, but for the state, and
// those that would be made where the making changes what the node does.
func checkMounts(t *testing.T, pod core.PodSpec) {
	t.Helper()
	readOnly := map[string]bool{}
	for _, m := range pod.Containers[0].VolumeMounts {
		readOnly[m.Name] = m.ReadOnly
	}
	for _, v := range pod.Volumes {
		switch {
		case v.HostPath == nil:
		case v.HostPath.Path == "/var/lib/pullcause":
			if *v.HostPath.Type != core.HostPathDirectoryOrCreate {
				t.Errorf("the state's folder has type %s", *v.HostPath.Type)
			}
		case !readOnly[v.Name]:
			t.Errorf("%s can be written", v.HostPath.Path)
		case *v.HostPath.Type == core.HostPathDirectoryOrCreate:
			t.Errorf("%s would be made", v.HostPath.Path)
		case strings.HasSuffix(v.HostPath.Path, "/log/journal"):
			t.Errorf("%s may be made by the runtime, which moves the journal; mount what it is in", v.HostPath.Path)
		}
	}
}

// A variable that comes twice is refused by the API server where it merges lists by name.
func TestOwnVariables(t *testing.T) {
	env := daemonSet(t, render(t, `extraEnv: [{name: GOMEMLIMIT, value: 40MiB}, {name: NODE_NAME, value: a}, {name: TZ, value: UTC}]`)).
		Spec.Template.Spec.Containers[0].Env
	want := []core.EnvVar{{Name: "GOMEMLIMIT", Value: "40MiB"}, {Name: "NODE_NAME", Value: "a"}, {Name: "TZ", Value: "UTC"}}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
}

func TestAlertsOfTheChart(t *testing.T) {
	rule, ok := decode(t, render(t, `
fullnameOverride: images
prometheusRule: {enabled: true, alertLabels: {team: nodes, severity: none}, disabled: [KubeImagePullBackOff, KubeErrImagePull, KubeImagePullFailuresInNamespace]}`),
	)["PrometheusRule"].(*monitoring.PrometheusRule)
	if !ok || len(rule.Spec.Groups) != 2 { // the third had those alone
		t.Fatalf("%+v", rule)
	}
	for _, g := range rule.Spec.Groups {
		for _, r := range g.Rules {
			if r.Labels["team"] != "nodes" || r.Labels["severity"] == "none" {
				t.Errorf("%s has labels %v", r.Alert, r.Labels)
			}
			if expr := r.Expr.String(); r.Alert == "PullcauseNotReady" && !strings.Contains(expr, `{daemonset=~".*pullcause.*|images"}`) {
				t.Errorf("%s does not ask for the DaemonSet: %s", r.Alert, expr)
			}
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	for limit, want := range map[string]string{
		"64Mi": "48318382", "1Gi": "773094113", "100M": "72000000", "0.5Gi": "386547056", "100000000": "72000000",
		"": "", "1e8": "", // the agent's own limit holds
	} {
		t.Run(limit, func(t *testing.T) {
			values := `resources: {limits: {memory: "` + limit + `"}}`
			if limit == "" {
				values = `resources: {limits: {memory: null}}`
			}
			have := ""
			for _, env := range daemonSet(t, render(t, values)).Spec.Template.Spec.Containers[0].Env {
				if env.Name == "GOMEMLIMIT" {
					have = env.Value
				}
			}
			if have != want {
				t.Errorf("GOMEMLIMIT is %q, want %q", have, want)
			}
		})
	}
}

// A change of the configuration, and nothing else that is not in the pod, restarts
// the agents.
func TestChecksum(t *testing.T) {
	sum := func(values string) string {
		return daemonSet(t, render(t, values)).Spec.Template.Annotations["checksum/config"]
	}
	defaults := sum("")
	if defaults == sum("config: {log: {level: debug}}") {
		t.Error("a changed configuration does not restart the agents")
	}
	if defaults != sum("commonLabels: {team: platform}") {
		t.Error("a label restarts the agents")
	}
}

// The agent takes the file of each preset.
func TestAgentTakesConfig(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "pullcause")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/pullcause")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, values := range allValues(t) {
		t.Run(name, func(t *testing.T) {
			r, err := load(t).Render(values, OldestKubernetes)
			if err != nil {
				t.Fatal(err)
			}
			objects := decode(t, r)
			config, ok := objects["ConfigMap"].(*core.ConfigMap)
			if !ok || config.Data["config.yaml"] == "" {
				t.Fatal("no configuration")
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(config.Data["config.yaml"]), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), bin, "run", "--config="+file, "--print-config").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s\nof\n%s", err, out, config.Data["config.yaml"])
			}
			if !strings.Contains(string(out), "host_root: /host") {
				t.Errorf("%s", out)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	for name, want := range map[string][]string{
		"":                                {"The nodes pull ghcr.io/pullcause/pullcause:0.1.0 without credentials.\nThat is the chart's default. If you have not pushed it", "get events --field-selector reason=Failed", "No receiver is set", "port-forward $POD 9809", "logs daemonset/pullcause"},
		`cubeapm: {url: "http://c:3130"}`: {"Records go to http://c:3130."},
		`config: {server: {debug: {listen: "127.0.0.1:7000"}}}`:                                  {"port-forward $POD 7000"},
		`{image: {repository: r.example/p, tag: "2"}, imagePullSecrets: [{name: a}, {name: b}]}`: {"The nodes pull r.example/p:2 with the credentials of a, b.\nPods that wait"},
		`stateDir: ""`:                {"a restart forgets"},
		`hostMounts: {runtime: null}`: {"The runtime's socket is not mounted"},
	} {
		notes := render(t, name).Notes
		for _, text := range want {
			if !strings.Contains(notes, text) {
				t.Errorf("%q: the notes do not say %q:\n%s", name, text, notes)
			}
		}
		if strings.Contains(notes, "\n\n\n") || strings.Contains(notes, "<no value>") {
			t.Errorf("%q:\n%s", name, notes)
		}
	}
}
