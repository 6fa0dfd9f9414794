package export

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

func (a *attributes) diagnosis(c incident.Change, d diagnose.Diagnosis) {
	a.name(ErrorTypeKey, string(d.Cause))
	a.name(CauseDetailKey, d.Detail)
	a.name(CauseConfidenceKey, string(d.Confidence))
	if c.Kind == incident.CauseChanged {
		a.name(PreviousCauseKey, string(c.Previous.Cause))
		a.name(PreviousDetailKey, c.Previous.Detail)
	}
	a.name(RetryableKey, string(d.Retry))
	a.text(RemedyKey, d.Remedy, maxText)
}

// cache adds what the node has of the image.
func (a *attributes) cache(c *diagnose.Cache) {
	if c == nil {
		return
	}
	a.name(CacheVerdictKey, string(c.Verdict()))
	a.add(CachePresentKey, c.Present)
	if len(c.OtherTags) > 0 {
		a.add(CacheOtherTagsKey, clipAll(c.OtherTags, maxName))
	}
	if !c.RemovedAt.IsZero() {
		a.add(CacheRemovedAtKey, c.RemovedAt.UTC().Format(time.RFC3339Nano))
	}
	if len(c.Platforms) > 0 {
		a.add(CachePlatformsKey, clipAll(c.Platforms, maxName))
	}
	if c.AvailableBytes > 0 || c.UsedRatio > 0 { // one of them is where they are known
		a.add(CacheFSAvailableKey, c.AvailableBytes)
		a.add(CacheFSUsedRatioKey, c.UsedRatio)
	}
}

// evidence adds what the attempt's lines said.
func (a *attributes) evidence(c incident.Change, uid string) {
	at := c.Attempt
	if at == nil {
		a.name(LogRecordUIDKey, uid)
		return
	}
	cut := at.Truncated || len(at.Lines) > MaxOriginal
	if at.Failure != nil {
		a.text(ExceptionMessageKey, at.Failure.Text, maxText)
		cut = cut || len(at.Failure.Text) > maxText
	}
	a.text(LogRecordOriginalKey, at.Lines, MaxOriginal)
	if cut {
		a.add(TruncatedKey, true)
	}
	a.name(LogRecordUIDKey, uid)
	if at.Failure != nil {
		a.failure(at.Failure, c.Incident.Registry)
	}
	if at.Unfinished && len(at.Hosts) > 0 {
		u := url.URL{Host: at.Hosts[0].Host}
		a.name(ServerAddressKey, u.Hostname())
		a.nonzero(ServerPortKey, portOf(u.Port(), ""))
	}
	array(a, HostsKey, at.Hosts, maxText)
}

func (a *attributes) failure(f *detect.Failure, registry string) {
	a.nonzero(HTTPStatusKey, int64(f.Status))
	a.name(HTTPMethodKey, f.Method)
	a.name(URLFullKey, f.URL)
	host, port := serverOf(f, registry)
	a.name(ServerAddressKey, host)
	a.nonzero(ServerPortKey, port)
	a.name(DNSQuestionNameKey, f.Lookup)
	a.name(NetworkPeerAddressKey, hostOnly(f.Peer))
	if code, ok := grpcCode(f.GRPCCode); ok {
		a.add(GRPCStatusCodeKey, code)
	}
}

// serverOf is the server that the terminal error came from. An error that
// tells of an answer, a name or a peer, but of no URL, came from the registry.
func serverOf(f *detect.Failure, registry string) (host string, port int64) {
	if u, err := url.Parse(f.URL); err == nil && u.Host != "" {
		return u.Hostname(), portOf(u.Port(), u.Scheme)
	}
	if f.Status == 0 && f.Lookup == "" && f.Peer == "" {
		return "", 0
	}
	u := url.URL{Host: registry}
	return u.Hostname(), portOf(u.Port(), "")
}

func portOf(port, scheme string) int64 {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		return int64(n)
	}
	switch scheme {
	case "https":
		return 443
	case "http":
		return 80
	default:
		return 0
	}
}

func hostOnly(peer string) string {
	if host, _, err := net.SplitHostPort(peer); err == nil {
		return host
	}
	return peer
}

// grpcCode is the number of a gRPC status name. The names are those of Go's
// google.golang.org/grpc/codes, which the runtimes and the kubelet print.
func grpcCode(name string) (int64, bool) {
	names := [...]string{
		"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
		"AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
		"Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss",
		"Unauthenticated",
	}
	for code, n := range names {
		if n == name {
			return int64(code), true
		}
	}
	return 0, false
}

// image adds the parts of the reference. One that does not parse is told as it
// was written, and nothing else of it.
func (a *attributes) image(c incident.Change) {
	image, ref := c.Incident.Image, c.Incident.Ref
	if c.Attempt != nil && c.Attempt.Image != "" {
		image, ref = c.Attempt.Image, c.Attempt.Ref
	}
	if ref == "" {
		a.name(ImageRefKey, image)
		return
	}
	repository, tag, digest := splitRef(ref)
	a.name(ImageNameKey, repository)
	if tag != "" {
		a.add(ImageTagsKey, []string{clip(tag, maxName)})
	}
	a.name(ImageRefKey, ref)
	a.name(ImageTagKey, tag)
	a.name(ManifestDigestKey, digest)
}

// splitRef takes a normalised reference apart, of which it is known that it
// parses: what follows the last colon behind the last slash is the tag.
func splitRef(ref string) (repository, tag, digest string) {
	repository, digest, _ = strings.Cut(ref, "@")
	slash := strings.LastIndexByte(repository, '/')
	if colon := strings.LastIndexByte(repository, ':'); colon > slash {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	return repository, tag, digest
}

// pods adds whose pull it was; where several pods wait, the first and the list.
func (a *attributes) pods(c incident.Change, waiting []attempt.Pod) {
	var first attempt.Pod
	if len(waiting) > 0 {
		first = waiting[0]
	}
	a.name(NamespaceKey, first.Namespace)
	a.name(PodNameKey, first.Name)
	a.name(PodUIDKey, first.UID)
	a.name(ContainerNameKey, first.Container)
	reason := first.Reason
	if c.Attempt != nil && c.Attempt.Reason != "" {
		reason = c.Attempt.Reason
	}
	a.name(ContainerReasonKey, reason)
	if len(waiting) > 1 {
		array(a, PodsKey, waiting, maxPods)
	}
	if c.Attempt != nil {
		a.name(PodAttributionKey, string(c.Attempt.Attribution))
	}
	a.name(ContainerKindKey, string(first.Kind))
}

// podsOf are those of the attempt, then the others that the incident knows.
func podsOf(c incident.Change) []attempt.Pod {
	if c.Attempt == nil || len(c.Attempt.Pods) == 0 {
		return c.Incident.Pods
	}
	pods := c.Attempt.Pods
	if len(c.Incident.Pods) <= len(pods) {
		return pods
	}
	pods = slices.Clip(pods)
	for _, p := range c.Incident.Pods {
		if !hasPod(c.Attempt.Pods, p) {
			pods = append(pods, p)
		}
	}
	return pods
}

func hasPod(pods []attempt.Pod, p attempt.Pod) bool {
	for _, q := range pods {
		same := q.Namespace == p.Namespace && q.Name == p.Name
		if q.UID != "" && p.UID != "" {
			same = q.UID == p.UID
		}
		if same && q.Container == p.Container {
			return true
		}
	}
	return false
}

func (a *attributes) incident(c incident.Change) {
	a.name(IncidentIDKey, c.Incident.ID)
	a.nonzero(AttemptKey, int64(c.Number))
	a.nonzero(AttemptsSinceLastKey, int64(c.Since))
	if !c.Incident.FirstSeen.IsZero() {
		a.add(IncidentFirstSeenKey, c.Incident.FirstSeen.UTC().Format(time.RFC3339Nano))
	}
	if c.Kind == incident.Recovered || c.Kind == incident.Abandoned {
		a.nonzero(IncidentAttemptsKey, int64(c.Incident.Attempts))
		a.nonzero(IncidentDurationKey, c.Incident.Lasted().Milliseconds())
		a.name(IncidentWhatChangedKey, c.WhatChanged)
	}
	if c.Attempt != nil {
		a.nonzero(DurationKey, c.Attempt.Duration.Milliseconds())
		a.nonzero(BytesReadKey, c.Attempt.Bytes)
		a.name(LayerDigestKey, c.Attempt.Layer.Digest)
		a.nonzero(LayerBytesKey, c.Attempt.Layer.Bytes)
		a.nonzero(LayerSizeKey, c.Attempt.Layer.Size)
		a.name(SourceKey, c.Attempt.Program)
	}
}
