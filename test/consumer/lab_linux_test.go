package consumer

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"pullcause/agent"
	"pullcause/test/lab"
)

// waiting is a pod of the real node and why its image cannot be pulled.
type waiting struct {
	namespace, name, image, cause string
	fault                         lab.Fault // of a repository below registry.lab.test/app/
}

// crowd has something for each query that is shipped.
func crowd() []waiting {
	const hub = "docker.io/library/nginx:1.27"
	all := []waiting{
		{"pay", "hub-0", hub, "rate_limited", ""},
		{"pay", "hub-1", hub, "rate_limited", ""},
		{"pay", "limited", "", "rate_limited", lab.RateLimited},
		{"pay", "login", "", "unauthorized", lab.Unauthorized},
		{"ops", "denied", "", "forbidden", lab.Forbidden},
		{"ops", "name", "registry.nowhere.test/team/web:1.0", "dns", ""},
		{"ops", "expired", "expired.lab.test/team/web:1.0", "tls", ""},
		{"ops", "refused", "refused.lab.test/team/web:1.0", "network_unreachable", ""},
		{"ops", "foreign", "", "platform_mismatch", lab.ForeignArch},
		{"ops", "away", "", "registry_unavailable", lab.Unavailable},
	}
	for _, digit := range "012345" {
		all = append(all, waiting{"shop", "web-" + string(digit), "", "manifest_not_found", lab.NotFound})
	}
	for i, w := range all {
		if w.fault != "" {
			all[i].image = "registry.lab.test/app/" + w.name + ":1.0"
		}
	}
	return all
}

// TestQueriesOfARealNode asks the shipped queries about pods of a real kubelet whose images a
// real containerd cannot pull, told while it happens.
func TestQueriesOfARealNode(t *testing.T) {
	defer took(t, time.Now())
	machine := startLab(t)
	c := start(t)
	n := &node{
		name: "node-a", root: machine.HostRoot,
		files: []string{"containerd:" + strings.TrimPrefix(machine.LogFile, machine.HostRoot), "kubelet:" + strings.TrimPrefix(machine.KubeletLog, machine.HostRoot)},
	}
	stop := n.run(t, t.TempDir(), func(cfg *agent.Config) { cfg.OTLP.CubeAPM = c.IngestionURL() })
	defer stop()
	pods := crowd()
	names := make([]lab.Pod, len(pods))
	for i, w := range pods {
		if w.fault != "" {
			repository, _, _ := strings.Cut(w.image, ":")
			if err := machine.SetFault(repository, w.fault); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		names[i], err = machine.AddPod(lab.Manifest{Namespace: w.namespace, Name: w.name, Containers: []lab.Container{{Name: "app", Image: w.image}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The kubelet tries again after 10 and 20 s.
	for began := time.Now(); len(attemptsOf(t, machine, pods, names)) < 3*len(pods); pause(t.Context(), time.Second) {
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("%d failed pulls of %d pods after %s", len(attemptsOf(t, machine, pods, names)), len(pods), time.Since(began))
		}
	}
	for _, pod := range names {
		if err := machine.RemovePod(pod); err != nil {
			t.Fatal(err)
		}
	}
	pause(t.Context(), 5*time.Second) // what was under way ends
	n.pulls = attemptsOf(t, machine, pods, names)
	for i := range n.pulls {
		n.pulls[i].node = n.name
	}
	await(t, c, `{service.name="pullcause"} event.name:="pullcause.image_pull.failed"`, len(n.pulls))
	for _, q := range questions {
		t.Run(q.file, func(t *testing.T) { q.check(t, c, n.pulls) })
	}
	t.Run("06-timeline-of-a-pod.logsql", func(t *testing.T) {
		got := rows(t, c, shipped(t, "06-timeline-of-a-pod.logsql", "NAMESPACE", "shop", "POD", names[len(names)-1].Name))
		want := 0
		for _, p := range n.pulls {
			if p.pod == names[len(names)-1].Name {
				want++
			}
		}
		failed := 0
		for _, r := range got {
			if r["event.name"] == "pullcause.image_pull.failed" && r["http.response.status_code"] == "404" {
				failed++
			}
		}
		if failed != want || want == 0 {
			t.Errorf("%d failed pulls, want %d, in %v", failed, want, got)
		}
	})
}

// startLab starts a node with a kubelet that asks for pulls side by side.
func startLab(t *testing.T) *lab.Node {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, errors.New("needs root for containerd and its namespaces"))
	}
	o := lab.Options{MaxParallelPulls: 10, Logf: t.Logf}
	var err error
	if o.Containerd, err = lab.Build(t.Context(), bin, t.Logf); err != nil {
		cannot(t, err)
	}
	if o.Kubelet, err = lab.BuildKubelet(t.Context(), bin, lab.KubeletVersions()[0], t.Logf); err != nil {
		cannot(t, err)
	}
	n, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// failedStart is what the kubelet says once of each container whose pull has just failed.
var failedStart = regexp.MustCompile(`with ErrImagePull: .* pod="([^"/]+)/([^"]+)" podUID=`)

// attemptsOf are the failed pulls by the kubelet's log; the rest is of how the pods were
// made, and of containerd's log.
func attemptsOf(t *testing.T, n *lab.Node, pods []waiting, names []lab.Pod) []pull {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	log, err := n.ReadKubeletLog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := n.Log(ctx)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]pull{}
	for i, w := range pods {
		name, tag := splitImage(w.image)
		made[names[i].Namespace+"/"+names[i].Name] = pull{
			cause: w.cause, image: name, tag: tag, server: serverOf(failedLine(runtime, w.image)),
			namespace: names[i].Namespace, pod: names[i].Name, standsFor: 1,
		}
	}
	var all []pull
	for _, m := range failedStart.FindAllSubmatch(log, -1) {
		all = append(all, made[string(m[1])+"/"+string(m[2])])
	}
	return all
}
