package otlp_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/agent/export/otlp/otlptest"
)

// handler serves HTTP/1.1 with h.
func handler(h http.HandlerFunc) func(*testing.T, net.Listener) {
	return func(t *testing.T, l net.Listener) { serve(t, l, h, nil) }
}

// handlerH2C serves HTTP/2 without TLS, as gRPC does, with h.
func handlerH2C(h http.HandlerFunc) func(*testing.T, net.Listener) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return func(t *testing.T, l net.Listener) { serve(t, l, h, &protocols) }
}

func serve(t *testing.T, l net.Listener, h http.HandlerFunc, protocols *http.Protocols) {
	server := &http.Server{Handler: h, Protocols: protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && !strings.Contains(err.Error(), "closed") {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
}

// page answers with a page for people.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Location", "https://login.example/")
		w.WriteHeader(status)
		io.WriteString(w, loginPage)
	}
}

// half ends the connection in the middle of an answer.
func half(w http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body)
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, "beginning")
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// grpcHalf ends the call in the middle of its message.
func grpcHalf(w http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body)
	w.Header().Set("Content-Type", "application/grpc")
	io.WriteString(w, "\x00\x00\x00\x01\x00")
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// dripping answers a byte a second.
func dripping(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(status)
		for req.Context().Err() == nil {
			io.WriteString(w, "\x0a")
			http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	}
}

// endlessBytes is how much of an endless answer, before compression, the buffers
// on the way may take.
const endlessBytes = 256 << 20

func endless(kind, encoding string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", kind)
		to := io.Writer(w)
		if encoding == "gzip" {
			w.Header().Set("Content-Encoding", encoding)
			to, _ = gzip.NewWriterLevel(w, gzip.BestSpeed)
		}
		pour(to)
	}
}

// grpcEndless announces a message of a gigabyte and sends it.
func grpcEndless(w http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body)
	w.Header().Set("Content-Type", "application/grpc")
	io.WriteString(w, "\x00\x40\x00\x00\x00")
	pour(w)
}

func pour(to io.Writer) {
	chunk := make([]byte, 64<<10)
	for n := 0; ; n += len(chunk) {
		if n > endlessBytes {
			panic("the exporter reads without end")
		}
		if _, err := to.Write(chunk); err != nil {
			return
		}
	}
}

func longHeader(w http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body)
	w.Header().Set("X-Long", strings.Repeat("x", 4<<20))
	w.WriteHeader(http.StatusOK)
}

// slow answers far too late.
func slow([]otlptest.Record) otlptest.Answer {
	return otlptest.Answer{Delay: time.Minute, Status: http.StatusServiceUnavailable, Code: codes.Unavailable}
}

// each handles connections one by one until the listener closes.
func each(t *testing.T, l net.Listener, handle func(net.Conn)) {
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { handle(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
}

// silent takes connections and requests and says nothing.
func silent(t *testing.T, l net.Listener) {
	each(t, l, func(conn net.Conn) {
		io.Copy(io.Discard, conn)
		conn.Close()
	})
}

// talks says something to who connects, and hangs up.
func talks(text string) func(*testing.T, net.Listener) {
	return func(t *testing.T, l net.Listener) {
		each(t, l, func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			io.WriteString(conn, text)
			conn.Close()
		})
	}
}

func unknownName(context.Context) (net.Conn, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "receiver.example", IsNotFound: true}
}

func hangs(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// endlessLookup is a resolver that nobody answers.
func endlessLookup(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// replace puts one file in the place of another, as whole as a rename is.
func replace(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialInto wraps the first connection that dial makes.
func dialInto(dial dialFunc, wrap func(net.Conn) net.Conn) dialFunc {
	var once sync.Once
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			once.Do(func() { conn = wrap(conn) })
		}
		return conn, err
	}
}

// blackHole is a connection that takes bytes to nowhere once it has fallen.
type blackHole struct {
	net.Conn

	fallen, closed chan struct{}
	once           sync.Once
}

func newBlackHole(conn net.Conn) *blackHole {
	return &blackHole{Conn: conn, fallen: make(chan struct{}), closed: make(chan struct{})}
}

func (b *blackHole) fall() { close(b.fallen) }

// Read implements [net.Conn].
func (b *blackHole) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	select {
	case <-b.fallen:
		<-b.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

// Write implements [net.Conn].
func (b *blackHole) Write(p []byte) (int, error) {
	select {
	case <-b.closed:
		return 0, net.ErrClosed
	case <-b.fallen:
		return len(p), nil
	default:
		return b.Conn.Write(p)
	}
}

// Close implements [net.Conn].
func (b *blackHole) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}
