package debug_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/debug"
)

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipeline := debug.Loop{Name: "pipeline", MaxAge: time.Minute}
		source := debug.Loop{Name: "file:/var/log/containerd.log", MaxAge: 10 * time.Second, LastTurn: time.Now()}
		h := debug.NewPublic(debug.PublicConfig{
			Loops:   func() []debug.Loop { return []debug.Loop{pipeline, source} },
			Ready:   func() (bool, string) { return true, "" },
			Metrics: http.NotFoundHandler(),
		})
		expect := func(status int, want string) {
			t.Helper()
			answer := get(t, h, "/healthz")
			if answer.Code != status || answer.Body.String() != want {
				t.Errorf("got %d %q, want %d %q", answer.Code, answer.Body, status, want)
			}
		}
		expect(200, "ok\n")

		time.Sleep(10 * time.Second)
		expect(200, "ok\n")
		time.Sleep(3 * time.Second)
		expect(503, "the loop file:/var/log/containerd.log has not turned for 13s, more than the 10s it may take\n")

		// A loop that never turned has had its time since the start.
		time.Sleep(48 * time.Second)
		source.LastTurn = time.Now()
		expect(503, "the loop pipeline has not turned for 1m1s, more than the 1m0s it may take\n")
		pipeline.LastTurn = time.Now()
		expect(200, "ok\n")

		time.Sleep(2 * time.Minute)
		expect(503, "the loop pipeline has not turned for 2m0s, more than the 1m0s it may take\n"+
			"the loop file:/var/log/containerd.log has not turned for 2m0s, more than the 10s it may take\n")
	})
}

func TestReadyAndMetrics(t *testing.T) {
	ready, why := false, "no log is being read"
	h := debug.NewPublic(debug.PublicConfig{
		Loops: func() []debug.Loop { return nil },
		Ready: func() (bool, string) { return ready, why },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "pullcause_build_info 1\n")
		}),
	})
	expect := func(path string, status int, want string) {
		t.Helper()
		// Anybody in the cluster asks, by whatever name.
		answer := ask(t, h, http.MethodGet, path, "10.1.2.3:9808")
		if answer.Code != status || answer.Body.String() != want {
			t.Errorf("%s: got %d %q, want %d %q", path, answer.Code, answer.Body, status, want)
		}
	}
	expect("/readyz", 503, "no log is being read\n")
	why = ""
	expect("/readyz", 503, "not ready\n")
	ready = true
	expect("/readyz", 200, "ok\n")
	expect("/metrics", 200, "pullcause_build_info 1\n")
}
