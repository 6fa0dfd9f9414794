package otlp_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

// proxy is an HTTP proxy that knows receiver.example.
type proxy struct {
	receiver string // where receiver.example is
	wants    string // Proxy-Authorization; empty for none
	refuses  int    // the status with which it refuses everybody

	mu   sync.Mutex
	seen []string // method, target and authorization
}

// ServeHTTP implements [http.Handler].
func (p *proxy) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	authorization := req.Header.Get("Proxy-Authorization")
	p.mu.Lock()
	p.seen = append(p.seen, strings.TrimSpace(req.Method+" "+req.Host+" "+authorization))
	p.mu.Unlock()
	switch {
	case p.refuses != 0:
		http.Error(w, "policy", p.refuses)
	case authorization != p.wants:
		http.Error(w, "who are you", http.StatusProxyAuthRequired)
	case req.Method == http.MethodConnect:
		p.tunnel(w)
	default:
		out := req.Clone(req.Context())
		out.URL.Host, out.RequestURI = p.receiver, ""
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := transport.RoundTrip(out)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

func (p *proxy) tunnel(w http.ResponseWriter) {
	to, err := net.Dial("tcp", p.receiver)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(from, to)
		from.Close()
	})
	io.Copy(to, from)
	to.Close()
	back.Wait()
}

// certificateOf is the certificate of a server.
func (a *authority) certificateOf(name string) tls.Certificate {
	a.t.Helper()
	a.issue(name, &x509.Certificate{DNSNames: []string{name}})
	cert, err := tls.LoadX509KeyPair(a.path(name+".crt"), a.path(name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// TestProxy: the proxy of the environment is used, with its password, and where
// it is what stops us, the answer says so.
func TestProxy(t *testing.T) {
	const password = "hunter2-hunter2"
	basic := "Basic dXNlcjpodW50ZXIyLWh1bnRlcjI="
	tests := []struct {
		name, scheme, user string
		proxy              proxy
		want               export.Outcome
		text, seen         string
	}{
		{"tunnel", "https", "", proxy{}, export.Acknowledged, "200 OK", "CONNECT receiver.example:4318"},
		{"tunnel with a password", "https", "user:" + password + "@", proxy{wants: basic}, export.Acknowledged, "200 OK", "CONNECT receiver.example:4318 " + basic},
		{"tunnel without the password", "https", "", proxy{wants: basic}, export.Misconfigured, "answers 407 Proxy Authentication Required", ""},
		{"tunnel with a wrong password", "https", "user:wrong-" + password + "@", proxy{wants: basic}, export.Misconfigured, "answers 407", ""},
		{"tunnel is forbidden", "https", "", proxy{refuses: 403}, export.Misconfigured, "answers 403 Forbidden", ""},
		{"tunnel is a bad request", "https", "", proxy{refuses: 400}, export.Misconfigured, "answers 400", ""},
		{"tunnel leads nowhere now", "https", "", proxy{receiver: "127.0.0.1:1"}, export.Retry, "answers 502 Bad Gateway", ""},
		{"plain", "http", "", proxy{}, export.Acknowledged, "200 OK", "POST receiver.example:4318"},
		{"plain with a password", "http", "user:" + password + "@", proxy{wants: basic}, export.Acknowledged, "200 OK", "POST receiver.example:4318 " + basic},
		{"plain without the password", "http", "", proxy{wants: basic}, export.Misconfigured, "407 Proxy Authentication Required", ""},
		{"plain is forbidden", "http", "", proxy{refuses: 403}, export.Misconfigured, "403 Forbidden: policy", ""},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthority(t)
			receiver := otlptest.Config{}
			if tt.scheme == "https" {
				receiver.TLS = &tls.Config{Certificates: []tls.Certificate{a.certificateOf("receiver.example")}}
			}
			r := listen(t, endpoint.ProtocolHTTP, receiver)
			if tt.proxy.receiver == "" {
				tt.proxy.receiver = r.Addr()
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			serve(t, l, tt.proxy.ServeHTTP, nil)
			t.Setenv("HTTP_PROXY", "http://"+tt.user+l.Addr().String())
			t.Setenv("HTTPS_PROXY", "http://"+tt.user+l.Addr().String())
			t.Setenv("NO_PROXY", "")

			s := newSink(t, endpoint.Config{
				Endpoint: tt.scheme + "://receiver.example:4318/v1/logs", TLS: endpoint.TLS{CAFile: a.path("ca.crt")},
			})
			v := s.Export(t.Context(), []export.Record{record(1)})
			if v.Outcome != tt.want || !strings.Contains(v.Text, tt.text) {
				t.Errorf("verdict: got %+v, want %s: %s", v, tt.want, tt.text)
			}
			if strings.Contains(v.Text, password) || strings.Contains(v.Text, "dXNlcjpo") {
				t.Errorf("verdict shows the password: %s", v.Text)
			}
			if tt.proxy.seen[0] != tt.seen && tt.seen != "" {
				t.Errorf("proxy saw %q, want %q", tt.proxy.seen[0], tt.seen)
			}
			if n := len(r.Requests()); (n > 0) != (tt.want == export.Acknowledged) {
				t.Errorf("receiver got %d requests", n)
			}
		})
	}
}
