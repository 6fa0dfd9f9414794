package detect

import "strings"

// kubeletText reads an unstructured line of the kubelet: nearly all of them up
// to 1.18, some until 1.30. It reports whether it knows the line.
func (d *detection) kubeletText(text string) bool {
	switch {
	case strings.HasPrefix(text, "Error syncing pod"):
		d.syncText(text, Pod{}, Kubelet)
	case strings.HasPrefix(text, "Event("):
		d.eventObject(text)
	case strings.HasPrefix(text, "SyncLoop (DELETE, "), strings.HasPrefix(text, "SyncLoop (REMOVE, "):
		d.podsGoneText(text)
	case strings.Contains(text, startFailedMark):
		return d.startFailedText(text)
	case startsWithKind(text, " start failed: "):
		d.startFailedNoPod(text)
	case strings.HasPrefix(text, "Failed getting credential "):
		return d.credentialPlugin(value{raw: []byte(text)})
	case strings.HasPrefix(text, "Unable to retrieve pull secret "):
		d.pullSecretText(text)
	default:
		return d.imageServiceText(text) || d.sandboxText(text) || d.dockerPullText(text)
	}
	return true
}

// syncText reads `Error syncing pod uid ("name_namespace(uid)"), skipping: …`,
// `Error syncing pod uid, skipping: …` and `Error syncing pod, skipping: …`.
func (d *detection) syncText(text string, p Pod, program string) {
	subject, errs, found := strings.Cut(text, "skipping: ")
	if !found {
		return
	}
	if uid, found := strings.CutPrefix(subject, "Error syncing pod "); found {
		uid, quoted, _ := strings.Cut(uid, "(")
		name, _, _ := cutQuoted(quoted)
		p = p.or(Pod{UID: strings.TrimRight(uid, ", ")}).or(fullPodName(name))
	}
	d.syncErrors(errs, p, program)
}

// imageServiceText reads `PullImage "x" from image service failed: …`,
// `ImageStatus "x" from image service failed: …`, `Pull image "x" failed: …`.
func (d *detection) imageServiceText(text string) bool {
	for _, begin := range [...]string{"PullImage ", "ImageStatus ", "Pull image "} {
		rest, found := strings.CutPrefix(text, begin)
		if !found || begin == "Pull image " && !d.writtenIn("kuberuntime_image.go") {
			continue
		}
		image, rest, quoted := cutQuoted(rest)
		rest, failed := strings.CutPrefix(strings.TrimPrefix(rest, " from image service"), " failed: ")
		if !quoted || !failed {
			return false
		}
		s := d.signal(PullFailed, Kubelet)
		s.Image, s.Failure = image, d.failure(rest)
		d.send(s)
		return true
	}
	return false
}

// sandboxText reads "RunPodSandbox from runtime service failed: …",
// `CreatePodSandbox for pod "name_namespace(uid)" failed: …` and, of 1.5 and
// before, `Failed to create pod infra container: …; Skipping pod "name_namespace"`,
// with ": " and a message since 1.2 (pkg/kubelet/dockertools/docker_manager.go).
func (d *detection) sandboxText(text string) bool {
	const infra = "Failed to create pod infra container: "
	if failure, found := strings.CutPrefix(text, infra); found {
		failure, skipped, _ := strings.Cut(failure, "; Skipping pod ")
		name, message, _ := cutQuoted(skipped)
		d.infraFailed(failure, strings.TrimPrefix(message, ": "), fullPodName(name))
		return true
	}
	if failure, found := strings.CutPrefix(text, "RunPodSandbox from runtime service failed: "); found {
		d.sandboxFailed(failure, Pod{}, Kubelet)
		return true
	}
	for _, begin := range [...]string{"CreatePodSandbox for pod ", "createPodSandbox for pod "} {
		if rest, found := strings.CutPrefix(text, begin); found {
			name, failure, _ := cutQuoted(rest)
			d.sandboxFailed(strings.TrimPrefix(failure, " failed: "), fullPodName(name), Kubelet)
			return true
		}
	}
	return false
}

// infraFailed takes the failure of a pause container if docker lacked its image:
// an error, or the reason, with the message behind the pod.
func (d *detection) infraFailed(failure, message string, p Pod) {
	s, ok := d.sandboxFailure(failure, p, Kubelet)
	switch {
	case ok:
	case imageReason(failure):
		s = d.signal(PullFailed, Kubelet)
		s.Pod, s.ContainerKind = p, KindSandbox
		d.told(&s, failure, message)
	case strings.HasPrefix(failure, "no such image"):
		s = d.signal(PullFailed, Kubelet)
		s.Pod, s.ContainerKind, s.Failure = p, KindSandbox, d.failure(failure)
	default:
		return
	}
	d.send(s)
}

// dockerPullText reads `Failed to pull image "x" from pod "name_namespace" and
// container "app": …` (1.1 and before, pkg/kubelet/dockertools/manager.go) and, of
// 0.x, "Failed to pull image x: …; skipping pod name.namespace.source container
// app." (pkg/kubelet/kubelet.go).
func (d *detection) dockerPullText(text string) bool {
	text, found := strings.CutPrefix(text, "Failed to pull image ")
	if !found {
		return false
	}
	s := d.signal(PullFailed, Kubelet)
	var failure, rest string
	s.Image, failure = cutImage(text)
	if rest, found = strings.CutPrefix(failure, " from pod "); found {
		pod, rest, _ := cutQuoted(rest)
		s.Pod = fullPodName(pod)
		s.Container, rest, _ = cutQuoted(strings.TrimPrefix(rest, " and container "))
		failure = strings.TrimPrefix(rest, ": ")
	} else if failure, rest, found = strings.Cut(failure, "; skipping pod "); found {
		pod, name, _ := strings.Cut(rest, " container ")
		s.Pod, s.Container = dottedPodName(pod), strings.TrimSuffix(name, ".")
	}
	if !found {
		return false
	}
	s.Failure = d.failure(failure)
	d.send(s)
	return true
}

// dottedPodName reads "name.namespace.source"; only the name may hold more dots.
func dottedPodName(s string) Pod {
	name, _, found := cutLast(s, ".")
	if !found {
		return Pod{}
	}
	name, namespace, _ := cutLast(name, ".")
	return Pod{Namespace: namespace, Name: name}
}

// startFailedNoPod reads "container start failed: ErrImagePull: …" and "init
// container start failed: …" (1.19 and before).
func (d *detection) startFailedNoPod(text string) {
	subject, rest, _ := strings.Cut(text, " start failed: ")
	reason, message, _ := strings.Cut(rest, ": ")
	if !imageReason(reason) {
		return
	}
	s := d.signal(PullFailed, Kubelet)
	s.ContainerKind = containerKind(subject)
	d.told(&s, reason, message)
	d.send(s)
}

// startsWithKind reports whether a kind of container and then the words begin a text.
func startsWithKind(text, words string) bool {
	for _, k := range containerKinds {
		if rest, found := strings.CutPrefix(text, k.word); found && strings.HasPrefix(rest, words) {
			return true
		}
	}
	return false
}

// pullSecretText reads "Unable to retrieve pull secret ns/secret for ns/pod due
// to <error>.  The image pull may not succeed." (1.18 and before).
func (d *detection) pullSecretText(text string) {
	pod, rest, found := between(text, " for ", " due to ")
	if !found {
		return
	}
	failure, _, _ := strings.Cut(rest, ".  The image pull")
	d.credentialProblem("", failure, podRef(value{raw: []byte(pod)}))
}

// podsGoneText reads `SyncLoop (DELETE, "api"): "a_ns(uid), b_ns(uid)"`.
func (d *detection) podsGoneText(text string) {
	_, list, found := strings.Cut(text, "): ")
	if !found {
		return
	}
	names, _, _ := cutQuoted(list)
	for name := range strings.SplitSeq(names, ", ") {
		if p := fullPodName(name); p.Name != "" {
			d.podGone(p)
		}
	}
}
