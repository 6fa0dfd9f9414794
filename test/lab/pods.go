//go:build linux

package lab

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// nodeName is the name of the node; the kubelet appends it to the name of every
// static pod.
const nodeName = "node-a"

// Policies of pulls.
const (
	Always       = "Always"
	IfNotPresent = "IfNotPresent"
	Never        = "Never"
)

// Manifest describes a static pod.
type Manifest struct {
	Namespace string // empty is "default"
	Name      string // without the node's name
	// UID is made from namespace and name if it is empty. The kubelet takes the one
	// of the manifest and makes one of the file's content only where there is none.
	UID            string
	InitContainers []Container // are told to end at once
	Containers     []Container
	// ImageVolumes are mounted into every container, below /volumes.
	ImageVolumes []ImageVolume
	// PullSecrets are the names of Secrets, which are objects of an API server: a
	// kubelet without one rejects the manifest. See [Options.Logins].
	PullSecrets []string
}

// Container is a container of a pod.
type Container struct {
	Name, Image string
	Policy      string // of pulls; empty is Always for :latest, else IfNotPresent
}

// ImageVolume is an image whose files are a volume. Kubernetes has them from 1.31
// on, here by a feature gate up to 1.34.
type ImageVolume struct{ Name, Image, Policy string }

// Pod is the pod that the kubelet makes of the manifest, as its lines name it.
func (m Manifest) Pod() Pod {
	p := Pod{Namespace: m.Namespace, Name: m.Name + "-" + nodeName, UID: m.UID}
	if p.Namespace == "" {
		p.Namespace = "default"
	}
	if p.UID == "" {
		p.UID = uid(p.Namespace + "/" + p.Name)
	}
	return p
}

// uid makes the same UID of the same name.
func uid(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

type object = map[string]any

// encode returns the manifest as the kubelet reads it.
func (m Manifest) encode() ([]byte, error) {
	pod := m.Pod()
	volumes, mounts := []object{}, []object{}
	for _, v := range m.ImageVolumes {
		source := object{"reference": v.Image}
		if v.Policy != "" {
			source["pullPolicy"] = v.Policy
		}
		volumes = append(volumes, object{"name": v.Name, "image": source})
		mounts = append(mounts, object{"name": v.Name, "mountPath": "/volumes/" + v.Name, "readOnly": true})
	}
	secrets := []object{}
	for _, name := range m.PullSecrets {
		secrets = append(secrets, object{"name": name})
	}
	initial := encodeContainers(m.InitContainers, mounts)
	for _, c := range initial {
		c["command"] = []string{"/pause", "and end"}
	}
	return json.MarshalIndent(object{
		"apiVersion": "v1",
		"kind":       "Pod",
		"metadata":   object{"namespace": pod.Namespace, "name": m.Name, "uid": pod.UID},
		"spec": object{
			"hostNetwork":                   true, // there is no CNI plugin
			"terminationGracePeriodSeconds": 1,
			"initContainers":                initial,
			"containers":                    encodeContainers(m.Containers, mounts),
			"volumes":                       volumes,
			"imagePullSecrets":              secrets,
		},
	}, "", "  ")
}

func encodeContainers(containers []Container, mounts []object) []object {
	all := make([]object, 0, len(containers))
	for _, c := range containers {
		o := object{"name": c.Name, "image": c.Image, "volumeMounts": mounts}
		if c.Policy != "" {
			o["imagePullPolicy"] = c.Policy
		}
		all = append(all, o)
	}
	return all
}

// AddPod hands the kubelet a pod, or a new version of one that it has, and returns
// what the kubelet calls it.
func (n *Node) AddPod(m Manifest) (Pod, error) {
	if n.kubelet == nil {
		return Pod{}, errors.New("add pod: the node has no kubelet, see Options.Kubelet")
	}
	text, err := m.encode()
	if err != nil {
		return Pod{}, fmt.Errorf("add pod %s: %w", m.Name, err)
	}
	pod := m.Pod()
	path := n.manifestPath(pod)
	// The kubelet does not look at names that begin with a dot.
	unfinished := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(unfinished, text, 0o644); err != nil {
		return Pod{}, fmt.Errorf("add pod %s: %w", m.Name, err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return Pod{}, fmt.Errorf("add pod %s: %w", m.Name, err)
	}
	return pod, nil
}

// RemovePod takes a pod away, which the kubelet then stops.
func (n *Node) RemovePod(p Pod) error {
	if err := os.Remove(n.manifestPath(p)); err != nil {
		return fmt.Errorf("remove pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}

func (n *Node) manifestPath(p Pod) string {
	return filepath.Join(n.Dir, manifestsDir, p.Namespace+"_"+p.Name+".json")
}
