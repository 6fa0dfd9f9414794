package endpoint

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ok := "http://r:4318/v1/logs"
	tests := []struct {
		name string
		cfg  Config
		want string // of the error; empty for none
	}{
		{"well", Config{Endpoint: ok}, ""},
		{"grpc", Config{Endpoint: "http://r:4317", Protocol: ProtocolGRPC}, ""},
		{"grpc without scheme", Config{Endpoint: "r:4317", Protocol: ProtocolGRPC, TLS: TLS{Insecure: true}}, ""},
		{"no URL", Config{Endpoint: "r:4318"}, "endpoint: cannot be used, want http://HOST:PORT/PATH"},
		{"password is not repeated", Config{Endpoint: "ftp://user:hunter2@r"}, "endpoint: cannot be used"},
		{"nothing", Config{}, "endpoint: cannot be used"},
		{"insecure", Config{Endpoint: "https://r", TLS: TLS{Insecure: true}}, "tls.insecure: is only for a grpc endpoint without a scheme"},
		{"protocol", Config{Endpoint: ok, Protocol: "http/json"}, `protocol: got "http/json", want http/protobuf or grpc`},
		{"compression", Config{Endpoint: ok, Compression: "zstd"}, `compression: got "zstd", want gzip or none`},
		{"timeout", Config{Endpoint: ok, Timeout: -1}, "timeout: got -1ns"},
		{"header name", Config{Endpoint: ok, Headers: map[string]string{"a b": "c"}}, `headers: "a b" is not the name of a header`},
		{"header value", Config{Endpoint: ok, Headers: map[string]string{"a": "hunter2\n"}}, "headers: a: its value has characters"},
		{"header name over gRPC", Config{Endpoint: ok, Protocol: ProtocolGRPC, Headers: map[string]string{"a!b": "c"}}, `headers: "a!b" is not the name of a header that gRPC can send`},
		{"header value over gRPC", Config{Endpoint: ok, Protocol: ProtocolGRPC, Headers: map[string]string{"a": "hunter2 é"}}, "headers: a: its value has characters that gRPC cannot send"},
		{"headers file over gRPC", Config{Endpoint: ok, Protocol: ProtocolGRPC, HeadersFile: write("g", "x!: 1")}, "line 1"},
		{"binary header over gRPC", Config{Endpoint: ok, Protocol: ProtocolGRPC, Headers: map[string]string{"a-bin": "é"}}, ""},
		{"headers file", Config{Endpoint: ok, HeadersFile: write("h", "x: 1\nhunter2\n")}, "line 2: want Name: value"},
		{"no headers file", Config{Endpoint: ok, HeadersFile: dir + "/none"}, "headers_file: open"},
		{"long headers file", Config{Endpoint: ok, HeadersFile: write("long", strings.Repeat("a: b\n", 20_000))}, "larger than"},
		{"ca file", Config{Endpoint: ok, TLS: TLS{CAFile: write("ca", "x")}}, "holds no PEM certificate"},
		{"no ca file", Config{Endpoint: ok, TLS: TLS{CAFile: dir + "/none"}}, "tls: read ca_file"},
		{"half a certificate", Config{Endpoint: ok, TLS: TLS{CertFile: "x"}}, "belong together"},
		{"bad certificate", Config{Endpoint: ok, TLS: TLS{CertFile: write("c", "x"), KeyFile: write("k", "x")}}, "read client certificate"},
		{"all at once", Config{Protocol: "x", Compression: "y"}, "compression"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.cfg)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("error shows a secret: %v", err)
			}
		})
	}
}

// TestHeadersFileIsReadAgain swaps the file the way Kubernetes swaps a Secret:
// behind a symbolic link to a folder.
func TestHeadersFileIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	mount := func(version, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "headers"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "link-"+version)
		if err := os.Symlink(version, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	mount("1", "# token\nAuthorization: Bearer one\n\n")
	h, err := newHeaders(Config{
		Headers:     map[string]string{"authorization": "none", "x-fixed": "1"},
		HeadersFile: filepath.Join(dir, "..data", "headers"),
		Log:         slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := func(token string) {
		t.Helper()
		got := h.get()
		if got.Get("Authorization") != token || got.Get("X-Fixed") != "1" {
			t.Errorf("got %v, want %s", got, token)
		}
	}
	want("Bearer one")
	mount("2", "Authorization: Bearer two")
	want("Bearer two")
	mount("3", "broken")
	want("Bearer two")
	want("Bearer two")
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("log: got %d lines, want 1:\n%s", n, log.String())
	}
	mount("4", "Authorization: Bearer four")
	want("Bearer four")
	if err := os.RemoveAll(filepath.Join(dir, "4")); err != nil {
		t.Fatal(err)
	}
	want("Bearer four")
}

// TestLastAddressWhenDNSFails: a receiver that was reached by name is reached
// again when the name resolves no more.
func TestLastAddressWhenDNSFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	addr := net.JoinHostPort("localhost", port)

	learnt := 0
	d := &Dialer{Learnt: func() { learnt++ }}
	var answer error
	d.Lookup = func(context.Context, string) ([]string, error) { return nil, answer }
	dial := func() (string, error) {
		conn, err := d.DialContext(t.Context(), "tcp4", addr)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return conn.RemoteAddr().String(), nil
	}
	for _, answer = range []error{nil, nil, errors.New("no such host")} {
		if got, err := dial(); err != nil || got != l.Addr().String() {
			t.Errorf("lookup says %v: connected to %q, %v", answer, got, err)
		}
	}
	if known := d.Known(); learnt != 1 || known[addr] != l.Addr().String() {
		t.Errorf("told %d times of one address, known is %v", learnt, known)
	}
	// Proof that the last one went by the remembered address.
	d.Know(map[string]string{addr: "127.0.0.1:1"})
	if _, err := dial(); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v, want the remembered address to be refused", err)
	}
}

func TestLookupHasABoundOfItsOwn(t *testing.T) {
	d := &Dialer{last: map[string]string{"r.example:1": "127.0.0.1:1"}}
	d.Lookup = func(ctx context.Context, _ string) ([]string, error) {
		deadline, ok := ctx.Deadline()
		if !ok || time.Until(deadline) > lookupTimeout {
			t.Errorf("deadline: got %v %v", deadline, ok)
		}
		return nil, context.DeadlineExceeded
	}
	if _, err := d.DialContext(t.Context(), "tcp", "r.example:1"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseHeaders(f *testing.F) {
	f.Add([]byte("Authorization: Bearer x\n# comment\n\nX-A:1"))
	f.Add([]byte("\x00:\nA:\xff\r\n: :"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parseHeaders(text, checkHeader)
		for name, values := range parsed {
			if err != nil || checkHeader(name, values[0]) != nil {
				t.Errorf("%q: %q, %v", name, values, err)
			}
		}
	})
}
