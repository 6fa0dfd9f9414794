package detect

import "strings"

// networkPhrases are how packages net, net/http and golang.org/x/net/http2 of
// Go 1.11 to 1.26, the kernel and Windows say that a connection failed.
var networkPhrases = [...]phrase{
	// net/dnsclient_unix.go, net/cgo_unix.go (libc's words), net/net.go.
	{"no such host", "", NoSuchHost},
	{"server misbehaving", "", LookupServfail},
	{"no answer from DNS server", "", LookupTimeout},
	{"Temporary failure in name resolution", "", LookupTimeout},
	{"Try again", "", LookupTimeout},
	{"Name or service not known", "", NoSuchHost},
	{"No address associated with hostname", "", NoSuchHost},
	{"Name does not resolve", "", NoSuchHost},
	{"getaddrinfow", "", LookupFailed},
	// errno of connect, read and write.
	{"connect: connection refused", "", ConnectionRefused},
	{"connection refused", "", ConnectionRefused},
	{"connectex: No connection could be made", "", ConnectionRefused},
	{"connect: no route to host", "", NoRoute},
	{"no route to host", "", NoRoute},
	{"connect: network is unreachable", "", NoRoute},
	{"network is unreachable", "", NoRoute},
	{"connect: host is down", "", NoRoute},
	{"connect: network is down", "", NoRoute},
	{"connect: cannot assign requested address", "", NoLocalAddress},
	{"cannot assign requested address", "", NoLocalAddress},
	{"connect: operation not permitted", "", NoRoute},
	{"connect: permission denied", "", NoRoute},
	{"connect: invalid argument", "", NoRoute},
	{"connectex: A socket operation was attempted to an unreachable", "", NoRoute},
	{"connect: connection timed out", "", ConnectTimeout},
	{"connection timed out", "", DeadlineExceeded},
	{"connectex: A connection attempt failed because the connected party did not properly respond", "", ConnectTimeout},
	{"i/o timeout", "", DeadlineExceeded},
	{"read: connection reset by peer", "", ConnectionReset},
	{"write: connection reset by peer", "", ConnectionReset},
	{"connection reset by peer", "", ConnectionReset},
	{"connect: connection reset by peer", "", ConnectionReset},
	{"write: broken pipe", "", ConnectionReset},
	{"broken pipe", "", ConnectionReset},
	{"read: connection timed out", "", DeadlineExceeded},
	{"wsarecv: An existing connection was forcibly closed", "", ConnectionReset},
	{"use of closed network connection", "", ConnectionReset},
	{"EOF", "", ConnectionReset},
	{"http2: server sent GOAWAY", "", ConnectionReset},
	{"http2: client connection ", "", ConnectionReset},
	{"http2: Transport received ", "", ConnectionReset},
	{"stream error: stream ID ", "", ConnectionReset},
	{"http: server closed idle connection", "", ConnectionReset},
	{"server closed idle connection", "", ConnectionReset},
	{"net/http: HTTP/1.x transport connection broken: malformed HTTP ", "", TLSFailed},
	{`net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03`, "", HTTPSOnly}, // an alert of TLS
	{`malformed HTTP response "\x15\x03`, "", HTTPSOnly},
	{"malformed HTTP response", "", TLSFailed},
	{"net/http: HTTP/1.x transport connection broken: unexpected EOF", "", ConnectionReset},
	{"net/http: HTTP/1.x transport connection broken", "", ConnectionReset},
	// net/http/{client,transport}.go, golang.org/x/net/http2/transport.go.
	{"net/http: TLS handshake timeout", "", HandshakeTimeout},
	{"TLS handshake timeout", "", HandshakeTimeout},
	{"net/http: timeout awaiting response headers", "", HeaderTimeout},
	{"http2: timeout awaiting response headers", "", HeaderTimeout},
	{"net/http: request canceled while waiting for connection", "", ConnectTimeout},
	{"net/http: request canceled (Client.Timeout exceeded while awaiting headers", "", HeaderTimeout},
	{"net/http: request canceled (Client.Timeout ", "", DeadlineExceeded},
	{"context deadline exceeded (Client.Timeout exceeded while awaiting headers", "", HeaderTimeout},
	{"context deadline exceeded (Client.Timeout ", "", DeadlineExceeded},
	{"request canceled while waiting for connection", "", ConnectTimeout},
	{"Client.Timeout exceeded while awaiting headers", "", HeaderTimeout},
	{"Client.Timeout or context cancellation while reading body", "", DeadlineExceeded},
	{"context deadline exceeded", "", DeadlineExceeded},
	// net/{ipsock,port}.go, of a host or port in a configuration that is none.
	{"unknown port", "", NoHosts},
	{"missing port in address", "", NoHosts},
	{"too many colons in address", "", NoHosts},
	{"http: error connecting to proxy", "", ProxyFailed},
	{"proxy: unknown scheme", "", ProxyFailed},
	{"Proxy Authentication Required", "", ProxyAuth},
}

// tlsPhrases are how crypto/tls and crypto/x509 of Go 1.11 to 1.26 say it.
var tlsPhrases = [...]phrase{
	{"http: server gave HTTP response to HTTPS client", "", PlainHTTP},
	{"tls: first record does not look like a TLS handshake", "", PlainHTTP},
	{"first record does not look like a TLS handshake", "", PlainHTTP},
	{"tls: oversized record received", "", PlainHTTP},
	{"tls: failed to verify certificate", "", noFinding},
	// containerd v1.5 to v2.4 remotes/docker/config/hosts.go, before anybody is asked.
	{"unable to read CA cert ", "", CertificateFile},
	{"unable to load CA cert ", "", CertificateFile},
	{"unable to read CERT file ", "", CertificateFile},
	{"failed to load X509 key pair", "", CertificateFile},
	// Also behind "x509: ".
	{"certificate signed by unknown authority", "", UnknownAuthority},
	{"failed to load system roots", "", UnknownAuthority},
	{"cannot verify signature", "", UnknownAuthority},
	{"“", "certificate is not trusted", UnknownAuthority},
	{"certificate has expired or is not yet valid: current time ", " is before ", CertificateNotYetValid},
	{"certificate has expired or is not yet valid: current time ", " is after ", CertificateExpired},
	{"certificate has expired", "", CertificateDates}, // Go of before 2020, Windows, and where it was cut
	{"certificate is valid for ", "", CertificateName},
	{"certificate is not valid for any names", "", CertificateName},
	{"cannot validate certificate for ", "", CertificateName},
	{"certificate relies on legacy Common Name field", "", CertificateName},
	{"Common Name is not a valid hostname", "", CertificateName},
	{"a root or intermediate certificate is not authorized to sign for this name", "", CertificateName},
	{"remote error: tls: ", "", TLSFailed},
	{"remote error: ", "tls", TLSFailed},
	{"tls: ", "", TLSFailed},
	{"local error: tls: ", "", TLSFailed},
	{"failed to load CA file", "", TLSFailed},
	{"unable to load CA cert", "", TLSFailed},
	{"failed to load cert file", "", TLSFailed},
	{"loading X509 key pair", "", TLSFailed},
}

// certificate reads what crypto/x509 says. Whatever that is, TLS failed for it.
func (c *chain) certificate(rest string) int {
	const begin = "x509: "
	tail, ok := strings.CutPrefix(rest, begin)
	if !ok {
		return 0
	}
	if tail != "" {
		if n := c.phrase(tail); n > 0 {
			return len(begin) + n
		}
	}
	c.say(TLSFailed)
	return len(begin)
}
