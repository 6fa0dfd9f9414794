package detect

import (
	"bytes"
	"strings"
)

// klog reads a line with a klog header: the kubelet's, or cri-containerd's of
// before containerd 1.1.
func (d *detection) klog() bool {
	msg, rest := d.entry.klogMessage()
	f := fields{rest: rest}
	if d.entry.structured() {
		return d.kubelet(msg, f)
	}
	if d.entry.program() == Containerd || bytes.Contains(header(d.entry), []byte(" instrumented_service.go:")) {
		return d.containerd(msg, f)
	}
	return d.kubeletText(strings.TrimRight(msg.text(), "\r\n"))
}

// header is the klog header of an entry, empty for JSON.
func header(e entry) []byte {
	if e.format != klog {
		return nil
	}
	return e.body[:len(e.body)-len(e.message)]
}

// kubelet reads the message and the values of a structured line (kubelet 1.19
// and later, klog text or JSON). It reports whether it knows the message.
func (d *detection) kubelet(msg value, f fields) bool {
	if file := sharedMessages[string(msg.raw)]; file != "" && !d.writtenIn(file) {
		return false
	}
	switch string(msg.raw) {
	case "PullImage from image service failed", "Failed to pull image",
		"Get ImageStatus from image service failed", "ImageStatus from image service failed",
		"Failed to get image status":
		d.imageService(f)
	case "Error syncing pod, skipping":
		d.syncFailed(f)
	case "Unhandled Error":
		err, _ := f.get("err")
		d.startFailed(err)
	case "Container start failed in pod":
		d.containerWaits(f)
	case "Failed to ensure image":
		d.ensureImage(f)
	case "RunPodSandbox from runtime service failed", "Failed to create sandbox for pod",
		"CreatePodSandbox for pod failed":
		d.sandboxFailed(f.text("err"), podField(f), Kubelet)
	case "Event occurred":
		d.eventOccurred(f)
	case "Kubelet version": // v1.21 to v1.37 cmd/kubelet/app/server.go
		d.started(KubeletStarted, Kubelet, f.text("kubeletVersion"))
	case "SyncLoop DELETE", "SyncLoop REMOVE":
		d.podsGone(f)
	case "Unable to retrieve pull secret, the image pull may not succeed.":
		d.credentialProblem("", f.text("err"), podField(f))
	case "Failed to provide credentials for image":
		d.credentialProblem(f.text("image"), f.text("err"), podField(f))
	default:
		if d.entry.format == object { // JSON has unstructured lines as its msg
			return d.kubeletText(msg.text())
		}
		return d.credentialPlugin(msg)
	}
	return true
}

// sharedMessages are those that other programs may write as well, and the file of the
// kubelet that they stand in (pkg/kubelet/kuberuntime, client-go tools/record).
var sharedMessages = map[string]string{
	"Failed to pull image":             "kuberuntime_image.go",
	"Failed to get image status":       "kuberuntime_image.go",
	"Failed to ensure image":           "kuberuntime_manager.go",
	"Container start failed in pod":    "kuberuntime_manager.go",
	"Failed to create sandbox for pod": "kuberuntime_sandbox.go",
	"CreatePodSandbox for pod failed":  "kuberuntime_manager.go",
	"Event occurred":                   "event.go",
}

// writtenIn reports whether a record of the kubelet names the file of its source code,
// in the header or as caller. Text that people paste need not.
func (d *detection) writtenIn(file string) bool {
	if d.accepts(AnyText) {
		return true
	}
	where := header(d.entry)
	if d.entry.format == object {
		v, _ := d.entry.fields().get("caller")
		where = v.raw
	}
	n := bytes.LastIndexAny(where[:max(0, bytes.LastIndexByte(where, ':'))], " /")
	return starts(where[n+1:], file+":")
}

// imageService reads the failed call of the image service. It names the image
// but no pod.
func (d *detection) imageService(f fields) {
	s := d.signal(PullFailed, Kubelet)
	err, _ := f.get("err")
	s.Image, s.Failure = f.text("image"), d.failureIn(err)
	d.send(s)
}

// podField is the pod of a line: pod="namespace/name", in JSON an object, and
// podUID.
func podField(f fields) Pod {
	v, _ := f.get("pod")
	p := podRef(v)
	p.UID = f.text("podUID")
	return p
}

// podRef reads "namespace/name" or {"name":"…","namespace":"…"}.
func podRef(v value) Pod {
	if v.enc == bare && starts(v.raw, "{") {
		o := fields{rest: v.raw, json: true}
		return Pod{Namespace: o.text("namespace"), Name: o.text("name")}
	}
	namespace, name, found := strings.Cut(v.text(), "/")
	if !found {
		return Pod{Name: namespace}
	}
	return Pod{Namespace: namespace, Name: name}
}

// podsGone reads `"SyncLoop DELETE" source="api" pods=["ns/a","ns/b"]`.
func (d *detection) podsGone(f fields) {
	v, ok := f.get("pods")
	if !ok {
		if p := podField(f); p.Name != "" {
			d.podGone(p)
		}
		return
	}
	if bytes.IndexByte(v.raw, '{') >= 0 {
		for rest := v.raw; len(rest) > 0; {
			n := bytes.IndexByte(rest, '{')
			if n < 0 {
				return
			}
			rest = rest[n:]
			end := closingBracket(rest)
			d.podGone(podRef(value{rest[:end], bare}))
			rest = rest[end:]
		}
		return
	}
	for name := range bytes.FieldsFuncSeq(v.raw, isListMark) {
		d.podGone(podRef(value{name, bare}))
	}
}

func isListMark(r rune) bool {
	return r == '[' || r == ']' || r == '"' || r == ',' || r == ' ' || r == '\\'
}

func (d *detection) podGone(p Pod) {
	if d.full() {
		return
	}
	s := d.signal(PodGone, Kubelet)
	s.Pod = d.cleanPod(p)
	d.sendBare(s)
}

// ensureImage reads the failed pull of an image volume (1.31 and later). The
// error is the reason alone; the runtime's lines tell the rest.
func (d *detection) ensureImage(f fields) {
	s := d.signal(PullFailed, Kubelet)
	s.Pod, s.ContainerKind = podField(f), KindImageVolume
	reason, failure := f.text("err"), ""
	if !imageReason(reason) {
		reason, failure = "", reason
	}
	d.told(&s, reason, failure)
	d.send(s)
}

// containerWaits reads the line on a container that still waits (verbosity 3).
// Until 1.33 it holds the container's whole specification, which must not leave
// the node.
func (d *detection) containerWaits(f fields) {
	reason := f.text("err")
	if !imageReason(reason) {
		return
	}
	s := d.signal(PullFailed, Kubelet)
	s.Pod, s.ContainerKind = podField(f), containerKind(f.text("containerType"))
	if v, _ := f.get("container"); v.enc == quoted {
		s.Container, _ = containerSpec(v.text())
	} else {
		s.Container = fields{rest: v.raw, json: true}.text("name")
	}
	d.raw = clean(string(header(d.entry))+"Container start failed in pod: "+f.text("containerMessage"), maxRaw)
	d.told(&s, reason, f.text("containerMessage"))
	d.send(s)
}

// sandboxFailed emits the failure of a sandbox if it is that of a pull.
func (d *detection) sandboxFailed(failure string, p Pod, program string) {
	if s, ok := d.sandboxFailure(failure, p, program); ok {
		d.send(s)
	}
}

// sandboxFailure is the signal of a sandbox that failed for the pull of its pause
// image: the wrappers of such a chain name the image. Any other failure of a
// sandbox is not for us.
func (d *detection) sandboxFailure(failure string, p Pod, program string) (s Signal, ok bool) {
	f := d.failure(failure)
	if f.Reference == "" {
		return s, false
	}
	s = d.signal(PullFailed, program)
	s.Image, s.Pod, s.ContainerKind, s.Failure = f.Reference, p, KindSandbox, f
	return s, true
}

// credentialPlugin reads the failure of a credential plugin
// (pkg/credentialprovider/plugin/plugin.go, 1.20 to 1.32): "Failed getting
// credential from external registry credential provider: error execing
// credential provider plugin p for image x: …".
func (d *detection) credentialPlugin(msg value) bool {
	const begin = "Failed getting credential from external registry credential provider: "
	if !msg.startsWith(begin) {
		return false
	}
	failure := msg.text()[len(begin):]
	image, _, _ := between(failure, " for image ", ": ")
	d.credentialProblem(image, failure, Pod{})
	return true
}

func (d *detection) credentialProblem(image, failure string, p Pod) {
	s := d.signal(CredentialProblem, Kubelet)
	s.Image, s.Pod = image, p
	if failure != "" {
		s.Failure = d.failure(failure)
	}
	d.send(s)
}
