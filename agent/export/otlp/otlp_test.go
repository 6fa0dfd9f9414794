package otlp_test

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var resource = []attribute.KeyValue{
	attribute.String("service.name", "pullcause"),
	attribute.String("k8s.node.name", "node-1"),
	attribute.Int("pullcause.int", 7),
	attribute.Bool("pullcause.bool", true),
	attribute.Float64("pullcause.float", 1.5),
	attribute.StringSlice("pullcause.list", []string{"a", "b"}),
}

func listen(t *testing.T, protocol string, cfg otlptest.Config) *otlptest.Receiver {
	t.Helper()
	start := otlptest.ListenHTTP
	if protocol == endpoint.ProtocolGRPC {
		start = otlptest.ListenGRPC
	}
	r, err := start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func newSink(t *testing.T, cfg endpoint.Config) *otlp.Sink {
	t.Helper()
	s, err := otlp.New(otlp.Config{Endpoint: cfg, Resource: func() []attribute.KeyValue { return resource }, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestRecordsArriveWhole(t *testing.T) {
	tests := []struct {
		protocol, compression, encoding string
	}{
		{endpoint.ProtocolHTTP, endpoint.CompressionGzip, "gzip"},
		{endpoint.ProtocolHTTP, endpoint.CompressionNone, ""},
		{endpoint.ProtocolGRPC, endpoint.CompressionGzip, ""},
		{endpoint.ProtocolGRPC, endpoint.CompressionNone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.protocol+" "+tt.compression, func(t *testing.T) {
			r := listen(t, tt.protocol, otlptest.Config{})
			s := newSink(t, endpoint.Config{
				Endpoint: r.URL(), Protocol: tt.protocol, Compression: tt.compression,
				Headers: map[string]string{"Cube-Stream-Fields": "service.name"}, UserAgent: "pullcause/1.2.3",
			})
			for range 2 { // buffers are used again
				v := s.Export(t.Context(), []export.Record{record(1), record(2), record(3)})
				if v.Outcome != export.Acknowledged {
					t.Fatalf("verdict: %+v", v)
				}
			}
			got, err := r.Wait(t.Context(), 6)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range got {
				wantRecord(t, g, record(i%3+1))
			}
			seen := r.Requests()[0]
			if seen.Header.Get("Cube-Stream-Fields") != "service.name" || seen.Header.Get("Content-Encoding") != tt.encoding ||
				!strings.HasPrefix(seen.Header.Get("User-Agent"), "pullcause/1.2.3") {
				t.Errorf("headers: %v", seen.Header)
			}
		})
	}
}

func wantRecord(t *testing.T, got otlptest.Record, want export.Record) {
	t.Helper()
	attrs := map[string]any{}
	for _, a := range want.Attributes {
		attrs[a.Key] = a.Value
	}
	number := map[string]int{"INFO": 9, "WARN": 13, "ERROR": 17}[want.Severity]
	wanted := otlptest.Record{
		Name: want.Name, Time: want.Time, Observed: want.Observed, Received: got.Received,
		Severity: want.Severity, SeverityNumber: number, Body: want.Body, Attributes: attrs,
		Resource: map[string]any{
			"service.name": "pullcause", "k8s.node.name": "node-1", "pullcause.int": int64(7),
			"pullcause.bool": true, "pullcause.float": 1.5, "pullcause.list": []string{"a", "b"},
		},
	}
	if diff := gocmp.Diff(wanted, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestVerdictHTTP(t *testing.T) {
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for pair := range slices.Chunk(pairs, 2) {
			h.Set(pair[0], pair[1])
		}
		return h
	}
	tests := []struct {
		name   string
		answer otlptest.Answer
		want   export.Verdict
	}{
		{"empty answer, as VictoriaLogs gives", otlptest.Answer{}, export.Verdict{Outcome: export.Acknowledged, Text: "200 OK"}},
		{"no content", otlptest.Answer{Status: 204}, export.Verdict{Outcome: export.Acknowledged, Text: "204 No Content"}},
		{"partial success", otlptest.Answer{Refused: 2, Message: "too old"}, export.Verdict{Outcome: export.Acknowledged, Refused: 2, Text: "200 OK: too old"}},
		{"JSON", otlptest.Answer{Header: header("Content-Type", "application/json; charset=utf-8"), Body: `{"partialSuccess":{}}`}, export.Verdict{Outcome: export.Acknowledged, Text: "200 OK"}},
		{"some other JSON", otlptest.Answer{Header: header("Content-Type", "application/json"), Body: `{"error":"login"}`}, export.Verdict{Outcome: export.Misconfigured, Text: `200 OK, but the answer is not what its type "application/json" says: this is no OTLP receiver`}},
		{"login page", otlptest.Answer{Header: header("Content-Type", "text/html"), Body: "<html>please log in</html>"}, export.Verdict{Outcome: export.Misconfigured, Text: `200 OK, but the answer is "text/html": this is no OTLP receiver`}},
		{"not protobuf", otlptest.Answer{Body: "\xff\xff\xff"}, export.Verdict{Outcome: export.Misconfigured, Text: `200 OK, but the answer is not what its type "application/x-protobuf" says: this is no OTLP receiver`}},
		{"redirect", otlptest.Answer{Status: 302, Header: header("Location", "https://user:secret@login.example/")}, export.Verdict{Outcome: export.Misconfigured, Text: "302 Found, redirects to https://REDACTED@login.example/"}},
		{"permanent redirect", otlptest.Answer{Status: 308, Header: header("Location", "/elsewhere")}, export.Verdict{Outcome: export.Misconfigured, Text: "308 Permanent Redirect, redirects to /elsewhere"}},
		{"unauthorized", otlptest.Answer{Status: 401}, export.Verdict{Outcome: export.Misconfigured, Text: "401 Unauthorized"}},
		{"forbidden", otlptest.Answer{Status: 403, Header: header("Content-Type", "text/plain"), Body: " no\n such  key "}, export.Verdict{Outcome: export.Misconfigured, Text: "403 Forbidden: no such key"}},
		{"not found", otlptest.Answer{Status: 404, Header: header("Content-Type", "text/html"), Body: "<html>"}, export.Verdict{Outcome: export.Misconfigured, Text: "404 Not Found"}},
		{"method", otlptest.Answer{Status: 405}, export.Verdict{Outcome: export.Misconfigured, Text: "405 Method Not Allowed"}},
		{"encoding not known", otlptest.Answer{Status: 415}, export.Verdict{Outcome: export.Misconfigured, Text: "415 Unsupported Media Type"}},
		{"bad request", otlptest.Answer{Status: 400}, export.Verdict{Outcome: export.Rejected, Text: "400 Bad Request"}},
		{"too large", otlptest.Answer{Status: 413}, export.Verdict{Outcome: export.Rejected, Text: "413 Request Entity Too Large"}},
		{"unprocessable", otlptest.Answer{Status: 422}, export.Verdict{Outcome: export.Rejected, Text: "422 Unprocessable Entity"}},
		{"request timeout", otlptest.Answer{Status: 408}, export.Verdict{Outcome: export.Retry, Text: "408 Request Timeout"}},
		{"too many", otlptest.Answer{Status: 429, Header: header("Retry-After", "7")}, export.Verdict{Outcome: export.Retry, After: 7 * time.Second, Text: "429 Too Many Requests"}},
		{"date gone by", otlptest.Answer{Status: 503, Header: header("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")}, export.Verdict{Outcome: export.Retry, Text: "503 Service Unavailable"}},
		{"nonsense", otlptest.Answer{Status: 500, Header: header("Retry-After", "soon")}, export.Verdict{Outcome: export.Retry, Text: "500 Internal Server Error"}},
		{"closed", otlptest.Answer{Close: true}, export.Verdict{Outcome: export.Retry, Text: "EOF"}},
		{"a long page", otlptest.Answer{Status: 500, Header: header("Content-Type", "text/plain"), Body: strings.Repeat("é", 1<<20)}, export.Verdict{Outcome: export.Retry, Text: "500 Internal Server Error: " + strings.Repeat("é", (512-27)/2) + "…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := listen(t, endpoint.ProtocolHTTP, otlptest.Config{})
			s := newSink(t, endpoint.Config{Endpoint: r.URL()})
			r.Answer(tt.answer)
			got := s.Export(t.Context(), []export.Record{record(1), record(2)})
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if n := len(r.Requests()); n != 1 {
				t.Errorf("requests: got %d, want 1", n)
			}
		})
	}
}

func TestVerdictGRPC(t *testing.T) {
	tests := []struct {
		answer otlptest.Answer
		want   export.Verdict
	}{
		{otlptest.Answer{}, export.Verdict{Outcome: export.Acknowledged, Text: "OK"}},
		{otlptest.Answer{Refused: 1, Message: "too old"}, export.Verdict{Outcome: export.Acknowledged, Refused: 1, Text: "OK: too old"}},
		{otlptest.Answer{Code: codes.Unavailable, Message: "later", RetryDelay: 3 * time.Second}, export.Verdict{Outcome: export.Retry, After: 3 * time.Second, Text: "Unavailable: later"}},
		{otlptest.Answer{Code: codes.ResourceExhausted, Message: "busy"}, export.Verdict{Outcome: export.Retry, Text: "ResourceExhausted: busy"}},
		{otlptest.Answer{Code: codes.ResourceExhausted, Message: "grpc: received message larger than max (5 vs. 4)"}, export.Verdict{Outcome: export.Rejected, Text: "ResourceExhausted: grpc: received message larger than max (5 vs. 4)"}},
		{otlptest.Answer{Code: codes.Internal, Message: "oops"}, export.Verdict{Outcome: export.Retry, Text: "Internal: oops"}},
		{otlptest.Answer{Code: codes.Unauthenticated, Message: "who"}, export.Verdict{Outcome: export.Misconfigured, Text: "Unauthenticated: who"}},
		{otlptest.Answer{Code: codes.PermissionDenied}, export.Verdict{Outcome: export.Misconfigured, Text: "PermissionDenied:"}},
		{otlptest.Answer{Code: codes.Unimplemented}, export.Verdict{Outcome: export.Misconfigured, Text: "Unimplemented:"}},
		{otlptest.Answer{Code: codes.InvalidArgument, Message: "bad"}, export.Verdict{Outcome: export.Rejected, Text: "InvalidArgument: bad"}},
	}
	r := listen(t, endpoint.ProtocolGRPC, otlptest.Config{})
	s := newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: endpoint.ProtocolGRPC})
	for _, tt := range tests {
		t.Run(cmp.Or(tt.answer.Message, tt.answer.Code.String()), func(t *testing.T) {
			r.Answer(tt.answer)
			got := s.Export(t.Context(), []export.Record{record(1)})
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReceiverAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port where nobody listens in a moment
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		s := newSink(t, endpoint.Config{Endpoint: "http://" + l.Addr().String(), Protocol: protocol})
		if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Retry || !strings.Contains(v.Text, "connection refused") {
			t.Errorf("%s: got %+v", protocol, v)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if v := s.Export(ended, []export.Record{record(1)}); v.Outcome != export.Retry {
			t.Errorf("%s: got %+v", protocol, v)
		}
	}
}

func TestSlowReceiver(t *testing.T) {
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		r := listen(t, protocol, otlptest.Config{})
		r.Answer(otlptest.Answer{Delay: time.Minute})
		s := newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: protocol, Timeout: 50 * time.Millisecond})
		if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Retry {
			t.Errorf("%s: got %+v", protocol, v)
		}
	}
}

// TestEnvironmentIsNotRead: what the configuration says stands, whatever the
// variables of the SDK say.
func TestEnvironmentIsNotRead(t *testing.T) {
	for _, signal := range []string{"", "LOGS_"} {
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"ENDPOINT", "http://127.0.0.1:1")
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"HEADERS", "x-wrong=1")
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"COMPRESSION", "gzip")
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"CERTIFICATE", "/nowhere")
	}
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=wrong")
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		r := listen(t, protocol, otlptest.Config{})
		s := newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: protocol, Compression: endpoint.CompressionNone})
		if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Acknowledged {
			t.Fatalf("verdict: %+v", v)
		}
		got, err := r.Wait(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		wantRecord(t, got[0], record(1))
		if h := r.Requests()[0].Header; h.Get("X-Wrong") != "" || h.Get("Content-Encoding") != "" {
			t.Errorf("headers: %v", h)
		}
	}
}

func TestURLIsUsedVerbatim(t *testing.T) {
	r := listen(t, endpoint.ProtocolHTTP, otlptest.Config{Path: "/api/logs/insert/opentelemetry/v1/logs"})
	url := strings.Replace(r.URL(), "://", "://user:pass@", 1) + "?_stream_fields=a,b"
	s := newSink(t, endpoint.Config{Endpoint: url})
	if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Acknowledged {
		t.Fatalf("verdict: %+v", v)
	}
	seen := r.Requests()[0]
	if want := "Basic dXNlcjpwYXNz"; seen.Header.Get("Authorization") != want {
		t.Errorf("authorization: got %q, want %q", seen.Header.Get("Authorization"), want)
	}
	if seen.Query != "_stream_fields=a,b" {
		t.Errorf("query: got %q", seen.Query)
	}
	if strings.ContainsAny(s.Name(), "@?") {
		t.Errorf("name shows credentials: %s", s.Name())
	}
}
