package debug_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/debug"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestHostOverLoopback(t *testing.T) {
	tests := []struct {
		local, host string
		want        int
	}{
		{"127.0.0.1:9809", "localhost:9809", http.StatusOK},
		{"127.0.0.1:9809", "LocalHost", http.StatusOK},
		{"127.0.0.1:9809", "localhost.:80", http.StatusOK},
		{"127.0.0.1:9809", "127.0.0.1:31337", http.StatusOK},
		{"127.0.0.1:9809", "127.9.9.9", http.StatusOK},
		{"[::1]:9809", "[::1]:9809", http.StatusOK},
		{"[::1]:9809", "[::1]", http.StatusOK},
		{"127.0.0.1:9809", "evil.example:9809", http.StatusForbidden},
		{"127.0.0.1:9809", "localhost.evil.example", http.StatusForbidden},
		{"127.0.0.1:9809", "127.0.0.1.evil.example", http.StatusForbidden},
		{"127.0.0.1:9809", "10.0.0.7:9809", http.StatusForbidden},
		{"127.0.0.1:9809", "[::ffff:10.0.0.7]:9809", http.StatusForbidden},
		{"127.0.0.1:9809", "0.0.0.0:9809", http.StatusForbidden},
		{"127.0.0.1:9809", "localhost:80:80", http.StatusForbidden},
		{"127.0.0.1:9809", "", http.StatusForbidden},
		{"[::1]:9809", "evil.example", http.StatusForbidden},
		{"[::ffff:127.0.0.1]:9809", "evil.example", http.StatusForbidden},
		// Whoever listens on the node's address is asked by the node's name.
		{"10.0.0.7:9809", "node-a.example:9809", http.StatusOK},
	}
	h := outage().handler()
	for _, tt := range tests {
		t.Run(tt.host+" at "+tt.local, func(t *testing.T) {
			for _, path := range []string{"/", "/debug/incidents", "/nowhere"} {
				answer := askAt(t, h, http.MethodGet, path, tt.host, tt.local)
				want := tt.want
				if want == http.StatusOK && path == "/nowhere" {
					want = http.StatusNotFound
				}
				if answer.Code != want {
					t.Errorf("%s: got %d, want %d", path, answer.Code, want)
				}
				if answer.Code == http.StatusForbidden && !strings.Contains(answer.Body.String(), `"status": 403`) {
					t.Errorf("%s: no JSON error: %s", path, answer.Body)
				}
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	public := debug.NewPublic(debug.PublicConfig{
		Loops: func() []debug.Loop { return nil }, Ready: func() (bool, string) { return true, "" },
		Metrics: http.NotFoundHandler(), Now: func() time.Time { return now },
	})
	details := outage().handler()
	tests := []struct {
		handler      http.Handler
		method, path string
		want         string
		status       int
	}{
		{details, "GET", "/nowhere", "no such path; GET /debug/ lists what there is", 404},
		{details, "GET", "/debug/incidents/", "no such path; GET /debug/ lists what there is", 404},
		{details, "GET", "/debug/pprof/", "no such path; GET /debug/ lists what there is", 404},
		{details, "POST", "/nowhere", "no such path; GET /debug/ lists what there is", 404},
		{details, "GET", "/debug/incidents/none", "no such incident; GET /debug/incidents lists those that are remembered", 404},
		{details, "POST", "/", "this path takes GET, HEAD", 405},
		{details, "DELETE", "/debug/incidents/7f3a90c1d2e4b5a6", "this path takes GET, HEAD", 405},
		{details, "OPTIONS", "/debug/config", "this path takes GET, HEAD", 405},
		{details, "GET", "/debug/attempts?limit=many", "limit takes a number from 0 to 1000000", 400},
		{details, "GET", "/debug/incidents?limit=-1", "limit takes a number from 0 to 1000000", 400},
		{public, "GET", "/", "no such path; there are /healthz, /readyz and /metrics", 404},
		{public, "GET", "/debug/incidents", "no such path; there are /healthz, /readyz and /metrics", 404},
		{public, "POST", "/healthz", "this path takes GET, HEAD", 405},
		{public, "PUT", "/metrics", "this path takes GET, HEAD", 405},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			answer := ask(t, tt.handler, tt.method, tt.path, "localhost")
			if answer.Code != tt.status {
				t.Errorf("status %d, want %d", answer.Code, tt.status)
			}
			want := "{\n  \"error\": \"" + tt.want + "\",\n  \"status\": " + strconv.Itoa(tt.status) + "\n}\n"
			if got := answer.Body.String(); got != want {
				t.Errorf("got %s want %s", got, want)
			}
			if got := answer.Header().Get("Allow"); (got == "GET, HEAD") != (tt.status == 405) {
				t.Errorf("Allow is %q", got)
			}
			if got := answer.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type is %q", got)
			}
		})
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	h := outage().handler()
	for _, path := range []string{"/", "/incidents/7f3a90c1d2e4b5a6", "/debug/incidents", "/debug/config", "/nowhere"} {
		for _, host := range []string{"localhost", "evil.example"} {
			header := ask(t, h, http.MethodGet, path, host).Header()
			for name, want := range map[string]string{
				"Cache-Control":                "no-store",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Referrer-Policy":              "no-referrer",
				"X-Content-Type-Options":       "nosniff",
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s for %s: %s is %q, want %q", path, host, name, got, want)
				}
			}
			policy := header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
		}
	}
}

func TestPprof(t *testing.T) {
	w := outage()
	w.pprof = true
	h := w.handler()
	if got := get(t, h, "/debug/pprof/goroutine?debug=1"); got.Code != 200 || !strings.Contains(got.Body.String(), "goroutine profile") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	// The command line may hold a header with a token.
	if got := get(t, h, "/debug/pprof/cmdline"); got.Code != 404 {
		t.Errorf("cmdline: got %d %s", got.Code, got.Body)
	}
	if got := get(t, h, "/debug/"); !strings.Contains(got.Body.String(), "/debug/pprof/") {
		t.Errorf("not listed: %s", got.Body)
	}
}
