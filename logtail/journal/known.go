package journal

// Candidate is a unit or an identifier that a container runtime or kubelet is
// known to write to the journal as. One of the two is empty.
type Candidate struct {
	Unit, Identifier string
	// Program writes it alone; empty if several do.
	Program string
	// Where it is found, and how that is known.
	Distribution, Evidence string
}

// Known lists the units and identifiers of runtimes and kubelets. To look for all
// of them costs a few reads of a journal file, whatever it holds.
//
// The kubelet is known by its identifier too: with kubeletCgroups set it leaves its
// unit's cgroup, and journald then no longer names the unit
// (kubernetes/kubernetes#112874).
func Known() []Candidate {
	return []Candidate{
		{Unit: "containerd.service", Program: "containerd", Distribution: "kubeadm, kind, EKS, GKE, AKS, Bottlerocket, Flatcar", Evidence: "containerd.service of containerd's releases"},
		{Unit: "kubelet.service", Program: "kubelet", Distribution: "all with systemd, but k3s, RKE2, k0s and microk8s", Evidence: "kubelet.service of kubernetes/release"},
		{Unit: "crio.service", Program: "crio", Distribution: "OpenShift, kubeadm with CRI-O", Evidence: "cri-o contrib/systemd/crio.service"},
		{Unit: "docker.service", Program: "dockerd", Distribution: "nodes with dockerd", Evidence: "moby contrib/init/systemd/docker.service"},
		{Unit: "cri-docker.service", Distribution: "nodes with dockerd", Evidence: "cri-dockerd packaging/systemd/cri-docker.service"},
		{Unit: "k3s.service", Distribution: "k3s server", Evidence: "docs.k3s.io/faq: Where are the logs"},
		{Unit: "k3s-agent.service", Distribution: "k3s agent", Evidence: "docs.k3s.io/faq: Where are the logs"},
		{Unit: "rke2-server.service", Distribution: "RKE2 server", Evidence: "docs.rke2.io/reference/logging"},
		{Unit: "rke2-agent.service", Distribution: "RKE2 agent", Evidence: "docs.rke2.io/reference/logging"},
		{Unit: "k0scontroller.service", Distribution: "k0s controller", Evidence: "docs.k0sproject.io: k0s install"},
		{Unit: "k0sworker.service", Distribution: "k0s worker", Evidence: "docs.k0sproject.io: k0s install"},
		{Unit: "snap.microk8s.daemon-containerd.service", Program: "containerd", Distribution: "microk8s", Evidence: "microk8s.io/docs: configuring services"},
		{Unit: "snap.microk8s.daemon-kubelite.service", Distribution: "microk8s", Evidence: "microk8s.io/docs: configuring services"},
		{Unit: "snap.microk8s.daemon-k8s-dqlite.service", Distribution: "microk8s", Evidence: "microk8s.io/docs: configuring services"},
		{Unit: "host-containerd.service", Program: "containerd", Distribution: "Bottlerocket's host containers", Evidence: "bottlerocket packages/host-ctr"},
		{Identifier: "containerd", Program: "containerd", Distribution: "any, where journald lost the unit", Evidence: "the name of the program"},
		{Identifier: "kubelet", Program: "kubelet", Distribution: "kubespray, any with kubeletCgroups", Evidence: "kubernetes/kubernetes#112874"},
		{Identifier: "crio", Program: "crio", Distribution: "any, where journald lost the unit", Evidence: "the name of the program"},
		{Identifier: "dockerd", Program: "dockerd", Distribution: "any, where journald lost the unit", Evidence: "the name of the program"},
		{Identifier: "k3s", Distribution: "k3s", Evidence: "the name of the program"},
		{Identifier: "k0s", Distribution: "k0s", Evidence: "the name of the program"},
		{Identifier: "rke2", Distribution: "RKE2", Evidence: "the name of the program"},
	}
}

// Roots are the folders that journald keeps its files in, below the place where
// the node's file system is mounted: the lasting one, and the one of this boot.
func Roots(hostRoot string) []string {
	return []string{hostRoot + "/var/log/journal", hostRoot + "/run/log/journal"}
}
