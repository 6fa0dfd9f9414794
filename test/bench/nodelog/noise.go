package nodelog

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// maxOpen bounds the pulls that are under way and will succeed.
const maxOpen = 24

// noise makes lines that tell of no failed pull, many of them near misses.
type noise struct {
	rng  *rand.Rand
	zone *time.Location
	open []string // images of pulls under way
	rest []string // messages that are due about a pull that ends
	text []byte   // scratch
}

// line appends one line, of containerd or of the kubelet.
func (n *noise) line(b []byte, at time.Time) []byte {
	if n.rng.Uint64()&1 == 0 {
		b = n.containerd(b, at)
	} else {
		b = n.kubelet(b, at.In(n.zone))
	}
	return append(b, '\n')
}

// say fills the scratch text: every %x is replaced by 64 hexadecimal digits, %u
// by a UUID, %p by namespace and name of a pod, %i by an image, %d by a number.
func (n *noise) say(format string) string {
	t := n.text[:0]
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			t = append(t, format[i])
			continue
		}
		i++
		switch format[i] {
		case 'x':
			t = appendHex(t, n.rng, 64)
		case 'u':
			t = appendUUID(t, n.rng)
		case 'p':
			t = appendPod(t, n.rng)
		case 'i':
			t = appendImage(t, n.rng)
		case 'd':
			t = strconv.AppendUint(t, n.rng.Uint64N(100_000), 10)
		}
	}
	n.text = t
	return string(t)
}

// containerd writes one line in eight with PullImage in it, nearly always in
// another text than of a pull. One line in a hundred is of a pull that goes well:
// many more than on a real node, where a pull is a rare thing.
func (n *noise) containerd(b []byte, at time.Time) []byte {
	if len(n.rest) > 0 {
		m := n.rest[0]
		n.rest = n.rest[1:]
		return logrus(b, at, "info", m)
	}
	switch k := n.rng.IntN(800); {
	case k < 2 && len(n.open) < maxOpen:
		image := string(appendImage(nil, n.rng))
		n.open = append(n.open, image)
		return logrus(b, at, "info", "PullImage "+strconv.Quote(image))
	case k < 4 && len(n.open) > 0:
		image := n.open[0]
		n.open = append(n.open[:0], n.open[1:]...)
		n.rest = []string{
			n.say("Pulled image " + strconv.Quote(image) + ` with image id "sha256:%x", repo tag ` + strconv.Quote(image) + `, size "429%d" in 781.210092ms`),
			n.say("PullImage " + strconv.Quote(image) + ` returns image reference "sha256:%x"`),
		}
		return logrus(b, at, "info", n.say("stop pulling image "+image+": active requests=0, bytes read=%d"))
	case k < 100:
		return n.other(b, at, pullImageElsewhere[:])
	default:
		return n.other(b, at, containerdLines[:])
	}
}

// message is a line to choose: its level, its text and what follows.
type message struct {
	level, text, fields string
}

func (n *noise) other(b []byte, at time.Time, of []message) []byte {
	m := of[n.rng.IntN(len(of))]
	b = logrus(b, at, m.level, n.say(m.text))
	return append(b, n.say(m.fields)...)
}

// pullImageElsewhere are lines with the word that tell of no pull.
var pullImageElsewhere = [...]message{
	{"warning", `Using deprecated annotation "io.kubernetes.cri.runtime-handler" for runtime handler. PullImage request of %i`, ""},
	{"info", "handled request", ` duration=%dus method=/runtime.v1.ImageService/PullImage namespace=k8s.io service=cri`},
	{"info", `CreateContainer within sandbox "%x" for container &ContainerMetadata{Name:PullImage-failed-exporter,Attempt:429,}`, ""},
}

// containerdLines are the daily life of containerd.
var containerdLines = [...]message{
	{"info", `RunPodSandbox for &PodSandboxMetadata{Name:image-puller-%d,Uid:%u,Namespace:team-a,Attempt:0,}`, ""},
	{"info", `RunPodSandbox for &PodSandboxMetadata{Name:web-%d,Uid:%u,Namespace:shop,Attempt:404,} returns sandbox id "%x"`, ""},
	{"info", `CreateContainer within sandbox "%x" for container &ContainerMetadata{Name:image-fetch-failed,Attempt:1660,}`, ""},
	{"info", `CreateContainer within sandbox "%x" for &ContainerMetadata{Name:cortex-gw,Attempt:%d,} returns container id "%x"`, ""},
	{"info", `StartContainer for "%x"`, ""},
	{"info", `StartContainer for "%x" returns successfully`, ""},
	{"info", `StopContainer for "%x" with timeout 30 (s)`, ""},
	{"info", `Stop container "%x" with signal terminated`, ""},
	{"info", `StopPodSandbox for "%x" returns successfully`, ""},
	{"info", `TearDown network for sandbox "%x" successfully`, ""},
	{"info", `RemovePodSandbox "%x" returns successfully`, ""},
	{"info", `RemoveContainer for "%x" returns successfully`, ""},
	{"info", `Container to stop "%x" must be in running or unknown state, current state "CONTAINER_EXITED"`, ""},
	{"info", `ImageCreate event name:"%i" labels:{key:"io.cri-containerd.image" value:"managed"}`, ""},
	{"info", `ImageUpdate event name:"sha256:%x" labels:{key:"io.cri-containerd.image" value:"managed"}`, ""},
	{"error", `ContainerStatus for "%x" failed`, ` error="rpc error: code = NotFound desc = an error occurred when try to find container \"%x\": not found"`},
	{"error", `ExecSync for "%x" failed`, ` error="rpc error: code = NotFound desc = failed to exec in container: failed to load task: no running task found: task %x not found: not found"`},
	{"error", `Failed to delete exec process "%x" for container "%x"`, ` error="ttrpc: closed: unknown"`},
	{"info", "shim disconnected", ` id=%x namespace=k8s.io`},
	{"warning", "cleaning up after shim disconnected", ` id=%x namespace=k8s.io`},
	{"info", `received exited event container_id:"%x" id:"%x" pid:%d exit_status:137`, ""},
	{"info", `starting cri plugin with config {"containerd":{"defaultRuntimeName":"runc","runtimes":{"runc":{"runtimeType":"io.containerd.runc.v2","podAnnotations":null,"containerAnnotations":null,"options":{"BinaryName":"","CriuImagePath":"","SystemdCgroup":true},"privilegedWithoutHostDevices":false,"baseRuntimeSpec":"","cniConfDir":"","snapshotter":"","sandboxer":"podsandbox"}}},"cni":{"binDirs":["/opt/cni/bin"],"confDir":"/etc/cni/net.d","maxConfNum":1},"enableSelinux":false,"maxContainerLogLineSize":16384,"imagePullProgressTimeout":"5m0s","rootDir":"/var/lib/containerd/io.containerd.grpc.v1.cri"}`, ""},
	{"info", "loading plugin", ` id=io.containerd.cri.v1.images type=io.containerd.grpc.v1`},
}

// kubelet writes structured klog lines.
func (n *noise) kubelet(b []byte, at time.Time) []byte {
	m := kubeletLines[n.rng.IntN(len(kubeletLines))]
	b = klog(b, at, m.severity, m.place, m.text)
	return append(b, n.say(m.fields)...)
}

// kubeletLines are the daily life of the kubelet, with everything that one
// could mistake for a failed pull.
var kubeletLines = [...]struct {
	severity            byte
	place, text, fields string
}{
	{'I', "kubelet.go:2493", "SyncLoop (probe)", ` probe="readiness" status="ready" pod="%p"`},
	{'I', "kubelet.go:2493", "SyncLoop (probe)", ` probe="liveness" status="unhealthy" pod="%p"`},
	{'I', "kubelet.go:2453", "SyncLoop (PLEG): event for pod", ` pod="%p" event={"ID":"%u","Type":"ContainerDied","Data":"%x"}`},
	{'I', "kubelet.go:2453", "SyncLoop (PLEG): event for pod", ` pod="%p" event={"ID":"%u","Type":"ContainerStarted","Data":"%x"}`},
	{'I', "kubelet.go:2408", "SyncLoop REMOVE", ` source="api" pods=["%p"]`},
	{'I', "kubelet.go:2414", "SyncLoop ADD", ` source="api" pods=["%p"]`},
	{'I', "kubelet.go:2421", "SyncLoop UPDATE", ` source="api" pods=["%p","%p"]`},
	{'I', "generic.go:334", "Generic (PLEG): container finished", ` podID="%u" containerID="%x" exitCode=1`},
	{'I', "prober.go:107", "Probe failed", ` probeType="Readiness" pod="%p" podUID="%u" containerName="image-api" probeResult="failure" output="HTTP probe failed with statuscode: 429"`},
	{'I', "prober.go:107", "Probe failed", ` probeType="Liveness" pod="%p" podUID="%u" containerName="web" probeResult="failure" output="HTTP probe failed with statuscode: 404"`},
	{'I', "prober.go:107", "Probe failed", ` probeType="Readiness" pod="%p" podUID="%u" containerName="app" probeResult="failure" output="Get \"http://10.192.243.172:3090/-/ready\": dial tcp 10.192.243.172:3090: connect: connection refused"`},
	{'E', "prober.go:104", "Probe errored", ` err="rpc error: code = NotFound desc = failed to exec in container: container is not created or running" probeType="Readiness" pod="%p" podUID="%u" containerName="image-pull-secret-sync"`},
	{'E', "pod_workers.go:1338", "Error syncing pod, skipping", ` err="failed to \"StartContainer\" for \"image-sync\" with CrashLoopBackOff: \"back-off 5m0s restarting failed container=image-sync pod=image-sync-%d_team-a(%u)\"" pod="team-a/image-sync-%d" podUID="%u"`},
	{'E', "pod_workers.go:1338", "Error syncing pod, skipping", ` err="failed to \"StartContainer\" for \"app\" with CrashLoopBackOff: \"back-off 2m40s restarting failed container=app pod=web-%d_shop(%u)\"" pod="shop/web-%d" podUID="%u"`},
	{'E', "kuberuntime_manager.go:1358", "Unhandled Error", ` err="container &Container{Name:ruler,Image:registry.example.com/platform/base-image:v1.404,Command:[],Args:[-target=ruler -config.expand-env=true -config.file=/etc/mimir/mimir.yaml],WorkingDir:,Ports:[]ContainerPort{ContainerPort{Name:http-metrics,HostPort:0,ContainerPort:8080,Protocol:TCP,HostIP:,},},EnvFrom:[]EnvFromSource{},ImagePullPolicy:IfNotPresent,SecurityContext:nil,Stdin:false,StdinOnce:false,TTY:false,RestartPolicy:nil,} start failed in pod ruler-%d_monitoring(%u): CreateContainerConfigError: secret \"image-pull-secret\" not found" logger="UnhandledError"`},
	{'E', "pod_workers.go:1338", "Error syncing pod, skipping", ` err="unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: context deadline exceeded" pod="%p" podUID="%u"`},
	{'I', "operation_generator.go:614", "MountVolume.SetUp succeeded for volume", ` volume="kube-api-access-95j2t" pod="%p" podUID="%u"`},
	{'I', "reconciler_common.go:299", "Volume detached for volume", ` volumeName="kubernetes.io/secret/%u-image-pull-secret" nodeName="node-7" devicePath=""`},
	{'I', "reconciler_common.go:251", "operationExecutor.VerifyControllerAttachedVolume started for volume", ` volumeName="registry-credentials" UniqueName="kubernetes.io/secret/%u-registry-credentials" pod="%p"`},
	{'I', "kubelet_volumes.go:163", "Cleaned up orphaned pod volumes dir", ` podUID="%u" path="/var/lib/kubelet/pods/%u/volumes"`},
	{'I', "scope.go:117", "RemoveContainer", ` containerID="%x"`},
	{'I', "kuberuntime_container.go:864", "Killing container with a grace period", ` pod="%p" podUID="%u" containerName="app" containerID="containerd://%x" gracePeriod=30`},
	{'E', "log.go:32", "ContainerStatus from runtime service failed", ` err="rpc error: code = NotFound desc = an error occurred when try to find container \"%x\": not found" containerID="%x"`},
	{'I', "pod_container_deletor.go:53", "DeleteContainer returned error", ` containerID={"Type":"containerd","ID":"%x"} err="failed to get container status: rpc error: code = NotFound desc = not found"`},
	{'I', "pod_startup_latency_tracker.go:104", "Observed pod startup duration", ` pod="%p" podStartSLOduration=2.429 firstStartedPulling="2026-11-23 22:48:46 +0000 UTC" lastFinishedPulling="2026-11-23 22:48:47 +0000 UTC" observedRunningTime="2026-11-23 22:48:48 +0000 UTC"`},
	{'E', "reflector.go:205", "Failed to watch", ` err="failed to list *v1.RuntimeClass: Get \"https://10.81.143.120:6443/apis/node.k8s.io/v1/runtimeclasses?limit=500\": dial tcp: lookup api.example on 10.96.0.10:53: no such host" logger="UnhandledError" reflector="k8s.io/client-go/informers/factory.go:160"`},
	{'I', "image_gc_manager.go:383", "Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold", ` usage=86 highThreshold=85 amountToFree=404291584 lowThreshold=80`},
	{'I', "image_gc_manager.go:487", "Removing image to free bytes", ` imageID="sha256:%x" size=%d runtimeHandler=""`},
	{'I', "status_manager.go:890", "Failed to get status for pod", ` podUID="%u" pod="%p" err="pods is forbidden: User \"system:node:node-7\" cannot get resource: unauthorized"`},
}
