package chart

import (
	"path"
	"slices"
	"strings"
	"testing"

	"pullcause/logtail/file"
	"pullcause/logtail/journal"
)

// Each preset mounts what the agent looks for on such a node.
func TestMounts(t *testing.T) {
	containerd := []string{"/run/containerd/containerd.sock", "/etc/containerd/config.toml", "/etc/containerd/certs.d", "/var/lib/containerd"}
	crio := []string{"/run/crio/crio.sock", "/etc/crio/crio.conf", "/etc/containers/registries.conf", "/etc/docker/certs.d", "/var/lib/containers/storage/overlay-images"}
	for preset, paths := range map[string][]string{
		"defaults":     containerd,
		"kubeadm":      append(containerd, "/var/lib/kubelet/config.yaml"),
		"bottlerocket": containerd, "gke": containerd, "eks": containerd, "aks": containerd,
		"k3s": append(filesOf("k3s"), "/run/k3s/containerd/containerd.sock", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
			"/var/lib/rancher/k3s/agent/etc/containerd/certs.d", "/var/lib/rancher/k3s/agent/containerd/io.containerd.snapshotter.v1.overlayfs"),
		"rke2": append(filesOf("RKE2"), "/run/k3s/containerd/containerd.sock", "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
			"/var/lib/rancher/rke2/agent/containerd/io.containerd.snapshotter.v1.overlayfs"),
		"k0s":       append(filesOf("k0s"), "/run/k0s/containerd.sock", "/etc/k0s/containerd.toml", "/etc/containerd/certs.d", "/var/lib/k0s/containerd"),
		"microk8s":  {"/var/snap/microk8s/common/run/containerd.sock", "/var/snap/microk8s/current/args/containerd.toml", "/var/snap/microk8s/current/args/certs.d", "/var/snap/microk8s/common/var/lib/containerd"},
		"openshift": crio, "crio": crio,
		"logs-only": filesOf("Alpine"),
	} {
		t.Run(preset, func(t *testing.T) {
			r, err := load(t).Render(allValues(t)[preset], OldestKubernetes)
			if err != nil {
				t.Fatal(err)
			}
			pod := daemonSet(t, r).Spec.Template.Spec
			var mounted []string
			for _, m := range pod.Containers[0].VolumeMounts {
				mounted = append(mounted, m.MountPath)
			}
			for _, need := range append(paths, journal.Roots("")...) {
				if !below("/host"+need, mounted) {
					t.Errorf("%s is not mounted; %q are", need, mounted)
				}
			}
			if preset == "logs-only" && below("/host/run/containerd/containerd.sock", mounted) {
				t.Error("the socket is mounted")
			}
		})
	}
}

// filesOf are the known log files of a distribution.
func filesOf(distribution string) []string {
	var paths []string
	for _, known := range file.Known("/") {
		if strings.HasPrefix(known.Distribution, distribution) {
			paths = append(paths, known.Path)
		}
	}
	return paths
}

func below(name string, folders []string) bool {
	for ; name != "/"; name = path.Dir(name) {
		if slices.Contains(folders, name) {
			return true
		}
	}
	return false
}
