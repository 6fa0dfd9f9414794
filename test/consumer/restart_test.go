package consumer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"pullcause/agent"
)

// restartsEnv is how often TestRestarts kills VictoriaLogs.
const restartsEnv = "PULLCAUSE_RESTARTS"

// TestRestarts kills VictoriaLogs with -9 under load. Whatever it has acknowledged and had
// the time to store is there, once by uid; what it has not acknowledged comes again.
func TestRestarts(t *testing.T) {
	defer took(t, time.Now())
	restarts := 3
	if text := os.Getenv(restartsEnv); text != "" {
		var err error
		if restarts, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	// VictoriaLogs says 200 before a record is on its disk, and stores it within this time:
	// by default 5s (-inmemoryDataFlushInterval).
	// It took up to 3 s here.
	const flush, window = time.Second, 4 * time.Second
	c := start(t, "-inmemoryDataFlushInterval="+flush.String())
	front := newWitness(t, c.LogsURL())
	n := newNode(t, "node-a")
	path := filepath.Join(n.root, "var", "log", "load.log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.files = []string{"containerd:/var/log/load.log"}
	stop := n.run(t, t.TempDir(), func(cfg *agent.Config) {
		cfg.OTLP.Logs.Endpoint = front.URL + logsPath
		cfg.OTLP.Logs.Headers = map[string]string{cubeHeader + streamFields: streams()}
		cfg.Pulls.JoinWindow = 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan int, 1)
	go func() { written <- load(ctx, log) }()
	var kills []time.Time
	for i := range restarts {
		time.Sleep(7 * flush)
		kills = append(kills, time.Now())
		if err := c.Restart(t.Context(), time.Duration(i%3)*500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	total := <-written
	for deadline := time.Now().Add(90 * time.Second); front.count() < total && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	acked := front.acknowledged()
	if len(acked) != total {
		t.Errorf("%d of %d pulls were acknowledged", len(acked), total)
	}
	there := map[string]bool{}
	records := rows(t, c, `{service.name="pullcause"}`)
	for _, r := range records {
		there[r["log.record.uid"]] = true
	}
	young := 0
	for uid, at := range acked {
		if there[uid] {
			continue
		}
		if !dying(at, kills, window) {
			t.Errorf("%s was acknowledged at %s and is gone; killed at %v", uid, at.Format(time.StampMilli), kills)
		}
		young++
	}
	t.Logf("%d kills: %d failed pulls, all acknowledged; %d there by uid in %d rows; %d were acknowledged within %s before a kill and are gone",
		restarts, total, len(there), len(records), young, window)
}

// dying reports whether a receiver that answered then was killed within a while.
func dying(at time.Time, kills []time.Time, within time.Duration) bool {
	for _, kill := range kills {
		if d := kill.Sub(at); d >= -within/10 && d < within {
			return true
		}
	}
	return false
}

// load writes 20 failed pulls a second and returns their number.
func load(ctx context.Context, log io.Writer) (n int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; n++ {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		image := fmt.Sprintf("registry.example.com/load/app:v%d", n)
		fmt.Fprintf(log, "time=%q level=error msg=\"PullImage \\\"%s\\\" failed\" error=\"failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/load/app/manifests/v%d: 403 Forbidden\"\n",
			time.Now().UTC().Format(time.RFC3339Nano), image, n)
	}
}

// witness stands before the receiver and notes which records it acknowledges, and when.
type witness struct {
	*httptest.Server

	mu    sync.Mutex
	acked map[string]time.Time
}

func newWitness(t *testing.T, receiver string) *witness {
	t.Helper()
	target, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	target.Path = ""
	w := &witness{acked: map[string]time.Time{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) }
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := &statusWriter{ResponseWriter: rw}
		proxy.ServeHTTP(answer, r)
		if answer.status == http.StatusOK {
			w.note(t, body)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// note reads the uids out of a request that was acknowledged.
func (w *witness) note(t *testing.T, body []byte) {
	gz, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	text, err := io.ReadAll(gz)
	var request collogpb.ExportLogsServiceRequest
	if err != nil || proto.Unmarshal(text, &request) != nil {
		t.Error("the agent sent no OTLP")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				for _, kv := range record.GetAttributes() {
					if kv.GetKey() == "log.record.uid" {
						w.acked[kv.GetValue().GetStringValue()] = time.Now()
					}
				}
			}
		}
	}
}

func (w *witness) count() int { return len(w.acknowledged()) }

func (w *witness) acknowledged() map[string]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.acked)
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}
