package otlp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

var protocols = []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC}

// TestReceiverRestarts: the receiver is killed and started again on its port
// each second, while records come in.
func TestReceiverRestarts(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			testRestarts(t, protocol)
		})
	}
}

func testRestarts(t *testing.T, protocol string) {
	var mu sync.Mutex
	var got []otlptest.Record
	cfg := otlptest.Config{OnRecord: func(r otlptest.Record) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r)
	}}
	start := otlptest.ListenHTTP
	if protocol == endpoint.ProtocolGRPC {
		start = otlptest.ListenGRPC
	}
	r, err := start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Address = r.Addr()
	d := deliver(t, newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: protocol}))
	begin := time.Now()
	for i := range 4 {
		d.enqueue(i*sent/4, (i+1)*sent/4)
		time.Sleep(750 * time.Millisecond)
		r.Close()
		time.Sleep(250 * time.Millisecond)
		if r, err = start(cfg); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { r.Close() }()
	d.wait(t, 15*time.Second)
	t.Logf("%s | restarts each second | %d tries | %s", protocol, len(d.sink.all()), time.Since(begin))
	mu.Lock()
	defer mu.Unlock()
	// One that was killed between taking records and saying so gets them again.
	seen := map[any]bool{}
	got = slices.DeleteFunc(got, func(r otlptest.Record) bool {
		uid := r.Attributes[export.LogRecordUIDKey]
		again := seen[uid]
		seen[uid] = true
		return again
	})
	d.check(t, got, 0)
}

// TestResets: the connection is reset as by a load balancer, before the answer
// and in the middle of it.
func TestResets(t *testing.T) {
	for _, protocol := range protocols {
		for _, beginning := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"} {
			t.Run(fmt.Sprintf("%s after %d bytes", protocol, len(beginning)), func(t *testing.T) {
				t.Parallel()
				testReset(t, protocol, beginning)
			})
		}
	}
}

func testReset(t *testing.T, protocol, beginning string) {
	r := listen(t, protocol, otlptest.Config{})
	var resets atomic.Int32 // the endpoint may also ask whether the receiver speaks TLS
	resets.Store(2)
	if protocol == endpoint.ProtocolGRPC && beginning != "" {
		resets.Store(1) // twice the words of HTTP/1.1 would show another protocol
	}
	dialer := &endpoint.Dialer{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	each(t, l, func(conn net.Conn) {
		conn.Read(make([]byte, 1))
		conn.Write([]byte(beginning))
		conn.(*net.TCPConn).SetLinger(0) // close by a reset
		conn.Close()
	})
	dialer.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if resets.Add(-1) >= 0 {
			addr = l.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	d := deliver(t, newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: protocol, Dialer: dialer}))
	d.enqueue(0, sent)
	d.wait(t, 15*time.Second)
	d.check(t, r.Records(), 0)
}

// TestMessageLargerThanMax: a gRPC receiver in Go takes small messages only, and
// says so in words that differ with compression.
func TestMessageLargerThanMax(t *testing.T) {
	for _, compression := range []string{endpoint.CompressionGzip, endpoint.CompressionNone} {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			service := &counting{}
			server := grpc.NewServer(grpc.MaxRecvMsgSize(16 << 10))
			collogpb.RegisterLogsServiceServer(server, service)
			var served sync.WaitGroup
			served.Go(func() { server.Serve(l) })
			defer served.Wait()
			defer server.Stop()
			d := deliver(t, newSink(t, endpoint.Config{Endpoint: "http://" + l.Addr().String(), Protocol: endpoint.ProtocolGRPC, Compression: compression}))
			d.enqueue(0, sent)
			d.wait(t, 15*time.Second)
			if status := d.Status(); status.Delivered != sent || service.records != sent {
				t.Errorf("got %d records, status %+v", service.records, status)
			}
		})
	}
}

type counting struct {
	collogpb.UnimplementedLogsServiceServer

	records int
}

// Export implements the service. Requests come one after the other.
func (c *counting) Export(_ context.Context, req *collogpb.ExportLogsServiceRequest) (*collogpb.ExportLogsServiceResponse, error) {
	c.records += len(req.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords())
	return &collogpb.ExportLogsServiceResponse{}, nil
}

// TestCredentialsAreNotTold: a receiver that repeats what it was told in
// confidence does not make us write it down.
func TestCredentialsAreNotTold(t *testing.T) {
	const user, password, token, tenant, query = "usher42", "sesame-open", "tok.en-value/7", "tenant-pass", "query-key-1"
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var log strings.Builder
			r := listen(t, protocol, otlptest.Config{})
			said := fmt.Sprintf("no such key %s of %s:%s, tenant %q, %s, basic dXNoZXI0MjpzZXNhbWUtb3Blbg==", token, user, password, tenant, query)
			r.Answer(otlptest.Answer{
				Status: http.StatusUnauthorized, Code: 16, Message: said, Body: said,
				Header: headers("Content-Type", "text/plain", "Location", "https://login.example/?back="+token),
			})
			url := strings.Replace(r.URL(), "://", "://"+user+":"+password+"@", 1) + "?key=" + query
			s := newSink(t, endpoint.Config{
				Endpoint: url, Protocol: protocol, Log: slog.New(slog.NewTextHandler(&log, nil)),
				Headers: map[string]string{"X-Token": "Bearer " + token, "X-Tenant": tenant},
			})
			e := export.New(s, export.Config{Endpoint: s.Name(), Log: slog.New(slog.NewTextHandler(&log, nil))}).Start()
			e.Enqueue(record(1), nil)
			if _, err := r.WaitRequests(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if err := e.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "no such key REDACTED") {
				t.Errorf("the log does not have the answer: %s", log.String())
			}
			for _, secret := range []string{user, password, token, tenant, query, "dXNoZXI0MjpzZXNhbWUtb3Blbg"} {
				if told := log.String() + s.Name(); strings.Contains(told, secret) {
					t.Errorf("%s is told: %s", secret, told)
				}
			}
		})
	}
}

// TestUserOfURL: it is the user of the request over either protocol, and a
// configured header goes before it.
func TestUserOfURL(t *testing.T) {
	for _, protocol := range protocols {
		for want, configured := range map[string]map[string]string{
			"Basic dXNlcjpwYXNz": nil,
			"Bearer x":           {"authorization": "Bearer x"},
		} {
			r := listen(t, protocol, otlptest.Config{})
			url := strings.Replace(r.URL(), "://", "://user:pass@", 1)
			s := newSink(t, endpoint.Config{Endpoint: url, Protocol: protocol, Headers: configured})
			if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Acknowledged {
				t.Fatalf("%s: %+v", protocol, v)
			}
			if got := r.Requests()[0].Header.Get("Authorization"); got != want {
				t.Errorf("%s: authorization: got %q, want %q", protocol, got, want)
			}
		}
	}
}
