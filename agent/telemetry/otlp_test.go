package telemetry

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	colmetricpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export/otlp/endpoint"
)

// receiver collects the metrics of the last request.
type receiver struct {
	colmetricpb.UnimplementedMetricsServiceServer

	mu       sync.Mutex
	names    map[string][]string // metric to the keys of its first point
	resource map[string]string
	fail     bool
}

func (r *receiver) Export(_ context.Context, req *colmetricpb.ExportMetricsServiceRequest) (*colmetricpb.ExportMetricsServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names, r.resource = map[string][]string{}, map[string]string{}
	for _, rm := range req.GetResourceMetrics() {
		for _, kv := range rm.GetResource().GetAttributes() {
			r.resource[kv.GetKey()] = kv.GetValue().GetStringValue()
		}
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				r.names[m.GetName()] = keys(m)
			}
		}
	}
	return &colmetricpb.ExportMetricsServiceResponse{}, nil
}

func keys(m *metricpb.Metric) []string {
	var keys []string
	if points := slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()); len(points) > 0 {
		for _, kv := range points[0].GetAttributes() {
			keys = append(keys, kv.GetKey())
		}
	}
	return keys
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	fail := r.fail
	r.mu.Unlock()
	if fail || req.URL.Path != "/v1/metrics" || req.Header.Get("X-Key") != "secret" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	gz, err := gzip.NewReader(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := io.ReadAll(gz)
	var msg colmetricpb.ExportMetricsServiceRequest
	if err != nil || proto.Unmarshal(raw, &msg) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	_, _ = r.Export(req.Context(), &msg)
}

// TestSameNamesOverOTLP: one rule file must do for both ways.
func TestSameNamesOverOTLP(t *testing.T) {
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // not what the configuration says
			r := &receiver{}
			p := open(t, Config{Interval: time.Hour, Endpoint: endpoint.Config{
				Endpoint: serve(t, r, protocol), Protocol: protocol, Headers: map[string]string{"X-Key": "secret"},
			}})
			use(p.Metrics())
			var want []string
			for _, line := range scrape(t, p, "^# TYPE pullcause_") {
				want = append(want, strings.Fields(line)[2])
			}
			if err := p.Shutdown(t.Context()); err != nil { // sends the last numbers
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(r.names))); diff != "" {
				t.Errorf("names (-metrics +OTLP):\n%s", diff)
			}
			if got := r.names["pullcause_pull_failures_total"]; !slices.Equal(got, []string{"cause", "registry"}) {
				t.Errorf("labels: got %v", got)
			}
			if r.resource["service.name"] != "pullcause" {
				t.Errorf("resource: got %v", r.resource)
			}
		})
	}
}

func serve(t *testing.T, r *receiver, protocol string) string {
	t.Helper()
	if protocol == endpoint.ProtocolHTTP {
		server := httptest.NewServer(r)
		t.Cleanup(server.Close)
		return server.URL + "/v1/metrics"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	colmetricpb.RegisterMetricsServiceServer(server, r)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); served.Wait() })
	return "http://" + l.Addr().String()
}

// TestReceiverAwayIsToldOnce: what cannot be sent is made good by the next
// numbers, and the log is not filled with it.
func TestReceiverAwayIsToldOnce(t *testing.T) {
	r := &receiver{fail: true}
	var text strings.Builder
	p := open(t, Config{Interval: time.Hour, Log: slog.New(slog.NewTextHandler(&text, nil)), Endpoint: endpoint.Config{
		Endpoint: serve(t, r, endpoint.ProtocolHTTP), Headers: map[string]string{"X-Key": "secret"},
	}})
	for range 3 {
		_ = p.provider.ForceFlush(t.Context())
	}
	r.mu.Lock()
	r.fail = false
	r.mu.Unlock()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "not taken") || !strings.Contains(lines[1], "taken again") {
		t.Errorf("log:\n%s", text.String())
	}
	if len(r.names) == 0 {
		t.Error("nothing arrived")
	}
}

// TestTokenStaysOutOfTheLog: some receivers repeat the token that they do not know, and
// explain themselves at length.
func TestTokenStaysOutOfTheLog(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "unknown access key "+r.Header.Get("X-Access")+strings.Repeat(" why", 1000), http.StatusUnauthorized)
	}))
	defer server.Close()
	var text strings.Builder
	p := open(t, Config{Interval: time.Hour, Log: slog.New(slog.NewTextHandler(&text, nil)), Endpoint: endpoint.Config{
		Endpoint: server.URL + "/v1/metrics", Headers: map[string]string{"X-Access": "opensesame"},
	}})
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := text.String()
	want := "failed to send metrics to " + server.URL + "/v1/metrics: 401 Unauthorized (body: unknown access key REDACTED why why"
	if !strings.Contains(log, want) || len(log) > 2*maxError {
		t.Errorf("log of %d bytes, want less than %d and in it %s:\n%s", len(log), 2*maxError, want, log)
	}
}

func TestWrongReceiverIsAnError(t *testing.T) {
	_, err := New(Config{Endpoint: endpoint.Config{Endpoint: "nonsense"}, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "otlp metrics: endpoint:") {
		t.Errorf("got %v", err)
	}
}
