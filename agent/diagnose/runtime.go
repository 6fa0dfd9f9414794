package diagnose

import (
	"strings"

	"pullcause/agent/detect"
)

// runtimeWords is where a runtime is configured and looked at. HOST stands for the
// registry as the image names it, ADDR for the host that was asked, with its port.
type runtimeWords struct {
	unit, root string
	// hosts is where it is told whom to ask, mirror where one is named.
	hosts, mirror string
	// ca, plainHTTP and https are what to do where TLS does not fit.
	ca, plainHTTP, https string
	// progress is how long it waits for a byte.
	progress string
	// client is where client certificates are, storage how to look at its snapshots.
	client, storage string
}

// containerd: docs/hosts.md of containerd v2.4.2.
var containerdWords = runtimeWords{
	unit: "containerd", root: "/var/lib/containerd",
	hosts:     "/etc/containerd/certs.d/HOST/hosts.toml",
	mirror:    "/etc/containerd/certs.d/HOST/hosts.toml",
	ca:        `/etc/containerd/certs.d/HOST/ca.crt and name it in hosts.toml (ca = "ca.crt")`,
	plainHTTP: `write /etc/containerd/certs.d/HOST/hosts.toml with server = "http://ADDR"`,
	https:     "Write https:// for ADDR in /etc/containerd/certs.d/HOST/hosts.toml",
	client:    "/etc/containerd/certs.d/HOST/hosts.toml",
	progress:  "image_pull_progress_timeout",
	storage:   "ctr plugins ls | grep snapshotter, dmesg",
}

// docker: docs.docker.com/reference/cli/dockerd and /engine/security/certificates.
// It has mirrors for Docker Hub alone.
var dockerWords = runtimeWords{
	unit: "docker", root: "/var/lib/docker",
	hosts:     "/etc/docker/daemon.json",
	mirror:    "registry-mirrors of /etc/docker/daemon.json (docker has them for Docker Hub alone)",
	ca:        "/etc/docker/certs.d/HOST/ca.crt",
	plainHTTP: `name "ADDR" in insecure-registries of /etc/docker/daemon.json`,
	https:     "Take ADDR out of insecure-registries of /etc/docker/daemon.json",
	client:    "/etc/docker/certs.d/HOST",
	progress:  "--image-pull-progress-deadline of the kubelet or of cri-dockerd",
	storage:   "docker info, dmesg",
}

// crio: containers-registries.conf(5) and containers-certs.d(5) of
// go.podman.io/image v5.42.0, crio.conf(5) of CRI-O v1.37.
var crioWords = runtimeWords{
	unit: "crio", root: "/var/lib/containers/storage",
	hosts:     "/etc/containers/registries.conf",
	mirror:    "a [[registry.mirror]] of HOST in /etc/containers/registries.conf",
	ca:        "/etc/containers/certs.d/HOST/ca.crt",
	plainHTTP: "set insecure = true for HOST in /etc/containers/registries.conf",
	https:     "Take insecure = true for HOST out of /etc/containers/registries.conf",
	client:    "/etc/containers/certs.d/HOST",
	progress:  "pull_progress_timeout in /etc/crio/crio.conf",
	storage:   "/etc/containers/storage.conf, dmesg",
}

// words are those of the runtime that pulled: as the error tells, else the line;
// the kubelet's lines tell nothing, and nearly every node has containerd.
func (e evidence) words() runtimeWords {
	runtime := e.f.Runtime
	switch {
	case runtime != "":
	case e.Reason == registryUnavailableReason:
		runtime = detect.CRIO
	default:
		runtime = e.Program
	}
	w := containerdWords
	switch runtime {
	case detect.Dockerd:
		w = dockerWords
	case detect.CRIO:
		w = crioWords
	}
	host, address := hostDir(e), hostPort(e)
	for _, text := range []*string{&w.hosts, &w.mirror, &w.ca, &w.plainHTTP, &w.https, &w.client} {
		*text = fill(*text, host, address)
	}
	return w
}

// fill puts names in place of HOST and ADDR, whatever these hold.
func fill(text, host, address string) string {
	before, after, found := strings.Cut(text, "HOST")
	text = strings.Replace(before, "ADDR", address, 1)
	if found {
		text += host + strings.Replace(after, "ADDR", address, 1)
	}
	return text
}
