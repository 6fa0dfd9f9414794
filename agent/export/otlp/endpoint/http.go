package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/net/http/httpproxy"
)

// Placeholder is the URL of requests to [Endpoint.Client], which replaces it. An
// exporter of the SDK that is given it looks for none in the environment.
const Placeholder = "https://receiver.invalid/"

// maxAnswerHeader bounds the header of an answer, in bytes.
const maxAnswerHeader = 64 << 10

// A connection whose peer has gone without a word is found dead by its silence,
// not by TCP, which would try for a quarter of an hour.
const (
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// Client returns an HTTP client whose every request goes to the endpoint, with
// its headers and compression, whatever URL it was made for. Redirects are not
// followed. The request's body must be protobuf, not compressed. Through a proxy
// that refuses, a request fails with a [ProxyError], at a port that speaks another protocol
// with a [MismatchError].
func (e *Endpoint) Client() *http.Client {
	return &http.Client{
		Transport:     &transport{endpoint: e, proxy: httpproxy.FromEnvironment().ProxyFunc()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       e.cfg.Timeout,
	}
}

// transport makes a request ours. See [Endpoint.Client].
type transport struct {
	endpoint *Endpoint
	proxy    func(*url.URL) (*url.URL, error)
	writers  sync.Pool // of *gzip.Writer

	mu  sync.Mutex
	tls *tls.Config // what tcp was made with
	tcp *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL = t.endpoint.url
	out.Host = ""
	out.Header.Set("User-Agent", t.endpoint.cfg.UserAgent)
	for name, values := range t.endpoint.sent() {
		if strings.EqualFold(name, "Host") {
			out.Host = values[0]
			continue
		}
		out.Header[name] = values
	}
	if t.endpoint.Compresses() && req.Body != nil && req.Body != http.NoBody {
		if err := t.compress(out); err != nil {
			return nil, err
		}
	}
	resp, err := t.connections().RoundTrip(out)
	if err != nil {
		proxy, _ := t.proxy(out.URL) //nolint:errcheck // it was asked before
		return nil, t.endpoint.mismatchHTTP(req.Context(), err, proxy != nil)
	}
	if err := wantsTLS(resp); err != nil {
		return nil, err
	}
	t.endpoint.seen.clear()
	return resp, nil
}

// connections are made anew when a TLS file has changed.
func (t *transport) connections() *http.Transport {
	config := t.endpoint.tls.config()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tcp != nil && t.tls == config {
		return t.tcp
	}
	if t.tcp != nil {
		t.tcp.CloseIdleConnections()
	}
	t.tls = config
	t.tcp = &http.Transport{
		Proxy:                  func(req *http.Request) (*url.URL, error) { return t.proxy(req.URL) },
		OnProxyConnectResponse: throughProxy,
		DialContext:            t.endpoint.dial.DialContext,
		TLSClientConfig:        config.Clone(),
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:           2,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
	return t.tcp
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tcp != nil {
		t.tcp.CloseIdleConnections()
	}
}

// ProxyError is the answer of a proxy that does not connect us to the receiver.
type ProxyError struct {
	Proxy  string // host:port
	Status int
	Text   string // the status in words
}

// Error implements error.
func (e *ProxyError) Error() string { return fmt.Sprintf("proxy %s answers %s", e.Proxy, e.Text) }

func throughProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Proxy: proxy.Host, Status: resp.StatusCode, Text: resp.Status}
}

// compress replaces the body. Speed is worth more than size here: records are
// alike, and level 1 leaves little more than level 6 at a third of the time. A
// length is set, since some proxies refuse a body without.
func (t *transport) compress(req *http.Request) error {
	var buf bytes.Buffer
	if req.ContentLength > 0 {
		buf.Grow(int(min(req.ContentLength/4, 1<<20)))
	}
	gz, ok := t.writers.Get().(*gzip.Writer)
	if !ok {
		var err error
		if gz, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			return fmt.Errorf("compress request: %w", err)
		}
	}
	gz.Reset(&buf)
	_, err := io.Copy(gz, req.Body)
	err = errors.Join(err, gz.Close(), req.Body.Close())
	t.writers.Put(gz)
	if err != nil {
		return fmt.Errorf("compress request: %w", err)
	}
	body := buf.Bytes()
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Encoding", "gzip")
	return nil
}
