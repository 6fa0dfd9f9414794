//go:build linux

package cluster

import (
	"os"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"pullcause/logtail/journal/journaltest"
	"pullcause/test/lab"
)

// repository is where the agent's module begins, bin where all is built to.
const (
	repository = "../.."
	bin        = repository + "/bin"
)

// version is that of Kubernetes.
const version = "1.37.2"

// cluster is a cluster of one node, whose runtime and kubelet write to a journal.
type cluster struct {
	node   *lab.Node
	config *rest.Config
	client *kubernetes.Clientset

	kubectlPath string
}

// start brings a cluster up, and waits until its node is ready for pods.
func start(t *testing.T) (c *cluster) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root for containerd and its namespaces")
	}
	if _, err := journaltest.Host(); err != nil {
		cannot(t, err.Error())
	}
	o := options(t)
	node, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", c.describe())
		}
	})
	c = &cluster{node: node, kubectlPath: o.ControlPlane.Kubectl()}
	if c.config, err = clientcmd.BuildConfigFromFlags("", node.Cluster.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	c.config.Dial = node.Dial
	c.config.QPS = -1
	c.config.WarningHandler = rest.NoWarnings{}
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the node to be ready", func() bool {
		nodes, err := c.client.CoreV1().Nodes().List(t.Context(), meta.ListOptions{})
		return err == nil && len(nodes.Items) == 1 && isReady(nodes.Items[0])
	})
	return c
}

// options builds what a cluster is made of, the first time.
func options(t *testing.T) lab.Options {
	t.Helper()
	containerd, err := lab.Build(t.Context(), bin, t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	kubelet, err := lab.BuildKubelet(t.Context(), bin, version, t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	controlPlane, err := lab.BuildControlPlane(t.Context(), bin, version, t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	return lab.Options{Containerd: containerd, Kubelet: kubelet, ControlPlane: controlPlane, Journal: true, Logf: t.Logf}
}

func isReady(n core.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == core.NodeReady {
			return c.Status == core.ConditionTrue
		}
	}
	return false
}

// makeNamespace makes a namespace and waits until pods may be made in it.
func (c *cluster) makeNamespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	_, err := c.client.CoreV1().Namespaces().Create(t.Context(),
		&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}}, meta.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	until(t, time.Minute, "the service account of "+name, func() bool {
		_, err := c.client.CoreV1().ServiceAccounts(name).Get(t.Context(), "default", meta.GetOptions{})
		return err == nil
	})
}

// until waits until is holds, or fails the test.
func until(t *testing.T, patience time.Duration, what string, is func() bool) {
	t.Helper()
	if !within(patience, is) {
		t.Fatalf("waited %s in vain for %s", patience, what)
	}
}

// within waits until is holds and tells whether it does.
func within(patience time.Duration, is func() bool) bool {
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			return false
		}
		<-again.C
	}
	return true
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %s", why)
	}
	t.Skip(why)
}
