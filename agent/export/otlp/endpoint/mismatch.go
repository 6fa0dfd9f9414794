package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// MismatchError says that the receiver's port speaks another protocol than the one that is
// configured, so that every request will fail until the configuration is changed.
type MismatchError struct {
	// Advice says what was found and what to change.
	Advice string
	// Err is the error or the answer that shows it.
	Err error
}

// Error implements error.
func (e *MismatchError) Error() string { return e.Advice + " (" + e.Err.Error() + ")" }

// Unwrap is for errors.As.
func (e *MismatchError) Unwrap() error { return e.Err }

// GRPCStatus is for [status.FromError].
func (e *MismatchError) GRPCStatus() *status.Status { return status.Convert(e.Err) }

// What is found, and what to change.
const (
	adviceNoTLS  = "this port does not speak TLS: write http:// in the endpoint, or use the receiver's port with TLS"
	adviceTLS    = "this port speaks TLS: write https:// in the endpoint, or use the receiver's port without TLS"
	adviceGRPC   = "this port speaks only HTTP/2, as gRPC does: set protocol grpc, or use the receiver's port for OTLP over HTTP, usually 4318"
	adviceHTTP   = "this port speaks HTTP/1.1 and not gRPC: set protocol http/protobuf, or use the receiver's port for gRPC, usually 4317"
	adviceNoHTTP = "no HTTP server answers on this port: use the receiver's port for OTLP over HTTP, usually 4318"
	adviceNoGRPC = "no gRPC server answers on this port: use the receiver's port for gRPC, usually 4317"
	adviceProxy  = "the proxy does not speak TLS: write http:// in HTTPS_PROXY"
)

// mismatchHTTP is err, or what it shows. The words are those of Go 1.26 net/http transport.go
// and crypto/tls conn.go, which give them no type that survives, or only some of them.
func (e *Endpoint) mismatchHTTP(ctx context.Context, err error, proxied bool) error {
	text := err.Error()
	has := func(words string) bool { return strings.Contains(text, words) }
	var advice string
	switch {
	case has("server gave HTTP response to HTTPS client"), has("first record does not look like a TLS handshake"):
		advice = adviceNoTLS
		if has("proxyconnect") {
			advice = adviceProxy
		}
	case has(`malformed HTTP response "\x15\x03`): // a TLS alert
		advice = adviceTLS
	case has(`malformed HTTP response "\x00\x00`): // the SETTINGS of HTTP/2
		advice = adviceGRPC
	case has("readLoopPeekFailLocked: %!w(<nil>)") && !proxied && e.greetsHTTP2(ctx): // the server spoke first
		advice = adviceGRPC
	case has("malformed HTTP"), has("readLoopPeekFailLocked: %!w(<nil>)"):
		advice = adviceNoHTTP
	case (errors.Is(err, io.EOF) || has("connection reset")) && !proxied && e.speaksTLS(ctx):
		advice = adviceTLS
	default:
		e.seen.clear()
		return err
	}
	return e.seen.again(advice, err)
}

// wantsTLS is the error where a status 400 is about http in place of https, in the words of
// Go's server, of nginx or of Apache; nil else. The answer stays readable.
func wantsTLS(resp *http.Response) error {
	if resp.StatusCode != http.StatusBadRequest {
		return nil
	}
	const enough = 1 << 10
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, enough)) //nolint:errcheck // the next to read gets the error
	for _, words := range []string{"HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port", "speaking plain HTTP to an SSL-enabled"} {
		if bytes.Contains(begin, []byte(words)) {
			resp.Body.Close()
			return &MismatchError{Advice: adviceTLS, Err: fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(begin))}
		}
	}
	resp.Body = &rest{Reader: io.MultiReader(bytes.NewReader(begin), resp.Body), Closer: resp.Body}
	return nil
}

// rest is an answer that was read in part.
type rest struct {
	io.Reader
	io.Closer
}

// mismatchGRPC is err, or what it shows. grpc-go v1.85 (internal/transport/http2_client.go,
// credentials/tls.go) has only words for why there is no connection; those about frames are
// of golang.org/x/net/http2.
func (e *Endpoint) mismatchGRPC(ctx context.Context, err error) error {
	s, ok := status.FromError(err)
	if !ok || s.Code() != codes.Unavailable || !strings.HasPrefix(s.Message(), "connection error: ") {
		e.seen.clear()
		return err
	}
	has := func(words string) bool { return strings.Contains(s.Message(), words) }
	var advice string
	switch {
	case has("first record does not look like a TLS handshake"):
		advice = adviceNoTLS
	case has("missing selected ALPN property"), has("no application protocol"), has("looked like an HTTP/1.1 header"):
		advice = adviceHTTP
	case !has("error reading server preface"):
		e.seen.clear()
		return err
	case e.speaksTLS(ctx):
		advice = adviceTLS
	case has("http2: "):
		advice = adviceNoGRPC
	default:
		e.seen.clear()
		return err // it only hung up
	}
	return e.seen.again(advice, err)
}

// suspicion is what the last request found, if it found a mismatch.
type suspicion struct {
	mu     sync.Mutex
	advice string
}

// again returns a [MismatchError] if the request before has found the same, else err: a
// connection that breaks at the wrong moment may look like another protocol once.
func (s *suspicion) again(advice string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advice == advice {
		return &MismatchError{Advice: advice, Err: err}
	}
	s.advice = advice
	return err
}

// clear notes that a request has found none.
func (s *suspicion) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advice = ""
}

// probeEvery bounds how often a receiver is asked whether it speaks TLS.
const probeEvery = time.Minute

// tlsProbe remembers whether a receiver that is configured without TLS speaks it.
type tlsProbe struct {
	mu     sync.Mutex
	at     time.Time
	speaks bool
}

// speaksTLS begins a TLS handshake with a receiver that is configured without TLS. Most
// servers hang up on bytes that are no TLS and say nothing, so this is how to tell them from
// one that is about to restart. Nothing is sent but the handshake.
func (e *Endpoint) speaksTLS(ctx context.Context) bool {
	if e.url.Scheme != "http" {
		return false
	}
	e.probe.mu.Lock()
	defer e.probe.mu.Unlock()
	if !e.probe.at.IsZero() && time.Since(e.probe.at) < probeEvery {
		return e.probe.speaks
	}
	e.probe.at, e.probe.speaks = time.Now(), false
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := e.dial.DialContext(ctx, "tcp", e.hostPort())
	if err != nil {
		return false
	}
	defer conn.Close()
	e.probe.speaks = handshakes(ctx, conn, e.url.Hostname())
	return e.probe.speaks
}

// greetsHTTP2 reports whether a server sends the SETTINGS of HTTP/2 (RFC 9113 section 6.5)
// before it is asked anything. Go's client only logs what it got then.
func (e *Endpoint) greetsHTTP2(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := e.dial.DialContext(ctx, "tcp", e.hostPort())
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline) //nolint:errcheck // then the read fails
	}
	const settings = 4 // the type of the frame, behind its length
	var head [4]byte
	_, err = io.ReadFull(conn, head[:])
	return err == nil && head[0] == 0 && head[3] == settings
}

// handshakes reports whether the peer answers a TLS handshake, be it with an alert.
func handshakes(ctx context.Context, conn net.Conn, name string) bool {
	//nolint:gosec // nothing is sent: it is only asked whether TLS is spoken
	client := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	err := client.HandshakeContext(ctx)
	if err == nil {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "remote error" // an alert: Go 1.26 crypto/tls conn.go
	}
	_, foreign := errors.AsType[tls.RecordHeaderError](err)
	return !foreign && strings.HasPrefix(err.Error(), "tls: ")
}
