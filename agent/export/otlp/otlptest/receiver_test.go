package otlptest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export/otlp/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// good is a request that has nothing wrong with it; change spoils it.
func good(change func(*logspb.ResourceLogs, *logspb.LogRecord)) []byte {
	lr := &logspb.LogRecord{
		TimeUnixNano: 1, ObservedTimeUnixNano: 2, SeverityNumber: 13, SeverityText: "WARN", EventName: "e", Body: text("b"),
		Attributes: []*commonpb.KeyValue{{Key: "a", Value: text("1")}},
	}
	rl := &logspb.ResourceLogs{
		Resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: text("s")}}},
		ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{lr}}},
	}
	change(rl, lr)
	b, err := proto.Marshal(&collogpb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{rl}})
	if err != nil {
		panic(err)
	}
	return b
}

func TestStrictness(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*logspb.ResourceLogs, *logspb.LogRecord)
	}{
		{"good", "", func(*logspb.ResourceLogs, *logspb.LogRecord) {}},
		{"no service.name", "no service.name", func(rl *logspb.ResourceLogs, _ *logspb.LogRecord) { rl.Resource = nil }},
		{"no records", "without a record", func(rl *logspb.ResourceLogs, _ *logspb.LogRecord) { rl.ScopeLogs = nil }},
		{"no time", "time is not set", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.TimeUnixNano = 0 }},
		{"no observed time", "observed time is not set", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.ObservedTimeUnixNano = 0 }},
		{"no severity", "severity number: got 0", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.SeverityNumber = 0 }},
		{"no severity text", "severity text", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.SeverityText = "" }},
		{"no event name", "event name", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.EventName = "" }},
		{"no body", "body is not a string", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.Body = nil }},
		{"key twice", "attribute a is there twice", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) {
			lr.Attributes = append(lr.Attributes, lr.Attributes[0])
		}},
		{"no key", "without a key", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.Attributes[0].Key = "" }},
		{"no value", "value of type <nil>", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) { lr.Attributes[0].Value = nil }},
		{"key of the resource", "attribute service.name is one of the resource too", func(_ *logspb.ResourceLogs, lr *logspb.LogRecord) {
			lr.Attributes[0].Key = "service.name"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := listen(t)
			status, answer := post(t, r.URL(), good(tt.change), nil)
			records := r.Records()
			switch {
			case tt.want == "" && (status != 200 || len(records) != 1 || r.Problems() != nil):
				t.Errorf("got %d %s, %d records, %v", status, answer, len(records), r.Problems())
			case tt.want != "" && (status != 400 || len(records) != 0 || !strings.Contains(answer, tt.want) || !strings.Contains(r.Problems().Error(), tt.want)):
				t.Errorf("got %d %s, %d records, %v; want 400 %s", status, answer, len(records), r.Problems(), tt.want)
			}
		})
	}
}

func TestTransportStrictness(t *testing.T) {
	body := good(func(*logspb.ResourceLogs, *logspb.LogRecord) {})
	tests := []struct {
		name, want, path string
		body             []byte
		change           func(*http.Request)
	}{
		{"content type", "content type", "", body, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		{"encoding", "content encoding", "", body, func(r *http.Request) { r.Header.Set("Content-Encoding", "br") }},
		{"not gzip", "gzip", "", body, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
		{"method", "method", "", body, func(r *http.Request) { r.Method = http.MethodPut }},
		{"path", "path: got /v1/logs/more", "/more", body, nil},
		{"not protobuf", "not an ExportLogsServiceRequest", "", []byte("\xff"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := listen(t)
			status, answer := post(t, r.URL()+tt.path, tt.body, tt.change)
			if status != 400 || !strings.Contains(answer, tt.want) {
				t.Errorf("got %d %s, want 400 %s", status, answer, tt.want)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	_, _ = gz.Write(good(func(*logspb.ResourceLogs, *logspb.LogRecord) {}))
	_ = gz.Close()
	r := listen(t)
	n := packed.Len()
	status, answer := post(t, r.URL(), packed.Bytes(), func(req *http.Request) { req.Header.Set("Content-Encoding", "gzip") })
	if status != 200 || r.Requests()[0].Bytes != n {
		t.Errorf("got %d %s, %+v", status, answer, r.Requests())
	}
}

func TestWait(t *testing.T) {
	r := listen(t)
	got := make(chan int, 1)
	go func() {
		records, err := r.Wait(t.Context(), 2)
		if err != nil {
			t.Error(err)
		}
		got <- len(records)
	}()
	body := good(func(*logspb.ResourceLogs, *logspb.LogRecord) {})
	r.Answer(otlptest.Answer{}, otlptest.Answer{Status: 503})
	for range 3 {
		post(t, r.URL(), body, nil)
	}
	if n := <-got; n != 2 {
		t.Errorf("got %d records, want 2: the one answered with 503 does not count", n)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop"))
	if records, err := r.Wait(ended, 5); len(records) != 2 || err == nil || err.Error() != "wait for records: got 2, want 5: stop" {
		t.Errorf("got %d records, %v", len(records), err)
	}
	if requests, err := r.WaitRequests(t.Context(), 3); len(requests) != 3 || requests[1].Answer != 503 || err != nil {
		t.Errorf("got %+v, %v", requests, err)
	}
}

func TestOnRecord(t *testing.T) {
	var seen []string
	r, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: func(r otlptest.Record) { seen = append(seen, r.Name) }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	post(t, r.URL(), good(func(*logspb.ResourceLogs, *logspb.LogRecord) {}), nil)
	if len(seen) != 1 || len(r.Records()) != 0 {
		t.Errorf("seen %v, kept %v", seen, r.Records())
	}
}

func listen(t *testing.T) *otlptest.Receiver {
	t.Helper()
	r, err := otlptest.ListenHTTP(otlptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func post(t *testing.T, url string, body []byte, change func(*http.Request)) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if change != nil {
		change(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
