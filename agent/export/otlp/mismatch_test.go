package otlp_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
)

// webServer is net/http's with or without TLS, and with or without HTTP/2 over that.
func webServer(config *tls.Config, http2 bool) func(*testing.T, net.Listener) {
	return func(t *testing.T, l net.Listener) {
		h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			io.Copy(io.Discard, req.Body)
			w.WriteHeader(http.StatusNotFound)
		})
		if config == nil {
			serve(t, l, h, nil)
			return
		}
		var spoken http.Protocols
		spoken.SetHTTP1(true)
		spoken.SetHTTP2(http2)
		server := &http.Server{Handler: h, TLSConfig: config.Clone(), Protocols: &spoken, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			server.ServeTLS(l, "", "")
		}()
		t.Cleanup(func() { server.Close(); <-done })
	}
}

// grpcServer is grpc-go's with or without TLS.
func grpcServer(config *tls.Config) func(*testing.T, net.Listener) {
	return func(t *testing.T, l net.Listener) {
		var options []grpc.ServerOption
		if config != nil {
			options = append(options, grpc.Creds(credentials.NewTLS(config)))
		}
		server := grpc.NewServer(options...)
		done := make(chan struct{})
		go func() {
			defer close(done)
			server.Serve(l)
		}()
		t.Cleanup(func() { server.Stop(); <-done })
	}
}

// A receiver that speaks another protocol on this port, or TLS where we do not, refuses
// everything until somebody changes the configuration. The answer says what to change.
func TestProtocolMismatch(t *testing.T) {
	a := newAuthority(t)
	certificate := a.serverConfig()
	certificate.ClientAuth = tls.NoClientCert
	trusts := endpoint.TLS{CAFile: a.path("ca.crt")}
	// What Rust's rustls and OpenSSL answer to bytes that are no TLS: the alert unexpected_message.
	alert := func(t *testing.T, l net.Listener) {
		each(t, l, func(conn net.Conn) {
			begin := make([]byte, 1<<10)
			if n, _ := conn.Read(begin); n > 0 && begin[0] != 0x16 { // of a handshake
				io.WriteString(conn, "\x15\x03\x03\x00\x02\x02\x0a")
			} else {
				io.WriteString(conn, "\x15\x03\x03\x00\x02\x02\x28") // handshake_failure
			}
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn) // or the answer is lost in a reset
			conn.Close()
		})
	}
	banner := func(t *testing.T, l net.Listener) {
		each(t, l, func(conn net.Conn) {
			io.WriteString(conn, "SSH-2.0-OpenSSH_9.9\r\n")
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		})
	}
	const h, g = endpoint.ProtocolHTTP, endpoint.ProtocolGRPC
	tests := []struct {
		name, protocol, scheme string
		server                 func(*testing.T, net.Listener)
		want                   string
	}{
		{"HTTP to HTTPS", h, "http", webServer(certificate, true), "https://"},
		{"HTTP to a TLS alert", h, "http", alert, "https://"},
		{"HTTP to gRPC", h, "http", grpcServer(nil), "protocol grpc"},
		{"HTTP to gRPC with TLS", h, "http", grpcServer(certificate), "https://"},
		{"HTTP to SSH", h, "http", banner, "no HTTP server"},
		{"HTTPS to HTTP", h, "https", webServer(nil, false), "http://"},
		{"HTTPS to gRPC without TLS", h, "https", grpcServer(nil), "http://"},
		{"HTTPS to gRPC with TLS", h, "https", grpcServer(certificate), "415"},
		{"gRPC to HTTP", g, "http", webServer(nil, false), "protocol http/protobuf"},
		{"gRPC to HTTPS", g, "http", webServer(certificate, true), "https://"},
		{"gRPC to gRPC with TLS", g, "http", grpcServer(certificate), "https://"},
		{"gRPC to SSH", g, "http", banner, "no gRPC server"},
		{"gRPC to a TLS alert", g, "http", alert, "https://"},
		{"gRPC with TLS to HTTP", g, "https", webServer(nil, false), "http://"},
		{"gRPC with TLS to gRPC without", g, "https", grpcServer(nil), "http://"},
		{"gRPC with TLS to HTTPS with HTTP/1.1", g, "https", webServer(certificate, false), "protocol http/protobuf"},
		{"gRPC with TLS to HTTPS", g, "https", webServer(certificate, true), "404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			tt.server(t, l)
			s := newSink(t, endpoint.Config{Endpoint: tt.scheme + "://" + l.Addr().String(), Protocol: tt.protocol, TLS: trusts})
			s.Export(t.Context(), []export.Record{record(1)}) // may be a connection that broke
			for range 2 {
				v := s.Export(t.Context(), []export.Record{record(1)})
				if v.Outcome != export.Misconfigured || !strings.Contains(v.Text, tt.want) {
					t.Errorf("got %s: %s; want misconfigured: %s", v.Outcome, v.Text, tt.want)
				}
			}
		})
	}
}
