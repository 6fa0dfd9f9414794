// Package endpoint reaches one OTLP receiver: address, headers, TLS and
// compression as configured, and nothing that the environment says besides.
// Logs and metrics share it. Start at [New]; [Endpoint.Client] is for HTTP,
// [Endpoint.Conn] for gRPC.
package endpoint

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"
)

// The protocols and compressions of a [Config].
const (
	ProtocolHTTP    = "http/protobuf"
	ProtocolGRPC    = "grpc"
	CompressionGzip = "gzip"
	CompressionNone = "none"
)

// DefaultTimeout bounds one request where the Config names no timeout.
const DefaultTimeout = 10 * time.Second

// Config says how a receiver is reached.
type Config struct {
	// Endpoint is the whole URL, used as it is. For gRPC it may also be
	// host:port; a path is not used there.
	Endpoint string
	// Protocol is http/protobuf (the default) or grpc.
	Protocol string
	// Headers are sent with each request, and those of HeadersFile, which is
	// read again when it changes, over them.
	Headers     map[string]string
	HeadersFile string
	// Compression is gzip (the default) or none.
	Compression string
	// Timeout bounds one request, from the first byte to the last of the answer.
	Timeout time.Duration
	TLS     TLS
	// UserAgent names the sender.
	UserAgent string
	// Log is told when a file cannot be read any more.
	Log *slog.Logger
	// Dialer makes the connections; nil stands for one of the Endpoint's own.
	Dialer *Dialer
}

// TLS says whom to trust and who we are. Empty fields stand for the system's
// authorities and no client certificate. New connections are made with the files
// as they are by then.
type TLS struct {
	CAFile, CertFile, KeyFile string
	// Insecure is for a gRPC endpoint that is written without a scheme: no TLS.
	Insecure bool
}

// Endpoint is a receiver that can be talked to.
type Endpoint struct {
	cfg     Config
	url     *url.URL
	dial    *Dialer
	tls     *tlsFiles
	headers *headers
	probe   tlsProbe
	seen    suspicion
}

// New checks cfg and reads the files it names. It connects to nothing.
func New(cfg Config) (*Endpoint, error) {
	cfg.Protocol = cmp.Or(cfg.Protocol, ProtocolHTTP)
	cfg.Compression = cmp.Or(cfg.Compression, CompressionGzip)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "pullcause")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dialer == nil {
		cfg.Dialer = &Dialer{}
	}
	u, errURL := parse(cfg)
	certs, errTLS := readTLS(cfg.TLS, cfg.Log)
	headers, errHeaders := newHeaders(cfg)
	if err := errors.Join(checkWords(cfg), errURL, errTLS, errHeaders); err != nil {
		return nil, err
	}
	return &Endpoint{cfg: cfg, url: u, dial: cfg.Dialer, tls: certs, headers: headers}, nil
}

// Name is the address without credentials, for people.
func (e *Endpoint) Name() string {
	return (&url.URL{Scheme: e.url.Scheme, Host: e.url.Host, Path: e.url.Path}).String()
}

// Protocol is the one in use.
func (e *Endpoint) Protocol() string { return e.cfg.Protocol }

// Compresses reports whether requests are sent compressed.
func (e *Endpoint) Compresses() bool { return e.cfg.Compression == CompressionGzip }

// Timeout bounds one request.
func (e *Endpoint) Timeout() time.Duration { return e.cfg.Timeout }

func checkWords(cfg Config) error {
	var errs []error
	if cfg.Protocol != ProtocolHTTP && cfg.Protocol != ProtocolGRPC {
		errs = append(errs, fmt.Errorf("protocol: got %q, want %s or %s", cfg.Protocol, ProtocolHTTP, ProtocolGRPC))
	}
	if cfg.Compression != CompressionGzip && cfg.Compression != CompressionNone {
		errs = append(errs, fmt.Errorf("compression: got %q, want %s or %s", cfg.Compression, CompressionGzip, CompressionNone))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: got %s, want more than 0", cfg.Timeout))
	}
	return errors.Join(errs...)
}

// parse reads the endpoint; its errors do not repeat what may hold a password.
func parse(cfg Config) (*url.URL, error) {
	if cfg.Protocol == ProtocolGRPC {
		if host, port, err := net.SplitHostPort(cfg.Endpoint); err == nil && host != "" && port != "" {
			return &url.URL{Scheme: schemeOf(cfg.TLS), Host: cfg.Endpoint}, nil
		}
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		want := "http://HOST:PORT/PATH or https://HOST:PORT/PATH"
		if cfg.Protocol == ProtocolGRPC {
			want = "HOST:PORT, http://HOST:PORT or https://HOST:PORT"
		}
		return nil, fmt.Errorf("endpoint: cannot be used, want %s", want)
	}
	if cfg.TLS.Insecure {
		return nil, fmt.Errorf("tls.insecure: is only for a grpc endpoint without a scheme, but this one says %s://", u.Scheme)
	}
	return u, nil
}

func schemeOf(t TLS) string {
	if t.Insecure {
		return "http"
	}
	return "https"
}
