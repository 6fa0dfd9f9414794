//go:build linux

package cluster

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

const receiverPort = 4318

// TestInstall goes with Helm through all that an installation meets, while another workload's
// image cannot be pulled: each failed pull is told once, whatever happens to the agent. At last
// it is installed again without Helm.
func TestInstall(t *testing.T) {
	c := start(t)
	c.pushImage(t, "1", "2")
	receiver := c.receive(t)
	c.openShop(t)
	until(t, time.Minute, "a failed pull", func() bool { return c.failures(t) > 0 })
	c.welcomeGuest(t)
	objects, files := c.objects(t), c.files(t)

	c.follow(t, "With Helm", append(values, "--set-string", "image.tag=1")...)
	pod := c.agentPod(t)
	installed := pod.Spec
	checkPod(t, pod, false)
	c.checkLetsGo(t)
	c.checkTold(t, receiver) // what failed before, too
	c.tryAgain(t, receiver)
	c.checkEndpoints(t, pod)
	c.checkMirrors(t, receiver)
	t.Logf("%s", c.kubectl(t, "logs", "--namespace="+namespace, "daemonset/pullcause"))

	c.makeToken(t, "first")
	t.Logf("%s", c.helm(t, append([]string{
		"upgrade", "pullcause", chart, "--namespace", namespace, "--wait", "--timeout=2m",
		"--set-string", "image.tag=2", "--set", "hostNetwork=true", "--set", "config.log.level=debug", "--set", "otlp.headersSecret=" + tokenSecret,
	}, values...)...))
	pod = c.agentPod(t)
	if pod.Spec.Containers[0].Image != imageName+":2" || !pod.Spec.HostNetwork {
		t.Errorf("after the upgrade the pod has image %s, hostNetwork %v", pod.Spec.Containers[0].Image, pod.Spec.HostNetwork)
	}
	checkPod(t, pod, false)
	c.tryAgain(t, receiver)
	checkToken(t, receiver, "first")
	c.checkEndpoints(t, pod)
	c.changeToken(t, "second")
	c.tryAgain(t, receiver)
	checkToken(t, receiver, "second")

	t.Logf("%s", c.helm(t, "rollback", "pullcause", "1", "--namespace", namespace, "--wait", "--timeout=2m"))
	pod = c.agentPod(t)
	if diff := cmp.Diff(installed, pod.Spec); diff != "" {
		t.Errorf("after the rollback the pod differs (-first +now):\n%s", diff)
	}
	c.tryAgain(t, receiver)

	c.follow(t, "Remove")
	if diff := cmp.Diff(objects, c.objects(t)); diff != "" {
		t.Errorf("objects before the installation and after its removal:\n%s", diff)
	}
	files = slices.Sorted(slices.Values(append(files, stateDir)))
	within(3*time.Minute, func() bool { return slices.Equal(files, c.files(t)) }) // the kubelet removes logs of pods in its time
	if diff := cmp.Diff(files, c.files(t)); diff != "" {
		t.Errorf("the node's files before the installation, with the state, and after its removal:\n%s", diff)
	}

	folder := kustomize(t)
	t.Logf("%s", c.kubectl(t, "apply", "-k", folder))
	pod = c.agentPod(t)
	checkPod(t, pod, true)
	c.tryAgain(t, receiver)
	t.Logf("%s", c.kubectl(t, "delete", "-k", folder))
	if diff := cmp.Diff(objects, c.objects(t)); diff != "" {
		t.Errorf("objects before the installation and after its removal:\n%s", diff)
	}
	if err := receiver.Problems(); err != nil {
		t.Error(err)
	}
}

// values are those of an agent that the lab's node can pull, and that tells each attempt.
var values = []string{
	"--set", "image.repository=" + imageName, "--set", "cubeapm.url=",
	"--set", "otlp.logs.endpoint=" + receiverURL, "--set", "config.incidents.report=all",
}

// follow runs the commands in a section of docs/install.md; one that installs with further arguments.
func (c *cluster) follow(t *testing.T, section string, install ...string) {
	t.Helper()
	text, err := os.ReadFile(repository + "/docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "## "+section+"\n\n```sh\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok {
		t.Fatalf("docs/install.md has no commands in %q", section)
	}
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		words := strings.Fields(command)
		t.Logf("%s", command)
		switch {
		case words[0] == "kubectl":
			t.Logf("%s", c.kubectl(t, words[1:]...))
		case words[0] == "helm" && words[1] == "install":
			t.Logf("%s", c.helm(t, append(words[1:], install...)...))
		case words[0] == "helm":
			t.Logf("%s", c.helm(t, words[1:]...))
		default:
			t.Errorf("cannot follow %q", line)
		}
	}
}

const receiverURL = "http://" + lab.ReceiverName + ":4318/v1/logs"

// receive listens where agents send to.
func (c *cluster) receive(t *testing.T) *otlptest.Receiver {
	t.Helper()
	l, err := c.node.ListenAsReceiver(receiverPort)
	if err != nil {
		t.Fatal(err)
	}
	r, err := otlptest.ListenHTTP(otlptest.Config{Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// agentPod is the agent's only pod, once the one before is gone.
func (c *cluster) agentPod(t *testing.T) (pod core.Pod) {
	t.Helper()
	until(t, time.Minute, "one pod that is ready", func() bool {
		pods, err := c.client.CoreV1().Pods(namespace).List(t.Context(), meta.ListOptions{LabelSelector: "app.kubernetes.io/name=pullcause"})
		if err != nil || len(pods.Items) != 1 {
			return false
		}
		pod = pods.Items[0]
		return slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
			return c.Type == core.PodReady && c.Status == core.ConditionTrue
		})
	})
	return pod
}

// tryAgain has another pod fail to pull, and looks at what was told until then.
func (c *cluster) tryAgain(t *testing.T, r *otlptest.Receiver) {
	t.Helper()
	before := c.failures(t)
	c.expandShop(t)
	until(t, time.Minute, "another failed pull", func() bool { return c.failures(t) > before })
	c.checkTold(t, r)
}
