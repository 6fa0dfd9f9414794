// Package attempt joins what the runtime and the kubelet say about one pull
// into one [Attempt]: hosts tried, error, pods and times. It is pure: time is an
// argument. Start at [Joiner].
package attempt

import (
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// Attribution is how it is known whose pull it was.
type Attribution string

// The values of pullcause.pod.attribution, the surest first.
const (
	ByKubelet   Attribution = "kubelet"   // the kubelet said so
	BySandbox   Attribution = "sandbox"   // the runtime did, in RunPodSandbox
	ByCandidate Attribution = "candidate" // pods of this node that wait for an image
	ByNobody    Attribution = "none"
)

// Pod is one container of one pod that waited for the image.
type Pod struct {
	detect.Pod
	Container string               `json:"container,omitempty"`
	Kind      detect.ContainerKind `json:"kind,omitempty"`
	Reason    string               `json:"reason,omitempty"`
}

// Layer is how far the download of a layer has come.
type Layer struct {
	Digest string
	// Bytes of Size are there; Size is 0 if nobody knows.
	Bytes, Size int64
}

// Attempt is one try to pull an image, whole: all that was said about it.
type Attempt struct {
	// UID is the same for the same lines after any restart or replay.
	UID string
	// Image is the reference as the kubelet gave it, Ref its normalised form
	// ("docker.io/library/nginx:latest"); Ref is empty if Image does not parse.
	Image, Ref string
	// Registry is the host that Ref names ("docker.io"), empty if unknown.
	Registry string
	// Program is who told of the end.
	Program string
	// Start is the first line's time, End the terminal line's; Observed is when
	// the latter was read.
	Start, End, Observed time.Time
	Succeeded            bool
	// BackOff is set when the kubelet only said that it waits: no pull was tried,
	// but the pod is known to wait. Failure repeats the cause if it was told.
	BackOff bool
	// Whole is set when nothing more is to be said about it: the runtime told of the
	// end and the kubelet has had its last word. Else more may come, Late.
	Whole bool
	// Late is set for what was said about an attempt after it had been handed
	// on under the same UID: it adds pods and is no attempt of its own.
	Late bool
	// Failure is the terminal error; nil if it succeeded or nobody told.
	Failure *detect.Failure
	// Stalled is set when the runtime cancelled for lack of progress, or would if it did
	// not wait still; Slow when it is in flight for too long, but goes on.
	Stalled, Slow bool
	// Unfinished is set if it is still in flight, and so Stalled or Slow.
	Unfinished bool
	// Layer is the one that a pull in flight waits for.
	Layer Layer
	// Credential is the credential problem that came before, nil if none.
	Credential *detect.Failure
	// Reason is the kubelet's waiting reason.
	Reason string
	// Hosts that were tried, in order.
	Hosts       []detect.Host
	Pods        []Pod
	Attribution Attribution
	// Bytes that were read, if the runtime told; Duration likewise.
	Bytes    int64
	Duration time.Duration
	// Lines are the raw records, redacted, newline-joined; Truncated if cut.
	Lines     string
	Truncated bool
	// Line is the 1-based number of the first line where lines are counted.
	Line int
	// Spans say where in each source the lines are.
	Spans logtail.Spans
}
