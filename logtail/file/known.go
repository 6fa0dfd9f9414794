package file

import "path/filepath"

// Candidate is a file that a container runtime or kubelet is known to log to.
type Candidate struct {
	Path string
	// Program writes it alone; empty if several do.
	Program string
	// Where it is found, and how that is known.
	Distribution, Evidence string
}

// Known lists the files that runtimes and kubelets log to on nodes where they do
// not log to the journal. hostRoot is where the node's file system is mounted, "/"
// outside of a container. Nothing is looked at: most of them will not exist.
func Known(hostRoot string) []Candidate {
	all := []Candidate{
		{"/var/lib/rancher/k3s/agent/containerd/containerd.log", "containerd", "k3s", "docs.k3s.io/faq: Where are the logs"},
		{"/var/log/k3s.log", "", "k3s server under OpenRC", "k3s install.sh create_openrc_service_file"},
		{"/var/log/k3s-agent.log", "", "k3s agent under OpenRC", "k3s install.sh create_openrc_service_file"},
		{"/var/lib/rancher/rke2/agent/containerd/containerd.log", "containerd", "RKE2", "docs.rke2.io/reference/logging"},
		{"/var/lib/rancher/rke2/agent/logs/kubelet.log", "kubelet", "RKE2", "docs.rke2.io/reference/logging"},
		{"/var/log/k0scontroller.log", "", "k0s controller under OpenRC", "k0sproject/rig initsystem/openrc"},
		{"/var/log/k0sworker.log", "", "k0s worker under OpenRC", "k0sproject/rig initsystem/openrc"},
		{"/var/log/kubelet.log", "kubelet", "nodes without systemd", "kubernetes.io/docs/tasks/debug/debug-cluster: Looking at logs"},
		{"/var/log/containerd.log", "containerd", "nodes without systemd, LinuxKit", "kubernetes.io/docs/tasks/debug/debug-cluster/kubectl-node-debug"},
		{"/var/log/crio.log", "crio", "nodes without systemd", "the convention of kubelet.log and containerd.log"},
		{"/var/log/kubelet/kubelet.log", "kubelet", "Alpine", "Alpine package kubelet-openrc"},
		{"/var/log/containerd/containerd.log", "containerd", "Alpine", "Alpine package containerd-openrc"},
		{"/var/log/crio/crio.log", "crio", "Alpine", "Alpine package cri-o-openrc"},
		{"/var/log/docker.log", "", "Alpine, Rancher Desktop with dockerd", "Alpine package docker-openrc"},
		{"/var/log/cri-dockerd.log", "", "Rancher Desktop with dockerd", "rancher-desktop assets/scripts/cri-dockerd.initd"},
	}
	for i := range all {
		all[i].Path = filepath.Join(hostRoot, all[i].Path)
	}
	return all
}
