package telemetry

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"pullcause/agent/export/otlp/endpoint"
)

// Metrics for a port that speaks another protocol fail for ever, so the agent is not ready
// and its log says what to change.
func TestProtocolMismatch(t *testing.T) {
	web := func(t *testing.T, start func(*httptest.Server)) string {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		start(server)
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	plain := func(t *testing.T) string { return web(t, (*httptest.Server).Start) }
	secure := func(t *testing.T) string { return web(t, (*httptest.Server).StartTLS) }
	rpc := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server, done := grpc.NewServer(), make(chan struct{})
		go func() {
			defer close(done)
			server.Serve(l)
		}()
		t.Cleanup(func() { server.Stop(); <-done })
		return l.Addr().String()
	}
	const h, g = endpoint.ProtocolHTTP, endpoint.ProtocolGRPC
	tests := []struct {
		name, protocol, scheme string
		server                 func(*testing.T) string
		want                   string
	}{
		{"HTTP to HTTPS", h, "http", secure, "write https://"},
		{"HTTP to gRPC", h, "http", rpc, "set protocol grpc"},
		{"HTTPS to HTTP", h, "https", plain, "write http://"},
		{"gRPC to HTTP", g, "http", plain, "set protocol http/protobuf"},
		{"gRPC to HTTPS", g, "http", secure, "write https://"},
		{"gRPC with TLS to gRPC without", g, "https", rpc, "write http://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var text strings.Builder
			p := open(t, Config{Interval: time.Hour, Log: slog.New(slog.NewTextHandler(&text, nil)), Endpoint: endpoint.Config{
				Endpoint: tt.scheme + "://" + tt.server(t), Protocol: tt.protocol, Timeout: 300 * time.Millisecond,
			}})
			if ok, why := p.Ready(); !ok {
				t.Errorf("before the first try: %s", why)
			}
			for range 3 {
				_ = p.provider.ForceFlush(t.Context())
			}
			if ok, why := p.Ready(); ok || !strings.Contains(why, tt.want) {
				t.Errorf("ready: got %t, %q; want %q", ok, why, tt.want)
			}
			if log := text.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, tt.want) {
				t.Errorf("log, want one error with %q:\n%s", tt.want, log)
			}
			_ = p.Shutdown(t.Context())
		})
	}
}
