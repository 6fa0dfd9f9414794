package agent

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// check finds what is wrong with the receivers as they are in effect, and what contradicts
// itself: nothing that is set may be without effect.
func (o OTLPConfig) check() []error {
	errs := o.checkCubeAPM()
	if len(errs) == 0 {
		o = o.effective()
	}
	errs = append(errs, o.Logs.check("otlp.logs")...)
	return append(errs, o.Metrics.check("otlp.metrics")...)
}

func (o OTLPConfig) checkCubeAPM() []error {
	if o.CubeAPM == "" {
		return nil
	}
	got := strconv.Quote(MaskURL(o.CubeAPM))
	var errs []error
	if u, err := url.Parse(o.CubeAPM); err != nil || !isWeb(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		errs = append(errs, ConfigError{Key: "otlp.cubeapm", Got: got, Want: "http://HOST:3130 without a path"})
	}
	for _, other := range []struct {
		key      string
		receiver ReceiverConfig
	}{{"otlp.logs.protocol", o.Logs}, {"otlp.metrics.protocol", o.Metrics.ReceiverConfig}} {
		if other.receiver.Endpoint == "" && other.receiver.Protocol == ProtocolGRPC {
			errs = append(errs, ConfigError{
				Key: "otlp.cubeapm", Also: other.key, Got: got + " and " + other.key + " " + strconv.Quote(ProtocolGRPC),
				Want: ProtocolHTTP + ", which is what CubeAPM receives",
			})
		}
	}
	return errs
}

func (r ReceiverConfig) check(section string) []error {
	wrong := func(key, got, want string) error {
		return ConfigError{Key: section + "." + key, Got: got, Want: want}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, wrong("headers", "the name "+strconv.Quote(name), "names of HTTP headers"))
		case !httpguts.ValidHeaderFieldValue(r.Headers[name]):
			errs = append(errs, wrong("headers", "a value of "+name+" with control characters", "text of one line"))
		}
	}
	if (r.TLS.CertFile == "") != (r.TLS.KeyFile == "") {
		errs = append(errs, wrong("tls.cert_file", strconv.Quote(r.TLS.CertFile)+" and tls.key_file "+strconv.Quote(r.TLS.KeyFile),
			"both or neither"))
	}
	if r.Endpoint == "" {
		return errs
	}
	secure, want := r.transport()
	if want != "" {
		return append(errs, wrong("endpoint", strconv.Quote(MaskURL(r.Endpoint)), want))
	}
	if r.TLS.Insecure && strings.Contains(r.Endpoint, "://") {
		errs = append(errs, wrong("tls.insecure", "true for "+strconv.Quote(MaskURL(r.Endpoint)),
			"true only for a grpc endpoint without a scheme; write http:// or https:// instead"))
	}
	for _, file := range []struct{ key, name string }{{"tls.ca_file", r.TLS.CAFile}, {"tls.cert_file", r.TLS.CertFile}} {
		if file.name != "" && !secure {
			errs = append(errs, wrong(file.key, strconv.Quote(file.name)+" for "+strconv.Quote(MaskURL(r.Endpoint)),
				"a file only where the endpoint uses TLS, as with https://"))
		}
	}
	return errs
}

// transport tells whether the endpoint is reached over TLS, or what it takes
// instead if it cannot be reached at all.
func (r ReceiverConfig) transport() (secure bool, want string) {
	if r.Protocol == ProtocolGRPC {
		want = "HOST:PORT, http://HOST:PORT or https://HOST:PORT without a path, since " + r.Protocol + " has none"
		if !strings.Contains(r.Endpoint, "://") {
			if host, port, err := net.SplitHostPort(r.Endpoint); err != nil || host == "" || port == "" {
				return false, want
			}
			return !r.TLS.Insecure, ""
		}
	} else {
		want = "a whole URL, http://HOST:PORT/PATH or https://HOST:PORT/PATH"
	}
	u, err := url.Parse(r.Endpoint)
	if err != nil || !isWeb(u) {
		return false, want
	}
	if r.Protocol == ProtocolGRPC && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		return false, want
	}
	return u.Scheme == "https", ""
}

func isWeb(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

const masked = "REDACTED"

// Redacted returns the configuration with its secrets masked: the values of
// headers other than CubeAPM's stream fields, and what URLs carry of
// credentials and queries.
func (c Config) Redacted() Config {
	c = c.clone()
	for _, receiver := range []*ReceiverConfig{&c.OTLP.Logs, &c.OTLP.Metrics.ReceiverConfig} {
		receiver.Endpoint = MaskURL(receiver.Endpoint)
		for name := range receiver.Headers {
			if !strings.EqualFold(name, cubeStreamHeader) {
				receiver.Headers[name] = masked
			}
		}
	}
	c.OTLP.CubeAPM = MaskURL(c.OTLP.CubeAPM)
	return c
}

// MaskURL takes credentials and the query out of a URL. It works on text, since it is also for URLs that do not parse. It would
// rather mask too much: a password may hold a ? or / that should be escaped.
func MaskURL(s string) string {
	scheme, rest := "", s
	if i := strings.Index(s, "://"); i >= 0 && !strings.ContainsAny(s[:i], ":/?@") {
		scheme, rest = s[:i+3], s[i+3:]
	}
	at, query := strings.LastIndexByte(rest, '@'), strings.IndexByte(rest, '?')
	switch {
	case query >= 0 && query < at: // whichever of the two this is
		return scheme + masked
	case query >= 0:
		rest = rest[:query+1] + masked
	}
	if at >= 0 {
		rest = masked + rest[at:]
	}
	return scheme + rest
}
