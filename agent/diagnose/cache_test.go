package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
)

var removedAt = time.Date(2026, 11, 24, 11, 0, 0, 0, time.FixedZone("", 3600))

// Dashboards count by the verdict, and people read the sentence behind the remedy.
var cacheTests = []struct {
	name     string
	cache    *diagnose.Cache
	verdict  diagnose.CacheVerdict
	sentence string
}{
	{"not known", nil, "", ""},
	{"nothing", &diagnose.Cache{}, diagnose.Absent, ""},
	{
		"present, whatever else there is",
		&diagnose.Cache{Present: true, RemovedAt: removedAt, OtherTags: []string{"r.test/x:1"}},
		diagnose.CachedPolicyAlways,
		" The image is on this node: with imagePullPolicy IfNotPresent the cached copy would start.",
	},
	{"present, perhaps without its layers", &diagnose.Cache{Present: true, Incomplete: true}, "", ""},
	{
		"present, perhaps without its layers, and another tag",
		&diagnose.Cache{Present: true, Incomplete: true, OtherTags: []string{"r.test/x:1"}},
		diagnose.OtherTagCached,
		" Of the same repository this node has r.test/x:1.",
	},
	{
		"removed, and other tags",
		&diagnose.Cache{RemovedAt: removedAt, OtherTags: []string{"r.test/x:1"}},
		diagnose.Evicted,
		" The image was on this node and was removed at 2026-11-24T10:00:00Z, as the kubelet does when disk is short (imageGCHighThresholdPercent).",
	},
	{
		"another tag",
		&diagnose.Cache{OtherTags: []string{"r.test/x:1"}},
		diagnose.OtherTagCached,
		" Of the same repository this node has r.test/x:1.",
	},
	{
		"more tags than anybody reads",
		&diagnose.Cache{OtherTags: []string{"r.test/x:1", "r.test/x:2", "r.test/x:3", "r.test/x:4"}},
		diagnose.OtherTagCached,
		" Of the same repository this node has r.test/x:1, r.test/x:2, r.test/x:3.",
	},
	{ // a runtime tells whatever somebody called an image
		"hostile tags",
		&diagnose.Cache{OtherTags: []string{"r.test/x:1';reboot;'", "$(reboot)", "r.test/x:\x1b[31m\n"}},
		diagnose.OtherTagCached,
		` Of the same repository this node has 'r.test/x:1'\'';reboot;'\''', '$(reboot)', 'r.test/x:\x1b[31m\n'.`,
	},
}

func TestCache(t *testing.T) {
	const text = "manifest unknown"
	without := diagnosisOf(app, text, diagnose.Facts{})
	for _, tt := range cacheTests {
		t.Run(tt.name, func(t *testing.T) {
			d := diagnosisOf(app, text, diagnose.Facts{Cache: tt.cache})
			if tt.cache != nil && tt.cache.Verdict() != tt.verdict {
				t.Errorf("verdict: got %s, want %s", tt.cache.Verdict(), tt.verdict)
			}
			if want := without.Remedy + tt.sentence; d.Remedy != want {
				t.Errorf("remedy:\n got %s\nwant %s", d.Remedy, want)
			}
			if d.Cause != without.Cause || d.Action != without.Action || d.Cache != tt.cache {
				t.Errorf("got %s, %q, %v: what is on the node is no cause", d.Cause, d.Action, d.Cache)
			}
		})
	}
}

// The sentence comes behind the hosts that were asked.
func TestCacheComesLast(t *testing.T) {
	a := attempt.FromSignal(detect.Signal{Kind: detect.PullFailed, Image: app, Failure: detect.ParseFailure("manifest unknown")})
	a.Hosts = []detect.Host{{Host: "mirror.test", Status: 500}, {Host: "registry.example.com", Status: 404}}
	d := diagnose.Diagnose(a, diagnose.Facts{Cache: &diagnose.Cache{Present: true}})
	const want = "Hosts tried: mirror.test: 500, registry.example.com: 404. The image is on this node: with imagePullPolicy IfNotPresent the cached copy would start."
	if !strings.HasSuffix(d.Remedy, want) {
		t.Errorf("got %q, want it to end in %q", d.Remedy, want)
	}
}

// An image of one platform alone is pulled by any node: only its container fails.
func TestWrongArchitecture(t *testing.T) {
	pulled := attempt.Attempt{Image: app, Ref: app, Failure: &detect.Failure{Text: "image is built for linux/arm64", Leaf: "built for linux/arm64 alone"}}
	d := diagnose.Diagnose(pulled, diagnose.Facts{OS: "linux", Arch: "amd64", ImagePlatform: "linux/arm64"})
	if d.Cause != diagnose.PlatformMismatch || d.Detail != "wrong_arch_pulled" || d.Retry != diagnose.RetryNever {
		t.Errorf("got %s/%s, retry %s", d.Cause, d.Detail, d.Retry)
	}
	for _, want := range []string{"was pulled", "built for linux/arm64 alone", "runs linux/amd64", "--platform linux/amd64,linux/arm64", "kubernetes.io/arch"} {
		if !strings.Contains(d.Remedy, want) {
			t.Errorf("no %q in: %s", want, d.Remedy)
		}
	}
	hostile := diagnose.Diagnose(pulled, diagnose.Facts{OS: "linux", Arch: "amd64", ImagePlatform: "linux/$(reboot)"})
	if !strings.Contains(hostile.Remedy, "linux/amd64,'linux/$(reboot)'") {
		t.Errorf("a platform of any text is not quoted: %s", hostile.Remedy)
	}
	// A platform that the registry does not have is another matter.
	missing := diagnosisOf(app, "no match for platform in manifest: not found", diagnose.Facts{OS: "linux", Arch: "amd64"})
	if missing.Detail != "no_match" {
		t.Errorf("got %s/%s, want no_match", missing.Cause, missing.Detail)
	}
}

// Three ways to be slow: who has to do what differs, the cause does not.
func TestStalled(t *testing.T) {
	waiting := attempt.Attempt{Image: "nginx:1.27", Registry: "docker.io", Unfinished: true}
	waiting.Hosts = []detect.Host{{Host: "mirror.test:5000"}}
	for _, tt := range []struct {
		name   string
		change func(*attempt.Attempt)
		detail string
		want   []string
		not    string
	}{
		{
			"nothing arrives, and the runtime waits on",
			func(a *attempt.Attempt) { a.Stalled = true },
			"no_progress",
			[]string{"No byte arrives, and the runtime still waits", "Check the path to mirror.test:5000", "curl -sv https://mirror.test:5000/v2/"},
			"cancelled",
		},
		{
			"nothing is known of the host",
			func(a *attempt.Attempt) { a.Stalled, a.Hosts = true, nil },
			"no_progress",
			[]string{"Check the path to docker.io"},
			"cancelled",
		},
		{
			"a hostile host",
			func(a *attempt.Attempt) { a.Stalled, a.Hosts[0].Host = true, "x;reboot" },
			"no_progress",
			[]string{"Check the path to 'x;reboot'", "https://'x;reboot'/v2/"},
			"cancelled",
		},
		{
			"the runtime gave up",
			func(a *attempt.Attempt) { a.Stalled, a.Unfinished = true, false },
			"no_progress", nil, "still waits",
		},
		{
			"it goes on, but takes long",
			func(a *attempt.Attempt) { a.Slow = true },
			"slow",
			[]string{"The pull goes on", "pulls.slow_after", "/debug/pulls"},
			"No byte arrives",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := waiting
			a.Hosts = []detect.Host{waiting.Hosts[0]}
			tt.change(&a)
			d := diagnose.Diagnose(a, diagnose.Facts{})
			if d.Cause != diagnose.Stalled || d.Detail != tt.detail || d.Confidence != diagnose.Certain {
				t.Errorf("got %s/%s, %s; want stalled/%s", d.Cause, d.Detail, d.Confidence, tt.detail)
			}
			for _, want := range tt.want {
				if !strings.Contains(d.Remedy, want) {
					t.Errorf("no %q in: %s", want, d.Remedy)
				}
			}
			if strings.Contains(d.Remedy, tt.not) {
				t.Errorf("%q in: %s", tt.not, d.Remedy)
			}
		})
	}
}

// The runtime ended while it pulled: no line has said so, no registry is to blame.
func TestRuntimeLost(t *testing.T) {
	d := diagnose.Diagnose(attempt.Attempt{Image: app, Failure: detect.RuntimeLost()}, diagnose.Facts{})
	if d.Cause != diagnose.RuntimeUnavailable || d.Owner != "node" {
		t.Errorf("got %s of %s, want runtime_unavailable of node", d.Cause, d.Owner)
	}
}
