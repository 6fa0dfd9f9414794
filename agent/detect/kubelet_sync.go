package detect

import (
	"bytes"
	"slices"
	"strings"
)

// syncFailed reads "Error syncing pod, skipping", the kubelet's last word on a
// try to bring a pod up. It may speak of several containers, and mostly is not
// about images at all: that is found out before anything is decoded.
func (d *detection) syncFailed(f fields) {
	err, _ := f.get("err")
	if !bytes.Contains(err.raw, []byte("mage")) && !bytes.Contains(err.raw, []byte("docker://")) {
		return
	}
	d.syncErrors(err.text(), podField(f), Kubelet)
}

// syncErrors emits a signal for each container of a pod that failed for its
// image. The text is what PodSyncResult.Error joins
// (pkg/kubelet/container/sync_result.go): `failed to "StartContainer" for "app"
// with ErrImagePull: "…"`, several of them as "[…, …]".
func (d *detection) syncErrors(text string, p Pod, program string) {
	for text != "" {
		e, rest, ok := cutSyncError(text)
		if !ok {
			return
		}
		text = rest
		d.syncError(e, p, program)
	}
}

// syncError is what became of one action on a pod.
type syncError struct {
	action, target, reason, message string
}

// cutSyncError takes the first error off the front of text.
func cutSyncError(text string) (e syncError, rest string, ok bool) {
	n := strings.Index(text, `failed to "`)
	if n < 0 {
		return e, "", false
	}
	e.action, text, _ = cutQuoted(text[n+len("failed to "):])
	text, found := strings.CutPrefix(text, " for ")
	if !found {
		return e, text, true
	}
	e.target, text, _ = cutQuoted(text)
	text, found = strings.CutPrefix(text, " with ")
	if !found {
		return e, text, true
	}
	if n = strings.Index(text, `: "`); n < 0 {
		e.reason = text
		return e, "", true
	}
	e.reason = text[:n]
	e.message, text, _ = cutQuoted(text[n+2:])
	return e, text, true
}

func (d *detection) syncError(e syncError, p Pod, program string) {
	switch e.action {
	case "StartContainer", "InitContainer":
	case "CreatePodSandbox":
		d.sandboxFailed(e.message, p.or(fullPodName(e.target)), program)
		return
	default:
		return
	}
	reason := e.reason
	if !imageReason(reason) {
		if !aboutCredentials(e) {
			return
		}
		reason = ""
	}
	if d.full() {
		return
	}
	s := d.signal(PullFailed, program)
	s.Pod, s.Container = p, e.target
	d.told(&s, reason, e.message)
	d.send(s)
}

// aboutCredentials reports whether the kubelet puts the error of looking up
// credentials where the reason belongs (image_manager.go, 1.33 and later).
func aboutCredentials(e syncError) bool {
	return e.reason == e.message && strings.Contains(e.reason, " ") &&
		(strings.Contains(e.reason, "image") || strings.Contains(e.reason, "credential"))
}

// or fills in what the pod lacks.
func (p Pod) or(other Pod) Pod {
	if p.Name == "" {
		p.Namespace, p.Name = other.Namespace, other.Name
	}
	if p.UID == "" {
		p.UID = other.UID
	}
	return p
}

// fullPodName reads "name_namespace(uid)", "name_namespace".
func fullPodName(s string) Pod {
	name, rest, found := strings.Cut(s, "_")
	if !found {
		return Pod{}
	}
	namespace, uid, _ := strings.Cut(rest, "(")
	return Pod{Namespace: namespace, Name: name, UID: strings.TrimSuffix(uid, ")")}
}

// startFailedMark stands between the container and its pod.
const startFailedMark = " start failed in pod "

// startFailed reads "container app start failed in pod web-0_default(uid):
// ErrImagePull: …" (1.34 and later); until 1.33 the container's whole
// specification stood for its name.
func (d *detection) startFailed(err value) {
	if !bytes.Contains(err.raw, []byte(startFailedMark)) {
		return
	}
	d.startFailedText(err.text())
}

// startFailedText reports whether the text is of this form. The kind of the container
// stands first; only where its specification was cut off is it missing.
func (d *detection) startFailedText(text string) bool {
	subject, rest, found := strings.Cut(text, startFailedMark)
	kind, spec := cutContainerKind(subject)
	if !found || kind == "" && !strings.HasSuffix(subject, "}") && !d.accepts(AnyText) {
		return false
	}
	pod, rest, _ := strings.Cut(rest, ": ")
	reason, message, _ := strings.Cut(rest, ": ")
	if !imageReason(reason) {
		return true
	}
	s := d.signal(PullFailed, Kubelet)
	s.Pod = fullPodName(pod)
	s.ContainerKind = kind
	var image string
	s.Container, image = containerSpec(spec)
	d.told(&s, reason, message)
	if s.Image == "" {
		s.Image = image
	}
	d.send(s)
	return true
}

// containerKinds are the kubelet's words for them.
var containerKinds = [...]struct {
	word string
	kind ContainerKind
}{
	{"init container", KindInit}, {"ephemeral container", KindEphemeral}, {"container", KindContainer},
}

func containerKind(word string) ContainerKind {
	for _, k := range containerKinds {
		if k.word == word {
			return k.kind
		}
	}
	return ""
}

func cutContainerKind(subject string) (ContainerKind, string) {
	for _, k := range containerKinds {
		if rest, found := strings.CutPrefix(subject, k.word+" "); found {
			return k.kind, rest
		}
	}
	return "", ""
}

// containerSpec reads the name, and the image if there is one, out of
// "&Container{Name:app,Image:r/x:1,Command:[],…}"; anything else is a name.
func containerSpec(s string) (name, image string) {
	spec, found := strings.CutPrefix(s, "&Container{Name:")
	if !found {
		return s, ""
	}
	name, rest, found := strings.Cut(spec, ",Image:")
	if !found {
		return name, ""
	}
	image, _, _ = strings.Cut(rest, ",Command:")
	return name, image
}

// withoutSpec leaves of a container's specification its name and image only:
// its arguments and environment hold what must not leave the node.
func withoutSpec(record []byte) []byte {
	mark := []byte(startFailedMark)
	if !bytes.Contains(record, mark) { // LastIndex is slow
		return record
	}
	end := bytes.LastIndex(record, mark)
	begin := bytes.Index(record[:end], []byte("Container{Name:"))
	if begin < 0 {
		if klogHeader(record) > 0 || !bytes.HasSuffix(record[:end], []byte("}")) {
			return record
		}
		return append([]byte("…}"), record[end:]...) // the last line of a specification of several
	}
	keep := bytes.Index(record[begin:end], []byte(",Command:"))
	if keep < 0 {
		return slices.Concat(record[:begin], []byte("Container{…}"), record[end:])
	}
	return slices.Concat(record[:begin+keep], []byte(",…}"), record[end:])
}
