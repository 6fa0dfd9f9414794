package export

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
)

// stalled is a pull in flight of which 3 of 30 MiB are there.
func stalled() incident.Change {
	start := time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC)
	d := diagnose.Diagnosis{
		Cause: diagnose.Stalled, Detail: "no_progress", Confidence: diagnose.Certain, Retry: diagnose.RetryMaybe, Owner: "network",
		Action: "Check the path to mirror.example:5000", Remedy: "No byte arrives. Check the path to mirror.example:5000.",
	}
	a := &attempt.Attempt{
		UID: "00112233445566778899aabbccddeeff", Image: "nginx:1.27", Ref: "docker.io/library/nginx:1.27", Registry: "docker.io",
		Program: detect.Containerd, Start: start, End: start.Add(75 * time.Second), Observed: start.Add(75 * time.Second),
		Unfinished: true, Stalled: true, Duration: 75 * time.Second, Bytes: 3 << 20,
		Layer: attempt.Layer{Digest: digest40, Bytes: 2 << 20, Size: 29 << 20},
		Hosts: []detect.Host{{Host: "mirror.example:5000", Role: detect.RoleMirror}},
		Pods:  []attempt.Pod{{Pod: detect.Pod{Namespace: "shop", Name: "web-0", UID: "1"}}}, Attribution: attempt.ByCandidate,
	}
	return incident.Change{
		Kind: incident.Stalled, Attempt: a, Diagnosis: d, At: a.End,
		Incident: incident.Incident{Image: a.Image, Ref: a.Ref, Registry: a.Registry},
	}
}

func TestFromChangeStalled(t *testing.T) {
	c := stalled()
	got := FromChange(c, "node-1")
	want := Record{
		Version: 1, UID: got.UID, Name: "pullcause.image_pull.stalled", Time: c.Attempt.End, Observed: c.Attempt.End, Severity: "WARN",
		Body: "shop/web-0: the pull of nginx:1.27 makes no progress: 2.0 MiB of 29.0 MiB of layer sha256:2c26b46b68ff… are there, " +
			"from mirror.example:5000 (stalled, no_progress); check the path to mirror.example:5000",
		Attributes: []Attribute{
			{"event.name", "pullcause.image_pull.stalled"},
			{"error.type", "stalled"},
			{"pullcause.cause.detail", "no_progress"},
			{"pullcause.cause.confidence", "certain"},
			{"pullcause.retryable", "maybe"},
			{"pullcause.remedy", c.Diagnosis.Remedy},
			{"log.record.uid", got.UID},
			{"server.address", "mirror.example"},
			{"server.port", int64(5000)},
			{"pullcause.hosts", `[{"host":"mirror.example:5000","role":"mirror"}]`},
			{"container.image.name", "docker.io/library/nginx"},
			{"container.image.tags", []string{"1.27"}},
			{"pullcause.image.ref", "docker.io/library/nginx:1.27"},
			{"pullcause.image.tag", "1.27"},
			{"k8s.namespace.name", "shop"},
			{"k8s.pod.name", "web-0"},
			{"k8s.pod.uid", "1"},
			{"pullcause.pod.attribution", string(attempt.ByCandidate)},
			{"pullcause.duration_ms", int64(75_000)},
			{"pullcause.bytes_read", int64(3 << 20)},
			{"pullcause.layer.digest", digest40},
			{"pullcause.layer.bytes_read", int64(2 << 20)},
			{"pullcause.layer.size", int64(29 << 20)},
			{"pullcause.source", "containerd"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// What is not known is not said as 0.
func TestStalledBodies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*incident.Change)
		want   string
	}{
		{
			"nothing is there, nobody is known",
			func(c *incident.Change) { c.Attempt.Layer, c.Attempt.Hosts = attempt.Layer{}, nil },
			"shop/web-0: the pull of nginx:1.27 makes no progress (stalled, no_progress); check the path to mirror.example:5000",
		},
		{
			"the size of the layer is not known",
			func(c *incident.Change) { c.Attempt.Layer.Size = 0 },
			"shop/web-0: the pull of nginx:1.27 makes no progress: 2.0 MiB of layer sha256:2c26b46b68ff… are there, " +
				"from mirror.example:5000 (stalled, no_progress); check the path to mirror.example:5000",
		},
		{
			"slow",
			func(c *incident.Change) {
				c.Attempt.Stalled, c.Attempt.Slow, c.Diagnosis.Detail, c.Attempt.Layer = false, true, "slow", attempt.Layer{}
				c.Attempt.Pods, c.Diagnosis.Action = nil, ""
			},
			"the pull of nginx:1.27 goes on for 1m15s, from mirror.example:5000 (stalled, slow)",
		},
	} {
		c := stalled()
		tt.change(&c)
		if got := FromChange(c, "n").Body; got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// A receiver that keeps one record of each uid must have one of a stall that is told
// again, and both of a pull that was slow and then made no progress.
func TestStalledUID(t *testing.T) {
	uidOf := func(change func(*incident.Change), node string) string {
		c := stalled()
		change(&c)
		return FromChange(c, node).UID
	}
	same := func(*incident.Change) {}
	first := uidOf(same, "node-1")
	if first == "" || first == stalled().Attempt.UID {
		t.Errorf("got uid %q, want one that the failure of the pull will not have", first)
	}
	for name, again := range map[string]func(*incident.Change){
		"later": func(c *incident.Change) {
			c.At, c.Attempt.End, c.Attempt.Bytes = c.At.Add(time.Hour), c.At.Add(time.Hour), 7
		},
		"an incident has opened meanwhile": func(c *incident.Change) { c.Incident.ID = "0011223344556677" },
	} {
		if got := uidOf(again, "node-1"); got != first {
			t.Errorf("%s: got another uid", name)
		}
	}
	for name, other := range map[string]string{
		"slow":         uidOf(func(c *incident.Change) { c.Diagnosis.Detail = "slow" }, "node-1"),
		"another pull": uidOf(func(c *incident.Change) { c.Attempt.UID = "x" }, "node-1"),
		"another node": uidOf(same, "node-2"),
	} {
		if other == first {
			t.Errorf("%s: got the same uid", name)
		}
	}
}

// The host is the runtime's or a line's own text.
func TestStalledServer(t *testing.T) {
	for host, want := range map[string]struct {
		address any
		port    any
	}{
		"registry-1.docker.io": {"registry-1.docker.io", nil},
		"r.example:5000":       {"r.example", int64(5000)},
		"[fd00::1]:5000":       {"fd00::1", int64(5000)},
	} {
		c := stalled()
		c.Attempt.Hosts[0].Host = host
		got := map[string]any{}
		for _, a := range FromChange(c, "n").Attributes {
			got[a.Key] = a.Value
		}
		if got[ServerAddressKey] != want.address || got[ServerPortKey] != want.port {
			t.Errorf("%s: got %v and %v, want %v and %v", host, got[ServerAddressKey], got[ServerPortKey], want.address, want.port)
		}
	}
}

// What the node has of an image stands in the record of its failure, as far as it is
// known.
func TestCacheAttributes(t *testing.T) {
	all := []string{
		CacheVerdictKey, CachePresentKey, CacheOtherTagsKey, CacheRemovedAtKey, CachePlatformsKey, CacheFSAvailableKey, CacheFSUsedRatioKey,
	}
	for _, tt := range []struct {
		name  string
		cache *diagnose.Cache
		want  map[string]any
	}{
		{"not known", nil, nil},
		{"absent", &diagnose.Cache{}, map[string]any{"pullcause.cache.verdict": "absent", "pullcause.cache.present": false}},
		{
			"present", &diagnose.Cache{Present: true, Platforms: []string{"linux/arm64/v8"}, AvailableBytes: 1 << 30, UsedRatio: 0.91},
			map[string]any{
				"pullcause.cache.verdict": "cached_policy_always", "pullcause.cache.present": true,
				"pullcause.cache.image_platforms":         []string{"linux/arm64/v8"},
				"pullcause.cache.imagefs_available_bytes": int64(1 << 30), "pullcause.cache.imagefs_used_ratio": 0.91,
			},
		},
		{
			"there is no room for it", &diagnose.Cache{UsedRatio: 1}, map[string]any{
				"pullcause.cache.verdict": "absent", "pullcause.cache.present": false,
				"pullcause.cache.imagefs_available_bytes": int64(0), "pullcause.cache.imagefs_used_ratio": 1.0,
			},
		},
		{
			"removed", &diagnose.Cache{RemovedAt: time.Date(2026, 6, 12, 11, 0, 0, 0, time.FixedZone("", 3600)), OtherTags: []string{"docker.io/library/nginx:1.26"}},
			map[string]any{
				"pullcause.cache.verdict": "evicted", "pullcause.cache.present": false,
				"pullcause.cache.removed_at": "2026-06-12T10:00:00Z", "pullcause.cache.other_tags": []string{"docker.io/library/nginx:1.26"},
			},
		},
		{
			"another tag, of any length", &diagnose.Cache{OtherTags: []string{strings.Repeat("a", maxName+1)}},
			map[string]any{
				"pullcause.cache.verdict": "other_tag_cached", "pullcause.cache.present": false,
				"pullcause.cache.other_tags": []string{strings.Repeat("a", maxName-len(ellipsis)) + ellipsis},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := rateLimited()
			c.Diagnosis.Cache = tt.cache
			var absent []string
			for _, key := range all {
				if _, ok := tt.want[key]; !ok {
					absent = append(absent, key)
				}
			}
			wantAttributes(t, FromChange(c, "n"), tt.want, absent)
		})
	}
}
