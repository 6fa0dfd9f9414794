package alerts

import "time"

// kubernetesCases are those of the group kubernetes-image-pulls.
var kubernetesCases = []alertCase{
	{
		alert: "KubeImagePullBackOff", name: "of a container and of an init container, also between its attempts", at: 20 * time.Minute,
		input: `
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="web-0",container="migrate",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="api-0",container="app",reason="ImagePullBackOff"} 1 0 1x2 0 1x3 0 1x3 0 1x30
		`,
		want: []string{`{namespace="shop",pod="api-0",container="app"}`, `{namespace="shop",pod="web-0",container="migrate"}`},
	},
	{
		alert: "KubeImagePullBackOff", name: "not for a pod that got its image soon", at: 30 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x3 0x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="api-0",container="app",reason="CrashLoopBackOff"} 1x30
		`,
	},
	{
		alert: "KubeErrImagePull", name: "of attempts that come and go, and of a name that is wrong", at: 24 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"} 1 0x4 1 0x4 1 0x4 1 0x4 1
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="api-0",container="init",reason="InvalidImageName"} 1x30
		`,
		want: []string{`{namespace="shop",pod="api-0",container="init",reason="InvalidImageName"}`, `{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"}`},
	},
	{
		alert: "KubeErrImagePull", name: "not for the first failure", at: 40 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ErrImagePull"} 1 0x40
		`,
	},
	{
		alert: "KubeImagePullFailuresInNamespace", name: "of six pods, one of them in an init container", at: 10 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-1",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-2",container="app",reason="InvalidImageName"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-3",container="app",reason="ErrImageNeverPull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_init_container_status_waiting_reason{namespace="shop",pod="web-5",container="app",reason="ImagePullBackOff"} 1x30
		`,
		want: []string{`{namespace="shop"}`},
	},
	{
		alert: "KubeImagePullFailuresInNamespace", name: "not for five, nor for six in two namespaces", at: 30 * time.Minute,
		input: `
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-0",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-1",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-2",container="app",reason="InvalidImageName"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-3",container="app",reason="ErrImageNeverPull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="app",reason="ImagePullBackOff"} 1x30
			kube_pod_container_status_waiting_reason{namespace="billing",pod="api-0",container="app",reason="ErrImagePull"} 1x30
			kube_pod_container_status_waiting_reason{namespace="shop",pod="web-4",container="sidecar",reason="ErrImagePull"} 1x30
		`,
	},
}
