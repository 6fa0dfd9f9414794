package debug_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/agent/hostconf"
	"pullcause/agent/incident"
	"pullcause/cri"
	"pullcause/logtail"
)

var now = time.Date(2026, 11, 24, 4, 53, 0, 0, time.UTC)

const (
	nginx   = "docker.io/library/nginx:1.27"
	message = `failed to resolve reference "docker.io/library/nginx:1.27": unexpected status from HEAD request to ` +
		`https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests`
)

func limited() diagnose.Diagnosis {
	return diagnose.Diagnosis{
		Cause: diagnose.RateLimited, Detail: "docker_hub", Confidence: diagnose.Certain, Retry: diagnose.RetryLater,
		Owner: "registry", Remedy: "Authenticate pulls, or use a mirror.", Summary: "429 Too Many Requests",
	}
}

func pods() []attempt.Pod {
	return []attempt.Pod{{
		Pod: detect.Pod{Namespace: "shop", Name: "web-0", UID: "5d0c1f0e"}, Container: "app",
		Kind: detect.KindContainer, Reason: "ErrImagePull",
	}}
}

// failed is an attempt that tells all that an attempt can tell.
func failed() debug.Attempt {
	return debug.View(attempt.Attempt{
		UID: "9c1d", Image: "nginx:1.27", Ref: nginx, Registry: "docker.io", Program: detect.Containerd,
		Start: now.Add(-41 * time.Second), End: now.Add(-40 * time.Second), Observed: now.Add(-40 * time.Second),
		Failure: &detect.Failure{Text: message, GRPCCode: "Unknown", Status: 429},
		Reason:  "ErrImagePull",
		Hosts: []detect.Host{
			{Host: "mirror.example", Role: detect.RoleMirror, Error: "dial tcp 10.2.0.9:443: connect: connection refused"},
			{
				Host: "registry-1.docker.io", Role: detect.RoleOrigin, Method: "HEAD",
				URL: "https://registry-1.docker.io/v2/library/nginx/manifests/1.27", Status: 429, Error: "429 Too Many Requests",
			},
		},
		Pods: pods(), Attribution: attempt.ByKubelet, Bytes: 2048, Duration: 1312 * time.Millisecond,
		Lines: "first line\n\tsecond <line>", Truncated: true,
	}, limited(), "7f3a90c1d2e4b5a6")
}

func opened() incident.Incident {
	return incident.Incident{
		ID: "7f3a90c1d2e4b5a6", Image: "nginx:1.27", Ref: nginx, Registry: "docker.io", State: incident.Open,
		FirstSeen: now.Add(-12 * time.Minute), LastSeen: now.Add(-40 * time.Second), Attempts: 14,
		Diagnosis: limited(), LastError: message, Pods: pods(), PodsDropped: 3,
	}
}

func recovered() incident.Incident {
	return incident.Incident{
		ID: "c0ffee00c0ffee00", Image: "ghcr.io/acme/batch:v4", State: incident.StateRecovered,
		FirstSeen: now.Add(-time.Hour), LastSeen: now.Add(-40 * time.Minute), ClosedAt: now.Add(-40 * time.Minute), Attempts: 6,
		Diagnosis: diagnose.Diagnosis{Cause: diagnose.DNS, Confidence: diagnose.Likely, Retry: diagnose.RetryMaybe},
	}
}

func reading() logtail.Status {
	return logtail.Status{
		Name: "file:/var/log/containerd.log", Kind: "file", Program: detect.Containerd, Path: "/var/log/containerd.log",
		State: logtail.StateReading, Lines: 1203441, Bytes: 1 << 30, LastRead: now.Add(-2 * time.Second), LastLine: now.Add(-26 * time.Hour), LastTurn: now, Wake: logtail.WakeInotify,
		Position: logtail.Position{Source: "file:/var/log/containerd.log", Stream: "a1", Offset: 12},
	}
}

// world is what an agent has to show; tests change it before they look.
type world struct {
	open, closed []incident.Incident
	attempts     []debug.Attempt
	sources      []logtail.Status
	delivery     any
	loops        []debug.Loop
	notReady     string
	node         string
	pprof        bool
	named        bool // sources.auto is false
	images       enrich.Images
	filesystem   enrich.Filesystem
	pulls        []enrich.Pull
	hosts        hostconf.List
	runtime      enrich.Runtime

	shed func(reason string)
	mu   sync.Mutex
	most int // incidents asked for at once
}

func outage() *world {
	return &world{
		open: []incident.Incident{opened()}, closed: []incident.Incident{recovered()},
		attempts: []debug.Attempt{failed()}, sources: []logtail.Status{reading()}, node: "node-a",
		runtime:    enrich.Runtime{Name: "containerd", Version: "v2.4.2", State: enrich.RuntimeConnected, Connections: 1, Socket: "/run/containerd/containerd.sock"},
		filesystem: enrich.Filesystem{Mountpoint: "/var/lib/containerd", UsedBytes: 12 << 30, SizeBytes: 100 << 30, AvailableBytes: 41 << 30, Inodes: 6e6, InodesFree: 5e6},
		images: enrich.Images{
			AsOf: now, Bytes: 71 << 20,
			Images:  []cri.Image{{ID: "sha256:" + strings.Repeat("c", 64), Tags: []string{"docker.io/library/nginx:1.26"}, Digests: []string{}, Size: 71 << 20}},
			Removed: []enrich.Removed{{Name: nginx, At: now.Add(-time.Hour)}},
		},
		pulls: []enrich.Pull{{
			Image: "ghcr.io/acme/big:v4", Ref: "ghcr.io/acme/big:v4", Registry: "ghcr.io", Started: now.Add(-90 * time.Second), Phase: enrich.PhaseDownloading,
			Host: "ghcr.io", Bytes: 3 << 20, Size: 30 << 20, Rate: 0, Progress: now.Add(-80 * time.Second), Stalled: true,
			Layers: []enrich.Layer{{Digest: "sha256:" + strings.Repeat("d", 64), State: enrich.LayerDownloading, Bytes: 3 << 20, Size: 30 << 20}},
		}},
		hosts: hostconf.List{
			Registry: "docker.io", Files: []string{"/etc/containerd/certs.d/docker.io/hosts.toml"},
			Hosts: []hostconf.Host{
				{Host: "mirror.example:80", Role: "mirror", URL: "https://mirror.example:80/v2", Capabilities: []string{"pull", "resolve"}, File: "/etc/containerd/certs.d/docker.io/hosts.toml", Line: 3},
				{Host: "registry-1.docker.io", Role: "origin", URL: "https://registry-1.docker.io/v2", Capabilities: []string{"pull", "resolve", "push"}},
			},
			Problems: []hostconf.Problem{{File: "/etc/containerd/certs.d/docker.io/hosts.toml", Line: 3, Text: "got https with port 80, which most servers speak plain HTTP on: write http://, or another port"}},
		},
		delivery: map[string]any{"endpoint": "http://cubeapm:3130", "outcome": "acknowledged", "delivered": 1204, "last_success": now.Add(-4 * time.Second)},
	}
}

func (w *world) handler() http.Handler {
	return debug.NewDebug(debug.DebugConfig{
		NodeName: w.node, Version: "1.2.3",
		History: w, LooksForLogs: !w.named,
		Sources: func() []logtail.Status { return w.sources },
		Candidates: func() []logtail.Candidate {
			if len(w.sources) == 0 {
				return nil
			}
			return []logtail.Candidate{{Kind: "unit", Name: "kubelet.service", Program: "kubelet", Found: true, Detail: "12 entries read"}}
		},
		Node:    func(context.Context) any { return map[string]string{"name": w.node} },
		Images:  func() enrich.Images { return w.images },
		Pulls:   func() []enrich.Pull { return w.pulls },
		Hosts:   func(string) hostconf.List { return w.hosts },
		Runtime: func() enrich.Runtime { return w.runtime },
		Cache: func() (enrich.Report, bool) {
			return enrich.Report{Images: len(w.images.Images), Bytes: w.images.Bytes, Filesystem: w.filesystem}, !w.images.AsOf.IsZero()
		},
		Delivery: func() any { return w.delivery },
		Config:   func() any { return map[string]string{"host_root": "/host"} },
		Loops:    func() []debug.Loop { return w.loops },
		Ready:    func() (bool, string) { return w.notReady == "", w.notReady },
		Pprof:    w.pprof,
		Shed:     w.shed,
		Now:      func() time.Time { return now },
	})
}

func (w *world) Totals() debug.Totals {
	return debug.Totals{Open: len(w.open), Closed: len(w.closed), Attempts: len(w.attempts)}
}

func (w *world) Open(after incident.Place, n int) []debug.Incident {
	return w.behind(w.open, after, n)
}

func (w *world) Closed(after incident.Place, n int) []debug.Incident {
	return w.behind(w.closed, after, n)
}

// behind takes a list to be in its order.
func (w *world) behind(list []incident.Incident, after incident.Place, n int) []debug.Incident {
	from := 1 + slices.IndexFunc(list, func(i incident.Incident) bool { return i.ID == after.ID && i.Place().At.Equal(after.At) })
	var found []debug.Incident
	for _, i := range list[from:min(from+n, len(list))] {
		found = append(found, w.withStatus(i))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.most = max(w.most, len(found))
	return found
}

func (w *world) withStatus(i incident.Incident) debug.Incident {
	found := debug.Incident{Incident: i}
	if a := w.Attempts(debug.AttemptQuery{Incident: i.ID, NoBackOffs: true, Limit: 1}); len(a) > 0 {
		found.HTTPStatus = a[0].HTTPStatus
	}
	return found
}

func (w *world) Find(id string) (debug.Incident, bool) {
	for _, list := range [][]incident.Incident{w.open, w.closed} {
		for _, i := range list {
			if i.ID == id {
				return w.withStatus(i), true
			}
		}
	}
	return debug.Incident{}, false
}

func (w *world) Groups() map[incident.Group]int {
	groups := map[incident.Group]int{}
	for _, i := range w.open {
		groups[incident.Group{Cause: i.Diagnosis.Cause, Detail: i.Diagnosis.Detail, Registry: i.Registry}]++
	}
	return groups
}

// Attempts numbers them from the oldest, which is the last.
func (w *world) Attempts(q debug.AttemptQuery) []debug.Attempt {
	var found []debug.Attempt
	for n, a := range w.attempts {
		a.Number = int64(len(w.attempts) - n)
		if (q.Incident == "" || a.Incident == q.Incident) && !(q.NoBackOffs && a.BackOff) && (q.Before == 0 || a.Number < q.Before) && len(found) < q.Limit {
			found = append(found, a)
		}
	}
	return found
}

// ask sends a request that arrives over loopback.
func ask(t *testing.T, h http.Handler, method, path, host string) *httptest.ResponseRecorder {
	t.Helper()
	return askAt(t, h, method, path, host, "127.0.0.1:9809")
}

func askAt(t *testing.T, h http.Handler, method, path, host, local string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	address := net.TCPAddrFromAddrPort(mustAddrPort(local))
	r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(address)))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, h, http.MethodGet, path, "localhost:9809")
}
