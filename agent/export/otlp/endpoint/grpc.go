package endpoint

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// MaxAnswer bounds an answer over gRPC, in bytes, far above what one to logs
// needs. It is odd on purpose: grpc-go words its own complaint about an answer
// like a receiver's about a request, and tells only the bound.
const MaxAnswer = 256<<10 + 77

// Conn returns a gRPC connection, which is made at its first use. The caller
// closes it. An HTTP proxy is not used.
func (e *Endpoint) Conn() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if e.url.Scheme == "https" {
		creds = renewed{TransportCredentials: credentials.NewTLS(e.tls.config()), files: e.tls}
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent(e.cfg.UserAgent),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return e.dial.DialContext(ctx, "tcp", addr)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			// Shorter than the exporter's own waits, which are the ones that count.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: connectTimeout,
		}),
		// Does for a dead connection what TCP's own timeouts take too long for.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithMaxHeaderListSize(maxAnswerHeader),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxAnswer)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithUnaryInterceptor(e.withHeaders),
	}
	if e.Compresses() {
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	// passthrough: the dialer resolves, and knows what to do when it cannot.
	conn, err := grpc.NewClient("passthrough:///"+e.hostPort(), opts...)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return conn, nil
}

// renewed is TLS with the files as they are at each handshake.
type renewed struct {
	credentials.TransportCredentials

	files *tlsFiles
}

// ClientHandshake implements [credentials.TransportCredentials].
func (r renewed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(r.files.config()).ClientHandshake(ctx, authority, conn)
}

// Clone implements [credentials.TransportCredentials].
func (r renewed) Clone() credentials.TransportCredentials { return r }

// withHeaders sends the headers as metadata and bounds the call. At a port that speaks another
// protocol a call fails with a [MismatchError].
func (e *Endpoint) withHeaders(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	md := metadata.MD{}
	for name, values := range e.sent() {
		md.Set(strings.ToLower(name), values...)
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, md), e.cfg.Timeout)
	defer cancel()
	err := invoke(ctx, method, req, reply, cc, opts...)
	if err != nil {
		return e.mismatchGRPC(ctx, err)
	}
	e.seen.clear()
	return nil
}

func (e *Endpoint) hostPort() string {
	if e.url.Port() != "" {
		return e.url.Host
	}
	port := "443"
	if e.url.Scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(e.url.Hostname(), port)
}
