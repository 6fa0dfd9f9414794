package export

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

func TestFromChangeFailed(t *testing.T) {
	c := rateLimited()
	got := FromChange(c, "node-1")
	want := Record{
		Version: 1, UID: c.Attempt.UID, Name: "pullcause.image_pull.failed",
		Time: c.Attempt.End, Observed: c.Attempt.Observed, Severity: "WARN",
		Body: "shop/web-0 app: cannot pull nginx:1.27: 429 Too Many Requests (rate_limited, docker_hub); authenticate pulls or use a mirror",
		Attributes: []Attribute{
			{"event.name", "pullcause.image_pull.failed"},
			{"error.type", "rate_limited"},
			{"pullcause.cause.detail", "docker_hub"},
			{"pullcause.cause.confidence", "certain"},
			{"pullcause.retryable", "later"},
			{"pullcause.remedy", c.Diagnosis.Remedy},
			{"exception.message", c.Attempt.Failure.Text},
			{"log.record.original", c.Attempt.Lines},
			{"log.record.uid", c.Attempt.UID},
			{"http.response.status_code", int64(429)},
			{"http.request.method", "GET"},
			{"url.full", "https://registry-1.docker.io/v2/library/nginx/manifests/1.27"},
			{"server.address", "registry-1.docker.io"},
			{"server.port", int64(443)},
			{"rpc.grpc.status_code", int64(2)},
			{"pullcause.hosts", `[{"host":"mirror.example:5000","role":"mirror","method":"HEAD","status":404,"error":"not found"},` +
				`{"host":"registry-1.docker.io","role":"origin","method":"GET","status":429,"error":"429 Too Many Requests"}]`},
			{"container.image.name", "docker.io/library/nginx"},
			{"container.image.tags", []string{"1.27"}},
			{"pullcause.image.ref", "docker.io/library/nginx:1.27"},
			{"pullcause.image.tag", "1.27"},
			{"k8s.namespace.name", "shop"},
			{"k8s.pod.name", "web-0"},
			{"k8s.pod.uid", "0b8f9d2c-1111-4222-8333-444455556666"},
			{"k8s.container.name", "app"},
			{"k8s.container.status.reason", "ErrImagePull"},
			{"pullcause.pod.attribution", "kubelet"},
			{"pullcause.container.kind", "container"},
			{"pullcause.incident.id", "0011223344556677"},
			{"pullcause.attempt", int64(3)},
			{"pullcause.attempts_since_last", int64(1)},
			{"pullcause.incident.first_seen", "2026-06-12T09:59:00Z"},
			{"pullcause.duration_ms", int64(1500)},
			{"pullcause.bytes_read", int64(4096)},
			{"pullcause.source", "containerd"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestFromChangeKinds(t *testing.T) {
	closed := func(c incident.Change) incident.Change {
		c.Previous = c.Diagnosis
		c.Incident.ClosedAt = c.Incident.FirstSeen.Add(5*time.Minute + 10*time.Second)
		c.Incident.Attempts = 7
		return c
	}
	recovered := closed(rateLimited())
	recovered.Kind, recovered.WhatChanged, recovered.Diagnosis = incident.Recovered, "new_credentials", diagnose.Diagnosis{}
	abandoned := closed(rateLimited())
	abandoned.Kind, abandoned.Attempt, abandoned.Incident.State = incident.Abandoned, nil, incident.StateAbandoned
	changed := rateLimited()
	changed.Kind = incident.CauseChanged
	changed.Previous = diagnose.Diagnosis{Cause: diagnose.DNS, Detail: "nxdomain"}
	never := rateLimited()
	never.Diagnosis.Retry = diagnose.RetryNever

	tests := []struct {
		name           string
		change         incident.Change
		event, level   string
		body           string
		attrs          map[string]any
		absent         []string
		sameUIDAsPlain bool
	}{
		{
			name: "recovered", change: recovered, event: EventRecovered, level: "INFO",
			body: "shop/web-0 app: pulled nginx:1.27 again after 5m10s and 7 failed attempts (rate_limited, docker_hub); what changed: new_credentials",
			attrs: map[string]any{
				ErrorTypeKey: "rate_limited", IncidentDurationKey: int64(310_000), IncidentAttemptsKey: int64(7),
				IncidentWhatChangedKey: "new_credentials",
			},
		},
		{
			name: "abandoned", change: abandoned, event: EventAbandoned, level: "INFO",
			body:   "shop/web-0 app: no one tries to pull nginx:1.27 any more, after 1m2s and 7 failed attempts: 429 Too Many Requests (rate_limited, docker_hub)",
			attrs:  map[string]any{ErrorTypeKey: "rate_limited", IncidentDurationKey: int64(61_500), PodNameKey: "web-0"},
			absent: []string{SourceKey, HostsKey, PodAttributionKey, ExceptionMessageKey},
		},
		{
			name: "cause changed", change: changed, event: EventCauseChanged, level: "WARN",
			body:  "shop/web-0 app: still cannot pull nginx:1.27: 429 Too Many Requests (rate_limited, docker_hub), before: dns; authenticate pulls or use a mirror",
			attrs: map[string]any{PreviousCauseKey: "dns", PreviousDetailKey: "nxdomain"},
		},
		{
			name: "retry never helps", change: never, event: EventFailed, level: "ERROR", sameUIDAsPlain: true,
			body: "shop/web-0 app: cannot pull nginx:1.27: 429 Too Many Requests (rate_limited, docker_hub); authenticate pulls or use a mirror",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := FromChange(tt.change, "node-1")
			if got.Name != tt.event || got.Severity != tt.level || got.Body != tt.body {
				t.Errorf("got %s %s %q\nwant %s %s %q", got.Name, got.Severity, got.Body, tt.event, tt.level, tt.body)
			}
			wantAttributes(t, got, tt.attrs, tt.absent)
			if again := FromChange(tt.change, "node-1"); again.UID != got.UID || got.UID == "" {
				t.Errorf("uid: got %q, then %q", got.UID, again.UID)
			}
			if same := got.UID == rateLimited().Attempt.UID; same != tt.sameUIDAsPlain {
				t.Errorf("uid is that of the failure: %v, want %v", same, tt.sameUIDAsPlain)
			}
			if other := FromChange(tt.change, "node-2"); tt.change.Attempt == nil && other.UID == got.UID {
				t.Error("two nodes share a uid")
			}
		})
	}
}

func wantAttributes(t *testing.T, r Record, want map[string]any, absent []string) {
	t.Helper()
	got := map[string]any{}
	for _, a := range r.Attributes {
		if _, twice := got[a.Key]; twice {
			t.Errorf("attribute %s is there twice", a.Key)
		}
		got[a.Key] = a.Value
	}
	for key, value := range want {
		if diff := cmp.Diff(value, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	for _, key := range absent {
		if value, ok := got[key]; ok {
			t.Errorf("%s: got %v, want none", key, value)
		}
	}
}

func TestImageParts(t *testing.T) {
	tests := []struct {
		image, ref string
		want       map[string]any
		absent     []string
	}{
		{
			image: "nginx", ref: "docker.io/library/nginx:latest",
			want: map[string]any{ImageNameKey: "docker.io/library/nginx", ImageTagKey: "latest", ImageTagsKey: []string{"latest"}, ImageRefKey: "docker.io/library/nginx:latest"},
		},
		{
			image: "r.example:5000/a/b@" + digest40, ref: "r.example:5000/a/b@" + digest40,
			want:   map[string]any{ImageNameKey: "r.example:5000/a/b", ManifestDigestKey: digest40},
			absent: []string{ImageTagKey, ImageTagsKey},
		},
		{
			image: "r.example:5000/a:1@" + digest40, ref: "r.example:5000/a:1@" + digest40,
			want: map[string]any{ImageNameKey: "r.example:5000/a", ImageTagKey: "1", ManifestDigestKey: digest40},
		},
		{
			image: "UPPER/Case:1", ref: "",
			want:   map[string]any{ImageRefKey: "UPPER/Case:1"},
			absent: []string{ImageNameKey, ImageTagKey, ImageTagsKey, ManifestDigestKey},
		},
		{image: "", ref: "", absent: []string{ImageRefKey, ImageNameKey}},
	}
	for _, tt := range tests {
		c := rateLimited()
		c.Incident.Image, c.Incident.Ref = tt.image, tt.ref
		c.Attempt.Image, c.Attempt.Ref = tt.image, tt.ref
		wantAttributes(t, FromChange(c, "n"), tt.want, tt.absent)
	}
}

func TestServer(t *testing.T) {
	tests := []struct {
		name    string
		failure detect.Failure
		want    map[string]any
		absent  []string
	}{
		{
			name:    "port of the URL",
			failure: detect.Failure{URL: "http://r.example:5000/v2/", Peer: "10.0.0.7:5000"},
			want:    map[string]any{ServerAddressKey: "r.example", ServerPortKey: int64(5000), NetworkPeerAddressKey: "10.0.0.7"},
		},
		{
			name:    "IPv6",
			failure: detect.Failure{URL: "https://[fd00::1]:5000/v2/", Peer: "[fd00::1]:5000"},
			want:    map[string]any{ServerAddressKey: "fd00::1", ServerPortKey: int64(5000), NetworkPeerAddressKey: "fd00::1"},
		},
		{
			name:    "name that does not resolve",
			failure: detect.Failure{Lookup: "docker.io", GRPCCode: "Unavailable"},
			want:    map[string]any{ServerAddressKey: "docker.io", DNSQuestionNameKey: "docker.io", GRPCStatusCodeKey: int64(14)},
			absent:  []string{ServerPortKey},
		},
		{
			name:    "no server had a part in it",
			failure: detect.Failure{Text: "no space left on device", GRPCCode: "Bogus"},
			absent:  []string{ServerAddressKey, ServerPortKey, GRPCStatusCodeKey, HTTPStatusKey, URLFullKey},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rateLimited()
			c.Attempt.Failure = &tt.failure
			wantAttributes(t, FromChange(c, "n"), tt.want, tt.absent)
		})
	}
}

func TestSeveralPods(t *testing.T) {
	c := rateLimited()
	other := c.Attempt.Pods[0]
	other.Name, other.UID = "web-1", "1"
	c.Incident.Pods = []attempt.Pod{c.Attempt.Pods[0], other}
	r := FromChange(c, "n")
	want := `[{"namespace":"shop","name":"web-0","uid":"0b8f9d2c-1111-4222-8333-444455556666","container":"app","kind":"container","reason":"ErrImagePull"},` +
		`{"namespace":"shop","name":"web-1","uid":"1","container":"app","kind":"container","reason":"ErrImagePull"}]`
	wantAttributes(t, r, map[string]any{PodsKey: want, PodNameKey: "web-0"}, nil)
	if !strings.HasPrefix(r.Body, "shop/web-0 app and 1 more: cannot pull") {
		t.Errorf("body: got %q", r.Body)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	c := rateLimited()
	c.Attempt.Lines = strings.Repeat("é", MaxOriginal)
	for _, a := range FromChange(c, "n").Attributes {
		s, _ := a.Value.(string)
		if a.Key == LogRecordOriginalKey && (len(s) > MaxOriginal || len(s) < MaxOriginal-8 || !strings.HasSuffix(s, "é…")) {
			t.Errorf("got %d bytes, ending in %q", len(s), s[len(s)-8:])
		}
	}
	wantAttributes(t, FromChange(c, "n"), map[string]any{TruncatedKey: true}, nil)
	wantAttributes(t, FromChange(rateLimited(), "n"), nil, []string{TruncatedKey})
}

func TestDataLoss(t *testing.T) {
	at := time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC)
	loss := logtail.Loss{Source: "file:/var/log/x.log", Reason: logtail.LostRotation, Count: 2, Bytes: 100, Detail: "raise the size limit"}
	r := DataLoss(loss, "node-1", at)
	if want := "lost log data of file:/var/log/x.log: rotation, 2 times, 100 bytes; raise the size limit"; r.Body != want {
		t.Errorf("body: got %q, want %q", r.Body, want)
	}
	if r.Name != EventDataLoss || r.Severity != SeverityWarn || r.UID == "" {
		t.Errorf("got %+v", r)
	}
	wantAttributes(t, r, map[string]any{
		EventNameKey: EventDataLoss, LossReasonKey: "rotation", LossSourceKey: loss.Source,
		LossCountKey: int64(2), LossBytesKey: int64(100), LogRecordUIDKey: r.UID,
	}, nil)
}

// FuzzFromChange: whatever stands in a log, the record keeps its bounds, its
// body is one line and its JSON can be read back.
func FuzzFromChange(f *testing.F) {
	f.Add("nginx:1", "docker.io/library/nginx:1", "429 Too Many Requests", "https://r/v2/", "web-0")
	f.Add("a\x00\x1b[31m<script>\n", "", strings.Repeat("é", 600), "http://[", "\xff\xfe")
	f.Add("x", "@:/@", "\u202eevil", "://", "")
	f.Fuzz(func(t *testing.T, image, ref, text, url, pod string) {
		c := rateLimited()
		c.Incident.Image, c.Attempt.Image, c.Attempt.Ref, c.Attempt.Lines = image, image, ref, text
		c.Attempt.Failure = &detect.Failure{Text: text, Leaf: text, URL: url, GRPCCode: text, Method: image}
		c.Diagnosis.Summary, c.Diagnosis.Remedy = text, text
		c.Attempt.Pods = []attempt.Pod{{Pod: detect.Pod{Name: pod}}, {Pod: detect.Pod{Name: image}}}
		c.Attempt.Hosts = []detect.Host{{Host: image, Error: text}, {Host: pod, Error: text}}
		r := FromChange(c, "n")
		if len(r.Body) > maxBody || strings.ContainsAny(r.Body, "\n\r\x1b\x00\u202e") {
			t.Errorf("body: %.200q", r.Body)
		}
		for _, a := range r.Attributes {
			s, _ := a.Value.(string)
			if len(s) > maxPods || a.Key == LogRecordOriginalKey && len(s) > MaxOriginal {
				t.Errorf("%s: %d bytes", a.Key, len(s))
			}
			if (a.Key == HostsKey || a.Key == PodsKey) && !json.Valid([]byte(s)) {
				t.Errorf("%s: %.200q", a.Key, s)
			}
		}
	})
}
