package otlp_test

import (
	"fmt"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/agent/incident"
)

// record is the record of one failed pull; i makes it another one.
func record(i int) export.Record {
	at := time.Date(2026, 6, 12, 10, 0, 0, i, time.UTC)
	image := fmt.Sprintf("registry.example/team/web:1.%d", i)
	text := fmt.Sprintf(`failed to pull and unpack image %q: failed to resolve reference %q: unexpected status from HEAD request to `+
		`https://registry.example/v2/team/web/manifests/1.%d: 503 Service Unavailable`, image, image, i)
	d := diagnose.Diagnosis{
		Cause: diagnose.RegistryUnavailable, Detail: "503", Confidence: diagnose.Certain, Retry: diagnose.RetryYes,
		Summary: "503 Service Unavailable", Remedy: "Wait, or ask who runs registry.example.",
	}
	a := &attempt.Attempt{
		UID: fmt.Sprintf("%032x", i), Image: image, Ref: image, Program: detect.Containerd, Start: at, End: at, Observed: at,
		Failure: &detect.Failure{
			Text: text, GRPCCode: "Unavailable", Method: "HEAD", Status: 503,
			URL: fmt.Sprintf("https://registry.example/v2/team/web/manifests/1.%d", i),
		},
		Hosts: []detect.Host{{Host: "registry.example", Role: detect.RoleOrigin, Method: "HEAD", Status: 503, Error: "503 Service Unavailable"}},
		Pods: []attempt.Pod{{
			Pod:       detect.Pod{Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: fmt.Sprintf("%08x-1111-4222-8333-444455556666", i)},
			Container: "app", Kind: detect.KindContainer,
		}},
		Attribution: attempt.ByKubelet,
		Reason:      "ErrImagePull",
		Lines: fmt.Sprintf("time=%q level=error msg=%q error=%q\nE0612 10:00:01.501 1 log.go:32] \"PullImage from image service failed\" err=%q image=%q",
			at.Format(time.RFC3339Nano), "PullImage failed", text, text, image),
	}
	return export.FromChange(incident.Change{
		Kind: incident.Failed, Attempt: a, Diagnosis: d, Number: 1, Since: 1, At: at,
		Incident: incident.Incident{ID: fmt.Sprintf("%016x", i), Image: image, Ref: image, Registry: "registry.example", FirstSeen: at, LastSeen: at, Attempts: 1},
	}, "node-1")
}
