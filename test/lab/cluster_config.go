//go:build linux

package lab

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Where things are on the node's network. Networks of services and pods are not those that
// the lab's internet has.
const (
	etcdURL      = "http://127.0.0.1:2379"
	apiserverURL = "https://" + nodeAddress + ":6443"
	serviceRange = "10.97.0.0/24"
	podRange     = "10.244.0.0/24"
)

// Files below the cluster's folder.
const (
	keyFile         = "service-account.key"
	tokenFile       = "tokens.csv"
	admissionFile   = "admission.yaml"
	certificateDir  = "certificates"
	certificateFile = certificateDir + "/apiserver.crt" // the API server makes it
)

// administratorToken is who may do all.
const administratorToken = "the-administrator"

// admission is what clusters have that enforce Pod Security Standards: no namespace may
// run pods that see the node unless its labels allow it.
const admission = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: PodSecurity
    configuration:
      apiVersion: pod-security.admission.config.k8s.io/v1
      kind: PodSecurityConfiguration
      defaults: {enforce: baseline, enforce-version: latest}
      exemptions: {namespaces: [kube-system]}
`

func writeClusterFiles(dir string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the key for service accounts: %w", err)
	}
	for name, text := range map[string]string{
		keyFile:       string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		tokenFile:     administratorToken + `,administrator,1,"system:masters"` + "\n",
		admissionFile: admission,
	} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// commands are the arguments of all programs, which run in the cluster's folder.
func (c *Cluster) commands() map[string][]string {
	return map[string][]string{
		etcd: {
			"--data-dir=etcd", "--unsafe-no-fsync",
			"--listen-client-urls=" + etcdURL, "--advertise-client-urls=" + etcdURL,
		},
		apiserver: {
			"--etcd-servers=" + etcdURL,
			"--advertise-address=" + nodeAddress, "--bind-address=" + nodeAddress, "--cert-dir=" + certificateDir,
			"--service-cluster-ip-range=" + serviceRange, "--allow-privileged",
			"--service-account-key-file=" + keyFile, "--service-account-signing-key-file=" + keyFile,
			"--service-account-issuer=https://kubernetes.default.svc",
			"--token-auth-file=" + tokenFile, "--authorization-mode=Node,RBAC",
			"--admission-control-config-file=" + admissionFile,
			"--kubelet-preferred-address-types=InternalIP",
		},
		controllerManager: {
			"--kubeconfig=" + c.Kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1",
			"--service-account-private-key-file=" + keyFile, "--root-ca-file=" + certificateFile,
		},
		scheduler: {"--kubeconfig=" + c.Kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1"},
	}
}

// kubeconfig is that of an administrator who trusts a certificate.
func kubeconfig(certificate []byte) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: administrator}}]
clusters: [{name: lab, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: administrator, user: {token: %s}}]
`, apiserverURL, base64.StdEncoding.EncodeToString(certificate), administratorToken)
}

// podNetwork gives each pod a link of its own to the node, and lets it reach the lab's internet.
const podNetwork = `{
  "cniVersion": "1.0.0",
  "name": "lab",
  "plugins": [{
    "type": "ptp",
    "ipam": {"type": "host-local", "subnet": "` + podRange + `", "dataDir": "` + innerDir + `/cni/addresses", "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
`

// writePodNetwork puts the configuration and the plugins where containerd looks for them.
func writePodNetwork(dir string, c ControlPlane) error {
	if err := writeFile(filepath.Join(dir, "cni", "net.d", "lab.conflist"), podNetwork); err != nil {
		return err
	}
	for plugin := range cniPlugins() {
		if err := copyProgram(filepath.Join(dir, "cni", "bin", plugin), filepath.Join(c.plugins, plugin)); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// forwardBetweenPods lets the node's network pass on what pods send; the plugin would do it,
// but of /proc/sys it can change nothing.
func (n *Node) forwardBetweenPods() error {
	return n.ns.do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
}
