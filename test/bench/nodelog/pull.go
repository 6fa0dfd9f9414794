package nodelog

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// subject is what the lines about one failed pull share.
type subject struct {
	image string // as the kubelet has it
	ref   string // as containerd normalises it
	host  string // that serves it
	repo  string
	tag   string
	pod   string
	space string
	uid   string
	url   string // of the manifest
	// digest is that of a layer, other a digest that it should not have.
	digest, other string
	zone          *time.Location
}

// newPull makes the pull with the number n.
func newPull(rng *rand.Rand, cfg Config, n int64) *Pull {
	s := newSubject(rng, n)
	s.zone = cfg.Zone
	c := causes[rng.IntN(len(causes))]
	f := c.fail(s)
	p := &Pull{Image: s.image, Tag: s.tag, Cause: c.name, Quiet: rng.Float64() < cfg.Quiet}
	at := time.Duration(20+rng.IntN(400)) * time.Millisecond
	add := func(pause time.Duration, write func([]byte, time.Time) []byte) {
		at += pause
		p.steps = append(p.steps, step{after: at, write: write})
	}
	p.steps = append(p.steps, step{write: s.started})
	if f.hostMsg != "" {
		add(0, func(b []byte, t time.Time) []byte { return s.hostFailed(b, t, f) })
	}
	add(200*time.Microsecond, s.stopped)
	add(100*time.Microsecond, func(b []byte, t time.Time) []byte { return s.pullFailed(b, t, f) })
	if p.Quiet {
		return p
	}
	for _, line := range [...]func(subject, []byte, time.Time, failure) []byte{
		subject.imageService, subject.failedToPull, subject.unhandled, subject.syncing,
	} {
		add(time.Duration(200+rng.IntN(800))*time.Microsecond, func(b []byte, t time.Time) []byte { return line(s, b, t, f) })
	}
	return p
}

func newSubject(rng *rand.Rand, n int64) subject {
	registry, repo := pick(rng, registries), pick(rng, repositories)
	s := subject{
		repo:   repo,
		tag:    "bench-" + strconv.FormatInt(n, 10) + "-" + string(appendHex(nil, rng, 6)),
		pod:    pick(rng, names) + "-" + string(appendHex(nil, rng, 8)),
		space:  pick(rng, namespaces),
		uid:    string(appendUUID(nil, rng)),
		digest: "sha256:" + string(appendHex(nil, rng, 64)),
		other:  "sha256:" + string(appendHex(nil, rng, 64)),
	}
	s.image = registry + repo + ":" + s.tag
	s.host, s.ref = strings.TrimSuffix(registry, "/"), s.image
	if registry == "" {
		s.host, s.ref = "registry-1.docker.io", "docker.io/"+s.image
	}
	s.url = "https://" + s.host + "/v2/" + repo + "/manifests/" + s.tag
	return s
}

// failure is how a pull fails.
type failure struct {
	// hostMsg and hostErr are the resolver's line about the host, if it writes one.
	hostMsg, hostErr string
	// chain is the error, code its gRPC status; empty stands for Unknown, which
	// containerd's own log leaves out.
	chain, code string
}

// containerd is the error as containerd's log has it (errdefs v1.0.0,
// pkg/errgrpc.ToGRPC).
func (f failure) containerd() string {
	if f.code == "" {
		return f.chain
	}
	return "rpc error: code = " + f.code + " desc = " + f.chain
}

// received is the error as the kubelet's gRPC client has it.
func (f failure) received() string {
	if f.code == "" {
		return "rpc error: code = Unknown desc = " + f.chain
	}
	return f.containerd()
}

// started: containerd v2.4.2 internal/cri/instrument/instrumented_service.go.
func (s subject) started(b []byte, at time.Time) []byte {
	return append(logrus(b, at, "info", "PullImage "+strconv.Quote(s.image)), '\n')
}

// hostFailed: containerd v2.4.2 core/remotes/docker/resolver.go.
func (s subject) hostFailed(b []byte, at time.Time, f failure) []byte {
	b = logrus(b, at, "info", f.hostMsg)
	if f.hostErr != "" {
		b = strconv.AppendQuote(append(b, " error="...), f.hostErr)
	}
	b = append(append(b, " host="...), bare(s.host)...)
	b = append(b, " method=HEAD url="...)
	b = strconv.AppendQuote(b, s.url)
	return append(b, '\n')
}

// bare quotes a value where logrus does.
func bare(v string) string {
	if strings.ContainsAny(v, ": ") {
		return strconv.Quote(v)
	}
	return v
}

// stopped: containerd v2.4.2 internal/cri/server/images/image_pull.go.
func (s subject) stopped(b []byte, at time.Time) []byte {
	return append(logrus(b, at, "info", "stop pulling image "+s.ref+": active requests=0, bytes read=4401"), '\n')
}

func (s subject) pullFailed(b []byte, at time.Time, f failure) []byte {
	b = logrus(b, at, "error", "PullImage "+strconv.Quote(s.image)+" failed")
	b = strconv.AppendQuote(append(b, " error="...), f.containerd())
	return append(b, '\n')
}

// imageService: cri-client v0.37.2 pkg/remote_image.go.
func (s subject) imageService(b []byte, at time.Time, f failure) []byte {
	b = klog(b, at.In(s.zone), 'E', "remote_image.go:334", "PullImage from image service failed")
	b = klogValue(b, " err=", f.received())
	return append(strconv.AppendQuote(append(b, " image="...), s.image), '\n')
}

// failedToPull: kubernetes v1.37.2 pkg/kubelet/kuberuntime/kuberuntime_image.go.
// The kubelet takes away what says nothing: code = Unknown.
func (s subject) failedToPull(b []byte, at time.Time, f failure) []byte {
	b = klog(b, at.In(s.zone), 'E', "kuberuntime_image.go:43", "Failed to pull image")
	b = klogValue(b, " err=", f.containerd())
	return append(strconv.AppendQuote(append(b, " image="...), s.image), '\n')
}

// unhandled: kubernetes v1.37.2 pkg/kubelet/kuberuntime/kuberuntime_manager.go.
func (s subject) unhandled(b []byte, at time.Time, f failure) []byte {
	b = klog(b, at.In(s.zone), 'E', "kuberuntime_manager.go:1854", "Unhandled Error")
	b = klogValue(b, " err=", "container app start failed in pod "+s.pod+"_"+s.space+"("+s.uid+"): ErrImagePull: "+f.containerd())
	return append(b, ` logger="UnhandledError"`+"\n"...)
}

// syncing: kubernetes v1.37.2 pkg/kubelet/pod_workers.go.
func (s subject) syncing(b []byte, at time.Time, f failure) []byte {
	b = klog(b, at.In(s.zone), 'E', "pod_workers.go:1338", "Error syncing pod, skipping")
	b = strconv.AppendQuote(append(b, " err="...),
		`failed to "StartContainer" for "app" with ErrImagePull: `+strconv.Quote(f.containerd()))
	b = append(b, ` pod="`+s.space+"/"+s.pod+`" podUID="`+s.uid+`"`...)
	return append(b, '\n')
}

// klogValue appends a value as klog v2 (internal/serialize) does: one of
// several lines stands between =< and >.
func klogValue(b []byte, key, value string) []byte {
	b = append(b, key...)
	if !strings.Contains(value, "\n") {
		return strconv.AppendQuote(b, value)
	}
	b = append(b, "<\n\t"...)
	b = append(b, strings.ReplaceAll(value, "\n", "\n\t")...)
	return append(b, "\n >"...)
}
