package otlp_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

// secret is a folder that is mounted and swapped as Kubernetes does it: the
// files are links into ..data, which is a link to the folder of this version.
type secret struct {
	t   *testing.T
	dir string
}

func mountSecret(t *testing.T, files map[string]string) *secret {
	s := &secret{t: t, dir: t.TempDir()}
	s.swap("v1", files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), s.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *secret) path(name string) string { return filepath.Join(s.dir, name) }

func (s *secret) swap(version string, files map[string]string) {
	s.t.Helper()
	if err := os.Mkdir(s.path(version), 0o755); err != nil {
		s.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.path(version), name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink(version, s.path("..data_tmp")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path("..data_tmp"), s.path("..data")); err != nil {
		s.t.Fatal(err)
	}
}

// TestRotatedToken: the next request has the token that was mounted before it.
func TestRotatedToken(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			r := listen(t, protocol, otlptest.Config{})
			mounted := mountSecret(t, map[string]string{"headers": "Authorization: Bearer one"})
			s := newSink(t, endpoint.Config{Endpoint: r.URL(), Protocol: protocol, HeadersFile: mounted.path("headers")})
			send := func(want string) {
				t.Helper()
				if v := s.Export(t.Context(), []export.Record{record(1)}); v.Outcome != export.Acknowledged {
					t.Fatalf("verdict: %+v", v)
				}
				seen := r.Requests()
				if got := seen[len(seen)-1].Header.Get("Authorization"); got != want {
					t.Errorf("authorization: got %q, want %q", got, want)
				}
			}
			send("Bearer one")
			mounted.swap("v2", map[string]string{"headers": "Authorization: Bearer two"}) // the same length
			send("Bearer two")
			mounted.swap("v3", nil) // its key was removed: what was read last is better than nothing
			send("Bearer two")
		})
	}
}

// TestRotatedCertificates: client certificate and authority are renewed while
// the receiver is restarted with new ones of its own.
func TestRotatedCertificates(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			testRotation(t, protocol)
		})
	}
}

// issued are the files that an authority makes for a client.
func issued(t *testing.T, a *authority) map[string]string {
	t.Helper()
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	files := map[string]string{}
	for _, name := range []string{"ca.crt", "client.crt", "client.key"} {
		text, err := os.ReadFile(a.path(name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func testRotation(t *testing.T, protocol string) {
	old, renewed := newAuthority(t), newAuthority(t)
	mounted := mountSecret(t, issued(t, old))
	log := &lines{}
	serve := func(address string, cfg *tls.Config) *otlptest.Receiver {
		return listen(t, protocol, otlptest.Config{Address: address, TLS: cfg})
	}
	r := serve("", old.serverConfig())
	s := newSink(t, endpoint.Config{
		Endpoint: r.URL(), Protocol: protocol, Log: slog.New(slog.NewTextHandler(log, nil)),
		TLS: endpoint.TLS{CAFile: mounted.path("ca.crt"), CertFile: mounted.path("client.crt"), KeyFile: mounted.path("client.key")},
	})
	send := func(want export.Outcome, complaints int) {
		t.Helper()
		var v export.Verdict
		for range 200 { // gRPC makes its next connection after a pause of its own
			v = s.Export(t.Context(), []export.Record{record(1)})
			if v.Outcome == want && strings.Count(log.String(), "TLS files cannot be used") == complaints {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("verdict: got %+v, want %s; log:\n%s", v, want, log)
	}
	send(export.Acknowledged, 0)
	address := r.Addr()
	r.Close()
	serve(address, renewed.serverConfig())
	send(export.Retry, 0)

	files := issued(t, renewed)
	mounted.swap("torn", map[string]string{"ca.crt": files["ca.crt"], "client.crt": files["client.crt"], "client.key": "half a k"})
	send(export.Retry, 1)
	mounted.swap("v2", files)
	send(export.Acknowledged, 1)
	if strings.Contains(log.String(), "half a k") {
		t.Errorf("the log shows the key: %s", log)
	}
}
