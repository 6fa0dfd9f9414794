package debug

import (
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// Diagnosis is a diagnosis in JSON.
type Diagnosis struct {
	Cause      diagnose.Cause      `json:"cause"`
	Detail     string              `json:"detail,omitempty"`
	Confidence diagnose.Confidence `json:"confidence"`
	Retryable  diagnose.Retry      `json:"retryable"`
	Owner      string              `json:"owner,omitempty"`
	Summary    string              `json:"summary,omitempty"`
	Remedy     string              `json:"remedy,omitempty"`
	Cache      *cacheView          `json:"cache,omitempty"`
}

// cacheView is what the node has of the image, and what follows.
type cacheView struct {
	Verdict diagnose.CacheVerdict `json:"verdict,omitempty"` // empty if nothing follows
	diagnose.Cache
}

// Attempt is one failed attempt in JSON. Facts that are not known are left out;
// the lists are always there.
type Attempt struct {
	// Number is the attempt's place in the order in which attempts were diagnosed.
	Number int64  `json:"-"`
	UID    string `json:"uid"`
	// Incident is the id of the one that it belongs to; empty if there is none.
	Incident string `json:"incident,omitempty"`
	// Time is when the runtime or the kubelet told of the end.
	Time     time.Time `json:"time"`
	Source   string    `json:"source,omitempty"` // who told: containerd, kubelet, crio, dockerd
	Image    string    `json:"image,omitempty"`
	Ref      string    `json:"ref,omitempty"`
	Registry string    `json:"registry,omitempty"`
	Diagnosis
	HTTPStatus int    `json:"http_status,omitempty"`
	GRPCCode   string `json:"grpc_code,omitempty"`
	Error      string `json:"error,omitempty"`
	// BackOff is set where the kubelet only said that it waits.
	BackOff     bool                `json:"back_off,omitempty"`
	Reason      string              `json:"reason,omitempty"` // the kubelet's waiting reason
	Hosts       []detect.Host       `json:"hosts"`
	Pods        []attempt.Pod       `json:"pods"`
	Attribution attempt.Attribution `json:"attribution,omitempty"`
	DurationMS  int64               `json:"duration_ms,omitempty"`
	BytesRead   int64               `json:"bytes_read,omitempty"`
	// Lines are the raw log lines, redacted and newline-joined.
	Lines     string `json:"lines,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

// View makes the JSON form of a failed attempt, its diagnosis and the id of its incident.
func View(a attempt.Attempt, d diagnose.Diagnosis, incident string) Attempt {
	v := Attempt{
		UID: a.UID, Incident: incident, Time: a.End.UTC(), Source: a.Program,
		Image: a.Image, Ref: a.Ref, Registry: a.Registry,
		Diagnosis: diagnosis(d),
		BackOff:   a.BackOff, Reason: a.Reason,
		Hosts:       append([]detect.Host{}, a.Hosts...),
		Pods:        append([]attempt.Pod{}, a.Pods...),
		Attribution: a.Attribution,
		DurationMS:  a.Duration.Milliseconds(), BytesRead: a.Bytes,
		Lines: a.Lines, Truncated: a.Truncated,
	}
	if a.Failure != nil {
		v.HTTPStatus, v.GRPCCode, v.Error = a.Failure.Status, a.Failure.GRPCCode, a.Failure.Text
	}
	return v
}

func diagnosis(d diagnose.Diagnosis) Diagnosis {
	return Diagnosis{
		Cause: d.Cause, Detail: d.Detail, Confidence: d.Confidence, Retryable: d.Retry,
		Owner: d.Owner, Summary: d.Summary, Remedy: d.Remedy, Cache: viewCache(d.Cache),
	}
}

func viewCache(c *diagnose.Cache) *cacheView {
	if c == nil {
		return nil
	}
	return &cacheView{c.Verdict(), *c}
}

// incidentView is an incident in JSON.
type incidentView struct {
	ID        string         `json:"id"`
	Image     string         `json:"image,omitempty"`
	Ref       string         `json:"ref,omitempty"`
	Registry  string         `json:"registry,omitempty"`
	State     incident.State `json:"state"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	ClosedAt  time.Time      `json:"closed_at,omitzero"`
	Attempts  int            `json:"attempts"`
	Diagnosis
	// HTTPStatus is that of the newest attempt, while that is remembered.
	HTTPStatus  int           `json:"http_status,omitempty"`
	LastError   string        `json:"last_error,omitempty"`
	Pods        []attempt.Pod `json:"pods"`
	PodsDropped int           `json:"pods_dropped,omitempty"`

	place incident.Place
}

func viewIncident(i *Incident) incidentView {
	return incidentView{
		ID: i.ID, Image: i.Image, Ref: i.Ref, Registry: i.Registry, State: i.State,
		FirstSeen: i.FirstSeen.UTC(), LastSeen: i.LastSeen.UTC(), ClosedAt: i.ClosedAt.UTC(),
		Attempts: i.Attempts, Diagnosis: diagnosis(i.Diagnosis), HTTPStatus: i.HTTPStatus,
		LastError: i.LastError, Pods: append([]attempt.Pod{}, i.Pods...), PodsDropped: i.PodsDropped,
		place: i.Place(),
	}
}
