package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Placeholder is the URL of requests to [Endpoint.Client], which replaces it. An
// exporter of the SDK that is given it looks for none in the environment.
const Placeholder = "https://receiver.invalid/"

// Client returns an HTTP client whose every request goes to the endpoint, with
// its headers and compression, whatever URL it was made for. Redirects are not
// followed. The request's body must be protobuf, not compressed. Wrap, if not
// nil, sees the requests as they are sent and the answers first.
func (e *Endpoint) Client() *http.Client {
	tcp := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         e.dial.DialContext,
		TLSClientConfig:     e.tls.config(),
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        2,
		IdleConnTimeout:     90 * time.Second,
	}
	return &http.Client{
		Transport:     &transport{endpoint: e, tcp: tcp},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       e.cfg.Timeout,
	}
}

// transport makes a request ours. See [Endpoint.Client].
type transport struct {
	endpoint *Endpoint
	tcp      *http.Transport
	writers  sync.Pool // of *gzip.Writer
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL = t.endpoint.url
	out.Host = ""
	out.Header.Set("User-Agent", t.endpoint.cfg.UserAgent)
	if u := t.endpoint.url.User; u != nil {
		password, _ := u.Password()
		out.SetBasicAuth(u.Username(), password)
	}
	for name, values := range t.endpoint.headers.get() {
		if strings.EqualFold(name, "Host") {
			out.Host = values[0]
			continue
		}
		out.Header[name] = values
	}
	if t.endpoint.cfg.Compression == CompressionGzip && req.Body != nil && req.Body != http.NoBody {
		if err := t.compress(out); err != nil {
			return nil, err
		}
	}
	return t.tcp.RoundTrip(out)
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() { t.tcp.CloseIdleConnections() }

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
