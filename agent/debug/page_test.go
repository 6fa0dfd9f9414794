package debug_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

var embedded = regexp.MustCompile(`(?s)<(style|script)>(.*?)</(?:style|script)>`)

// text is what a page shows, a line for each block and " | " between cells. The
// page must be well-formed.
func text(t *testing.T, page string) string {
	t.Helper()
	blocks := map[string]string{
		"h1": "\n# ", "h2": "\n## ", "p": "\n", "tr": "\n", "td": " | ", "th": " | ", "dt": "\n", "dd": ": ",
		"pre": "\n", "span": " ", "small": " ", "caption": "\n", "br": ", ", "div": " ", "details": "\n", "footer": "\n", "header": "\n",
	}
	var b strings.Builder
	decoder := xml.NewDecoder(strings.NewReader(embedded.ReplaceAllString(page, "")))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("page is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			b.WriteString(blocks[token.Name.Local])
		case xml.CharData:
			b.WriteString(strings.ReplaceAll(string(token), "\n", " "))
		}
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimPrefix(strings.Join(strings.Fields(line), " "), "| ")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func show(t *testing.T, w *world, path string) string {
	t.Helper()
	answer := get(t, w.handler(), path)
	if got := answer.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("%s: got %d %s: %s", path, answer.Code, got, answer.Body)
	}
	return answer.Body.String()
}

// The pages during an outage, as a reader sees them.
var pageTests = []struct{ path, want string }{
	{"/", `
1 image cannot be pulled on node-a · pullcause
pullcause node-a as of 2026-11-24 04:53:00 UTC
# 1 image cannot be pulled on node-a
Images that cannot be pulled
Image and who waits for it | Cause | What to do | Failing for | Attempts
nginx:1.27 shop/web-0 app | 429 Too Many Requests rate_limited · docker_hub · HTTP 429 | Authenticate pulls, or use a mirror. | 12 min | 14 last 40 s ago
## Pulls in flight
Image | State | From | Arrived | Runs for
ghcr.io/acme/big:v4 | stalled downloading, nothing for 1 min | ghcr.io | 3.0 MiB of 30.0 MiB, 10 % | 1 min
The layers of each as JSON.
## No longer failing
Image | Cause | How it ended | Lasted | Ended
ghcr.io/acme/batch:v4 | dns · likely | pulled again | 20 min | 40 min ago
## Last failed attempts
Image | Cause | Who waits for it | Told by | Time (UTC)
nginx:1.27 | rate_limited · docker_hub · HTTP 429 | shop/web-0 app | containerd | 04:52:20
## Logs
Log | State | Written by | Last line | Lines
/var/log/containerd.log | reading | containerd | 1 d 2 h ago read 2 s ago | 1,203,441
## Node
Runtime: containerd v2.4.2 answers
Images: 1 image, 71.0 MiB
Disk: 41.0 GiB of 100.0 GiB available on /var/lib/containerd
All of it as JSON
## Delivery
Receiver: http://cubeapm:3130
State: The receiver takes records
Delivered: 1,204 records, last 4 s ago
Waiting: 0 records
JSON: incidents attempts pulls images sources delivery node config pullcause 1.2.3
`},
	{"/incidents/7f3a90c1d2e4b5a6", `
nginx:1.27 on node-a · pullcause
pullcause node-a as of 2026-11-24 04:53:00 UTC
← All of node-a
# nginx:1.27
Cannot be pulled for 12 min: 14 failed attempts, the last 40 s ago
## Cause and remedy
Cause: 429 Too Many Requests rate_limited · docker_hub · HTTP 429
What to do: Authenticate pulls, or use a mirror.
Confidence: certain: the program's own words or a status name it
Trying again: helps later
Where to look: registry
Registry: docker.io
On this node: not it, but docker.io/library/nginx:1.26
## Error
failed to resolve reference "docker.io/library/nginx:1.27": unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests
## Hosts asked, in order
No. | Host | Role | Request | HTTP | Error
1 | mirror.example | mirror | | – | dial tcp 10.2.0.9:443: connect: connection refused
2 | registry-1.docker.io | origin | HEAD https://registry-1.docker.io/v2/library/nginx/manifests/1.27 | 429 | 429 Too Many Requests
## Hosts that the runtime is told to ask
/etc/containerd/certs.d/docker.io/hosts.toml:3: got https with port 80, which most servers speak plain HTTP on: write http://, or another port
No. | Host | Role | May | Where it says so
1 | https://mirror.example:80/v2 | mirror | pull, resolve | /etc/containerd/certs.d/docker.io/hosts.toml:3
2 | https://registry-1.docker.io/v2 | origin | pull, resolve, push | by default
## Pods that wait
Namespace | Pod | Container | Kind | State
shop | web-0 | app | container | ErrImagePull
The kubelet named them.
## Attempts and back-offs, with their log lines
2026-11-24 04:52:20 UTC rate_limited · docker_hub · HTTP 429 , gRPC Unknown, took 1.312s, 2.0 KiB read
first line second <line>
Cut off here; the log has the rest.
This incident as JSON
JSON: incidents attempts pulls images sources delivery node config pullcause 1.2.3
`},
	{"/incidents/c0ffee00c0ffee00", `
ghcr.io/acme/batch:v4 on node-a · pullcause
pullcause node-a as of 2026-11-24 04:53:00 UTC
← All of node-a
# ghcr.io/acme/batch:v4
Pulled again since 40 min ago, after 20 min and 6 failed attempts
## Cause and remedy
Cause: dns · likely
Confidence: likely: inferred from the shape of the error
Trying again: may help
## Pods that wait
No line names a pod. Only the kubelet's log does, and the runtime's where the pause image fails: see that the kubelet's log is among those that are read.
## Attempts and back-offs, with their log lines
The attempts of this incident are no longer remembered.
This incident as JSON
JSON: incidents attempts pulls images sources delivery node config pullcause 1.2.3
`},
}

func TestPage(t *testing.T) {
	w := outage()
	w.open[0].PodsDropped = 0
	w.open[0].Diagnosis.Cache = &diagnose.Cache{OtherTags: []string{"docker.io/library/nginx:1.26"}}
	for _, tt := range pageTests {
		t.Run(tt.path, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, "\n"+text(t, show(t, w, tt.path))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A line of the kubelet that only waits is no attempt: it is marked on the page of its
// incident and not among the failed attempts.
func TestBackOffIsNoAttempt(t *testing.T) {
	w := outage()
	waits := failed()
	waits.BackOff, waits.Diagnosis = true, debug.Diagnosis{Cause: diagnose.BackOff}
	w.attempts = append([]debug.Attempt{waits, waits}, w.attempts...)
	if page := text(t, show(t, w, "/")); strings.Contains(page, "backoff") {
		t.Errorf("a back-off is among the failed attempts:\n%s", page)
	}
	page := text(t, show(t, w, "/incidents/7f3a90c1d2e4b5a6"))
	if n := strings.Count(page, "back-off: the kubelet waits, nothing was tried"); n != 2 || strings.Contains(page, "backoff") {
		t.Errorf("%d back-offs are marked, want 2:\n%s", n, page)
	}

	w.attempts = w.attempts[:2]
	w.open[0].Attempts, w.open[0].Diagnosis = 1, diagnose.Diagnosis{Cause: diagnose.BackOff}
	for path, want := range map[string]string{
		"/":                           "| 12 min | – last 40 s ago",
		"/incidents/7f3a90c1d2e4b5a6": "for 12 min: only back-offs were seen, no attempt, the last 40 s ago",
	} {
		if page := text(t, show(t, w, path)); !strings.Contains(page, want) {
			t.Errorf("%s: no %q in:\n%s", path, want, page)
		}
	}
}

// The kubelet's back-off comes after the attempt and tells less: the hosts and the
// open lines are those of the attempt.
func TestBackOffHidesNothing(t *testing.T) {
	w := outage()
	later := failed()
	later.BackOff, later.Hosts, later.Lines = true, nil, "back-off line"
	w.attempts = append([]debug.Attempt{later}, w.attempts...)
	page := show(t, w, "/incidents/7f3a90c1d2e4b5a6")
	for _, want := range []string{"mirror.example", `<details id="lines-0">`, `<details id="lines-1" open>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in:\n%s", want, text(t, page))
		}
	}
}

func TestForgottenIncident(t *testing.T) {
	page := show(t, outage(), "/incidents/none")
	if !strings.Contains(page, "This incident is not remembered") || !strings.Contains(page, "may have restarted") {
		t.Errorf("got:\n%s", text(t, page))
	}
	if answer := get(t, outage().handler(), "/incidents/none"); answer.Code != http.StatusNotFound {
		t.Errorf("got %d", answer.Code)
	}
}

func TestHeadlines(t *testing.T) {
	waiting := logtail.Status{Path: "/var/log/kubelet.log", State: logtail.StateWaiting, Error: "open: permission denied; run as root", Behind: 120_000}
	for _, tt := range []struct {
		name   string
		change func(*world)
		want   []string
		not    string
	}{
		{"well", func(w *world) { w.open = nil }, []string{
			`<h1 class="good">No image pull is failing on node-a</h1>`, "To see one, let a pull fail on purpose",
			`kubectl run pullcause-try --restart=Never --image=registry.invalid/try:1 --overrides=&#39;{&#34;spec&#34;:{&#34;nodeName&#34;:&#34;node-a&#34;}}&#39;`,
		}, "cannot be pulled"},
		{"a node whose name is no name", func(w *world) { w.open, w.node = nil, "it's; rm -rf /" }, []string{
			`<h1 class="good">No image pull is failing on it&#39;s; rm -rf /</h1>`, "Failed pulls appear here",
		}, "kubectl run"},
		{"several", func(w *world) { w.open = append(w.open, opened(), opened()) }, []string{
			`<h1 class="bad">3 images cannot be pulled on node-a</h1>`,
		}, "kubectl run"},
		{"no sources", func(w *world) { w.open, w.sources, w.notReady = nil, nil, "no log is being read" }, []string{
			`<h1 class="warn">No log is being read on node-a</h1>`, "Not ready: no log is being read",
			"No log of a container runtime or of the kubelet was found", "sources:\n  files: [",
		}, "No image pull is failing"},
		{"none was looked for", func(w *world) { w.open, w.sources, w.named = nil, nil, true }, []string{
			"No log was looked for: <code>sources.auto</code> is false", "sources:\n  files: [",
		}, "was found"},
		{"no readable source", func(w *world) { w.open, w.sources = nil, []logtail.Status{waiting} }, []string{
			`<h1 class="warn">No log is being read on node-a</h1>`, "open: permission denied; run as root", "117.2 KiB unread",
		}, "No image pull is failing"},
		{"stuck", func(w *world) {
			w.loops = []debug.Loop{{Name: "pipeline", LastTurn: now.Add(-time.Hour), MaxAge: time.Minute}}
		}, []string{"The agent is stuck: the loop pipeline has not turned for 1h0m0s"}, "Not ready"},
		{"refused", func(w *world) {
			w.delivery = map[string]any{
				"outcome": "misconfigured", "answer": "401 Unauthorized", "queued": 12, "queued_bytes": 4096,
				"next_try": now.Add(30 * time.Second), "lost": map[string]int{"queue_full": 3, "rejected": 0},
			}
		}, []string{
			"The receiver refuses every record until something is changed", "401 Unauthorized", "12 records, 4.0 KiB",
			"3 queue full", ">30 s</time>",
		}, "0 rejected"},
		{"delivery of another kind", func(w *world) { w.delivery = []string{"?"} }, []string{`See <a href="/debug/delivery">`}, "Receiver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := outage()
			tt.change(w)
			page := show(t, w, "/")
			for _, want := range tt.want {
				if !strings.Contains(page, want) {
					t.Errorf("no %q in:\n%s", want, text(t, page))
				}
			}
			if strings.Contains(page, tt.not) {
				t.Errorf("%q in:\n%s", tt.not, text(t, page))
			}
		})
	}
}

func TestStormOnThePage(t *testing.T) {
	w := outage()
	for n := range 9_999 {
		i := opened()
		i.ID, i.Image, i.Ref = fmt.Sprintf("%016x", n), fmt.Sprintf("registry.example/a:%d", n), ""
		i.Registry, i.Diagnosis = "registry.example", diagnose.Diagnosis{Cause: diagnose.DNS, Detail: "nxdomain", Confidence: diagnose.Certain}
		i.FirstSeen = now.Add(-time.Duration(n) * time.Second)
		w.open = append(w.open, i)
	}
	page := show(t, w, "/")
	for _, want := range []string{"10,000 images cannot be pulled", "9,900 more as JSON", "registry.example/a:0<"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if !strings.Contains(text(t, page), "\n9,999 | dns · nxdomain | registry.example\n1 | rate_limited · docker_hub | docker.io\n") {
		t.Errorf("no groups:\n%.600s", text(t, page))
	}
	if len(page) > 256<<10 {
		t.Errorf("page has %d bytes", len(page))
	}
}

func TestHostileText(t *testing.T) {
	const evil = `<script>alert(1)</script>"onload='x'` + "\x1b[31m\x9b\x00\u202e" + `</pre></title>&amp;{{.}}`
	long := evil + strings.Repeat("A", 64<<10)
	w := outage()
	i := incident.Incident{
		ID: `"><script>`, Image: long, Registry: evil, State: incident.Open, FirstSeen: now, LastSeen: now, LastError: long,
		Diagnosis: diagnose.Diagnosis{Cause: evil, Detail: evil, Confidence: evil, Retry: evil, Owner: evil, Remedy: evil, Summary: evil},
		Pods:      []attempt.Pod{{Pod: detect.Pod{Namespace: evil, Name: long, UID: evil}, Container: evil, Kind: evil, Reason: evil}},
	}
	a := debug.View(attempt.Attempt{
		UID: evil, Image: long, Program: evil, End: now, Reason: evil, Attribution: evil, Lines: long, Pods: i.Pods,
		Failure: &detect.Failure{Text: long, GRPCCode: evil},
		Hosts:   []detect.Host{{Host: long, Role: evil, Method: evil, URL: "javascript:alert(1)", Error: evil}},
	}, i.Diagnosis, i.ID)
	w.open, w.attempts, w.node, w.notReady = []incident.Incident{i}, []debug.Attempt{a}, evil, evil
	w.sources = []logtail.Status{{Path: long, Program: evil, State: evil, Error: evil}}
	w.delivery = map[string]any{"endpoint": evil, "outcome": evil, "answer": long}

	for _, path := range []string{"/", "/incidents/%22%3E%3Cscript%3E"} {
		page := show(t, w, path)
		if strings.Count(page, "<script") != 1 || strings.Count(page, "</script") != 1 {
			t.Errorf("%s: a script that is not ours", path)
		}
		body := embedded.ReplaceAllString(page, "")
		for _, bad := range []string{"\x1b", "\x9b", "\x00", "\u202e", "<pre></pre></title>", `href="javascript`, "onload='"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s contains %q", path, bad)
			}
		}
		if !strings.Contains(body, `\x1b[31m\x9b\x00\u202e`) {
			t.Errorf("%s: what does not print is not shown as an escape", path)
		}
		if len(page) > 100<<10 {
			t.Errorf("%s has %d bytes", path, len(page))
		}
		text(t, page) // well-formed
	}
}

var outside = regexp.MustCompile(`(?i)(src|href|url|action)\s*[=(]\s*["']?\s*(https?:|//)`)

// The policy allows our style and script, by their hash, and nothing needs more.
func TestPageLoadsNothing(t *testing.T) {
	answer := get(t, outage().handler(), "/")
	policy := answer.Header().Get("Content-Security-Policy")
	parts := embedded.FindAllStringSubmatch(answer.Body.String(), -1)
	if len(parts) != 2 {
		t.Fatalf("%d embedded parts", len(parts))
	}
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part[2]))
		if want := part[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy %q has no %s", policy, want)
		}
	}
	if found := outside.FindString(answer.Body.String()); found != "" {
		t.Errorf("page asks elsewhere: %s", found)
	}
	if strings.Contains(answer.Body.String(), " style=") {
		t.Error("the policy forbids style attributes")
	}
}
