// Package detect tells what one log record says about an image pull.
//
// It is pure: text in, signals out. Start at [Detect]. There is one file for
// each writer (containerd.go, kubelet.go, crio.go, dockerd.go, event.go) and
// one grammar for the error chain that all of them carry (failure.go). All text
// that leaves this package has been through redact.
package detect

import (
	"time"

	"pullcause/logtail"
)

// The programs whose lines are understood; the values of pullcause.source.
const (
	Containerd = "containerd"
	Kubelet    = "kubelet"
	CRIO       = "crio"
	Dockerd    = "dockerd"
	Event      = "event" // text of Kubernetes events, as kubectl prints it
	Text       = "text"  // text that is no program's own form
)

// Kind is what a signal reports.
type Kind string

// The kinds of signals.
const (
	// PullStarted: the runtime took up a pull.
	PullStarted Kind = "pull_started"
	// HostFailed: one registry host of possibly several did not deliver. Alone
	// it is no failed pull: the next host may.
	HostFailed Kind = "host_failed"
	// PullProgress: the runtime says how much it has read (Bytes).
	PullProgress Kind = "pull_progress"
	// PullStalled: the runtime cancels a pull that makes no progress.
	PullStalled Kind = "pull_stalled"
	// PullFailed: the runtime or the kubelet says that a pull has failed.
	PullFailed Kind = "pull_failed"
	// PullSucceeded: the image is there.
	PullSucceeded Kind = "pull_succeeded"
	// BackOff: the kubelet waits before it tries again. Failure is set when it
	// repeats the cause (kubelet 1.32 and later).
	BackOff Kind = "back_off"
	// CredentialProblem: a credential plugin or pull secret failed. Alone it is
	// no failed pull, but it explains the one that follows. The pod or image is
	// set if the line names it.
	CredentialProblem Kind = "credential_problem"
	// PodGone: the pod was removed; whoever waited for its image no longer does.
	PodGone Kind = "pod_gone"
	// RuntimeStarted: a process of the runtime has begun; what an earlier one was
	// pulling will not end.
	RuntimeStarted Kind = "runtime_started"
	// KubeletStarted: a kubelet has begun, of the Version that it tells.
	KubeletStarted Kind = "kubelet_started"
)

// Signal is what one record says about one pull. Facts that the record does
// not tell are zero.
type Signal struct {
	Kind    Kind
	Program string
	// Time is when the program wrote the record. Undated is set if the record does not
	// tell: then Time is Observed.
	Time    time.Time
	Undated bool
	// Observed is when the record was read.
	Observed time.Time
	// Pos and End span the record in its source; Line is the 1-based number of its
	// first line where lines are counted (explain).
	Pos, End logtail.Position
	Line     int

	// Image is the reference as the program wrote it.
	Image string
	// Failure is the parsed error, nil where none was told.
	Failure *Failure
	// Host is the outcome at one registry host (HostFailed).
	Host Host

	Pod           Pod
	Container     string
	ContainerKind ContainerKind
	// Reason is the kubelet's word for the container's state: ErrImagePull,
	// ImagePullBackOff, InvalidImageName, ErrImageNeverPull …
	Reason string
	// RequestID ties the lines of one request together where the program writes
	// one (CRI-O's id, containerd's trace_id).
	RequestID string
	// Bytes were read by the pull; Duration is how long it took.
	Bytes    int64
	Duration time.Duration
	// Version of the program that started.
	Version string
	// Raw is the record's text, redacted, at most half of [MaxRaw] in bytes.
	Raw string
}

// Spans is where the record is in its source; empty where that is not known.
func (s *Signal) Spans() logtail.Spans {
	if s.Pos.Source == "" {
		return nil
	}
	return logtail.Spans{{First: s.Pos, Last: s.End}}
}

// MaxRaw bounds the texts of the records that report one failure together, in bytes.
const MaxRaw = 16 << 10

// Pod names a pod. UID may be known without the name and the other way round.
type Pod struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid,omitempty"`
}

// ContainerKind is the role of the container whose image was pulled.
type ContainerKind string

// The kinds of containers; the values of pullcause.container.kind.
const (
	KindContainer   ContainerKind = "container"
	KindInit        ContainerKind = "init"
	KindEphemeral   ContainerKind = "ephemeral"
	KindSandbox     ContainerKind = "sandbox" // the pause image
	KindImageVolume ContainerKind = "image_volume"
)

// Role is the part a host plays in a pull.
type Role string

// The roles of hosts. Empty means that nobody said.
const (
	RoleMirror Role = "mirror"
	RoleOrigin Role = "origin"
	RoleToken  Role = "token"
)

// Host is the outcome at one registry host, in the shape of pullcause.hosts.
type Host struct {
	Host   string `json:"host"`
	Role   Role   `json:"role,omitempty"`
	Method string `json:"method,omitempty"`
	URL    string `json:"url,omitempty"`
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
}
