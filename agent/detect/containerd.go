package detect

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// containerd reads what the CRI plugin and the resolver of containerd write at
// the default level: 1.6 and 1.7 (pkg/cri, remotes/docker), 2.0 to 2.4
// (internal/cri/instrument/instrumented_service.go,
// internal/cri/server/images/image_pull.go, core/remotes/docker/resolver.go).
// It reports whether the message is one of theirs.
func (d *detection) containerd(msg value, f fields) bool {
	switch {
	case msg.startsWith("PullImage "):
		d.pullImage(msg.text(), f)
	case msg.startsWith("stop pulling image "):
		d.pullProgress(msg.text())
	case msg.startsWith("cancel pulling image "):
		d.pullStalled(msg.text(), f)
	case msg.startsWith("Pulled image "):
		d.pulledImage(msg.text())
	case isHostMessage(msg):
		d.hostFailed(msg.text(), f)
	case msg.startsWith("RunPodSandbox for "):
		d.runPodSandbox(msg, f)
	case string(msg.raw) == "starting containerd":
		version := f.text("version")
		if version == "" {
			return false
		}
		d.started(RuntimeStarted, Containerd, version)
	default:
		return false
	}
	return true
}

// pullImage reads `PullImage "x"`, alone when it starts, with "failed" and an
// error, or with "returns image reference". cri-containerd 1.0 put the error
// into the message.
func (d *detection) pullImage(msg string, f fields) {
	image, rest, ok := cutQuoted(msg[len("PullImage "):])
	if !ok {
		return
	}
	switch {
	case rest == "":
		d.pull(PullStarted, image, f)
	case strings.HasPrefix(rest, " returns image reference"):
		d.pull(PullSucceeded, image, f)
	case strings.HasPrefix(rest, " failed"):
		s := d.signal(PullFailed, Containerd)
		s.Image, s.RequestID = image, f.text("trace_id")
		if s.Failure = d.inlineError(rest, f); s.Failure == nil && !d.accepts(AnyText) {
			return
		}
		d.send(s)
	}
}

// started notes the first line of a program: containerd's `starting containerd`
// (v1.6 to v2.4 cmd/containerd/command/main.go), CRI-O's, the kubelet's.
func (d *detection) started(kind Kind, program, version string) {
	s := d.signal(kind, program)
	s.Version = d.clean(version, maxName)
	d.sendBare(s)
}

func (d *detection) pull(kind Kind, image string, f fields) {
	s := d.signal(kind, Containerd)
	s.Image, s.RequestID = image, d.clean(f.text("trace_id"), maxName)
	d.sendBare(s)
}

// inlineError is the error of a record: its field, or behind ", error: " in
// the message. nil if neither is there.
func (d *detection) inlineError(msg string, f fields) *Failure {
	if v, ok := f.get("error"); ok {
		return d.failureIn(v)
	}
	if _, text, found := strings.Cut(msg, "error: "); found {
		return d.failure(text)
	}
	return nil
}

// pullProgress reads "stop pulling image x: active requests=0, bytes read=66",
// which ends every pull since 1.7, whatever became of it.
func (d *detection) pullProgress(msg string) {
	msg = msg[len("stop pulling image "):]
	n := strings.LastIndex(msg, ": active requests=")
	if n < 0 {
		return
	}
	s := d.signal(PullProgress, Containerd)
	s.Image = msg[:n]
	_, read, _ := strings.Cut(msg[n:], "bytes read=")
	s.Bytes, _ = strconv.ParseInt(strings.TrimSpace(read), 10, 64) //nolint:errcheck // 0 if it does not say
	d.sendBare(s)
}

// pulledImage reads `Pulled image "x" with image id "…", …, size "1" in 2s`.
// PullImage tells of the success; this one adds how long it took.
func (d *detection) pulledImage(msg string) {
	image, rest, ok := cutQuoted(msg[len("Pulled image "):])
	n := strings.LastIndex(rest, " in ")
	if !ok || n < 0 {
		return
	}
	took, err := time.ParseDuration(rest[n+len(" in "):])
	if err != nil {
		return
	}
	s := d.signal(PullProgress, Containerd)
	s.Image, s.Duration = image, took
	d.sendBare(s)
}

func (d *detection) pullStalled(msg string, f fields) {
	msg = msg[len("cancel pulling image "):]
	image, after, ok := strings.Cut(msg, " because of no progress in ")
	if !ok {
		return
	}
	s := d.signal(PullStalled, Containerd)
	s.Image, s.RequestID = image, f.text("trace_id")
	s.Duration, _ = time.ParseDuration(after) //nolint:errcheck // 0 if it does not say
	d.send(s)
}

// isHostMessage reports whether a message is one of the resolver's.
func isHostMessage(msg value) bool {
	for _, begin := range [...]string{"trying next host", "fetch failed"} {
		if msg.startsWith(begin) {
			rest := msg.raw[len(begin):]
			return len(rest) == 0 || starts(rest, " after status: ") || starts(rest, " - response was ")
		}
	}
	return false
}

// hostFailed reads the resolver's lines: "trying next host", "fetch failed"
// (2.0 and later, the last host), with the error as a field, or with the status
// behind " after status: "; in 1.x "response was http.StatusNotFound" was the
// only status told. 2.3 added method and url.
func (d *detection) hostFailed(msg string, f fields) {
	s := d.signal(HostFailed, Containerd)
	h := Host{Host: f.text("host"), Method: f.text("method"), URL: f.text("url")}
	if h.Host == "" && h.URL == "" {
		return // the fetcher's debug line: it names no host
	}
	if _, status, found := strings.Cut(msg, " after status: "); found {
		h.Error = status
		code, _, _ := strings.Cut(status, " ")
		h.Status, _ = strconv.Atoi(code) //nolint:errcheck // 0 if it is none
	}
	if strings.HasSuffix(msg, "http.StatusNotFound") {
		h.Status, h.Error = 404, "404 Not Found"
	}
	if v, ok := f.get("error"); ok {
		s.Failure = d.failureIn(v)
		h = h.with(s.Failure)
	}
	s.Host, s.RequestID = h.withRole(), f.text("trace_id")
	d.send(s)
}

// with fills in what the error at a host tells.
func (h Host) with(f *Failure) Host {
	h.Error = f.Leaf
	if h.Status == 0 {
		h.Status = f.Status
	}
	if h.URL == "" {
		h.URL, h.Method = f.URL, f.Method
	}
	return h
}

// withRole completes a host by its URL: containerd adds the query "ns" when it
// asks a mirror in the name of another registry.
func (h Host) withRole() Host {
	u, err := url.Parse(h.URL)
	if err != nil || h.URL == "" {
		return h
	}
	if h.Host == "" {
		h.Host = u.Host
	}
	if u.Query().Get("ns") != "" {
		h.Role = RoleMirror
	}
	return h
}

// runPodSandbox reads "RunPodSandbox for <metadata> failed, error": the pull of
// the pause image does not print the PullImage lines, but its failure names
// the pod.
func (d *detection) runPodSandbox(msg value, f fields) {
	if !bytes.Contains(msg.raw, []byte(" failed, error")) {
		return
	}
	metadata, rest, _ := strings.Cut(strings.TrimPrefix(msg.text(), "RunPodSandbox for "), " failed, error")
	if !strings.HasPrefix(metadata, "&PodSandboxMetadata{") && !strings.HasPrefix(metadata, "name:") {
		return
	}
	failure := f.text("error")
	if failure == "" {
		failure = strings.TrimPrefix(rest, ": ")
	}
	s, ok := d.sandboxFailure(failure, sandboxPod(metadata), Containerd)
	if ok {
		s.RequestID = f.text("trace_id")
		d.send(s)
	}
}

// sandboxPod reads the metadata of a sandbox as gogo prints it
// ("&PodSandboxMetadata{Name:web-0,Uid:…,Namespace:…,Attempt:0,}", cri-api up
// to 0.33) or as protobuf does (`name:"web-0"  uid:"…"`, 0.34 and later).
func sandboxPod(metadata string) Pod {
	if _, list, ok := strings.Cut(metadata, "{"); ok && strings.HasPrefix(metadata, "&") {
		var p Pod
		for field := range strings.SplitSeq(list, ",") {
			key, v, _ := strings.Cut(field, ":")
			p.set(key, v)
		}
		return p
	}
	var p Pod
	for metadata = strings.TrimLeft(metadata, " "); metadata != ""; metadata = strings.TrimLeft(metadata, " ") {
		key, rest, found := strings.Cut(metadata, ":")
		if !found {
			break
		}
		v, after, ok := cutQuoted(rest)
		if !ok {
			v, after, _ = strings.Cut(rest, " ")
		}
		p.set(key, v)
		metadata = after
	}
	return p
}

func (p *Pod) set(key, v string) {
	switch key {
	case "Name", "name":
		p.Name = v
	case "Uid", "uid":
		p.UID = v
	case "Namespace", "namespace":
		p.Namespace = v
	}
}
