package export

import (
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

const digest40 = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

// rateLimited is what containerd v2.1 and kubelet v1.33 say about one pull that
// Docker Hub refuses.
func rateLimited() incident.Change {
	start := time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC)
	text := `failed to pull and unpack image "docker.io/library/nginx:1.27": failed to copy: httpReadSeeker: failed open: ` +
		`unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests - ` +
		`Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.`
	pod := attempt.Pod{
		Pod:       detect.Pod{Namespace: "shop", Name: "web-0", UID: "0b8f9d2c-1111-4222-8333-444455556666"},
		Container: "app", Kind: detect.KindContainer, Reason: "ErrImagePull",
	}
	d := diagnose.Diagnosis{
		Cause: diagnose.RateLimited, Detail: "docker_hub", Confidence: diagnose.Certain, Retry: diagnose.RetryLater,
		Owner: "registry", Summary: "429 Too Many Requests",
		Remedy: "Authenticate pulls or use a mirror: kubectl create secret docker-registry hub --docker-username=…",
		Action: "Authenticate pulls or use a mirror",
	}
	a := &attempt.Attempt{
		UID: "00112233445566778899aabbccddeeff", Image: "nginx:1.27", Ref: "docker.io/library/nginx:1.27",
		Program: detect.Containerd, Start: start, End: start.Add(1500 * time.Millisecond),
		Observed: start.Add(1510 * time.Millisecond),
		Failure: &detect.Failure{
			Text: text, Leaf: "429 Too Many Requests", GRPCCode: "Unknown", Method: "GET",
			URL: "https://registry-1.docker.io/v2/library/nginx/manifests/1.27", Status: 429,
		},
		Hosts: []detect.Host{
			{Host: "mirror.example:5000", Role: detect.RoleMirror, Method: "HEAD", Status: 404, Error: "not found"},
			{Host: "registry-1.docker.io", Role: detect.RoleOrigin, Method: "GET", Status: 429, Error: "429 Too Many Requests"},
		},
		Pods: []attempt.Pod{pod}, Attribution: attempt.ByKubelet, Duration: 1500 * time.Millisecond, Bytes: 4096,
		Lines: `time="2026-06-12T10:00:01.5Z" level=error msg="PullImage \"nginx:1.27\" failed" error="` + text + `"` + "\n" +
			`E0612 10:00:01.501 1 log.go:32] "PullImage from image service failed" err="` + text + `" image="nginx:1.27"`,
		Reason: "ErrImagePull",
	}
	return incident.Change{
		Kind: incident.Failed, Attempt: a, Diagnosis: d, Number: 3, Since: 1, At: start.Add(2 * time.Second),
		Incident: incident.Incident{
			ID: "0011223344556677", Image: a.Image, Ref: a.Ref, Registry: "docker.io", State: incident.Open,
			FirstSeen: start.Add(-time.Minute), LastSeen: a.End, Attempts: 3, Diagnosis: d, Pods: a.Pods,
		},
	}
}
