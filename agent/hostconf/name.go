package hostconf

import (
	"net"
	"net/netip"
	"strings"
)

const (
	dockerHub     = "docker.io"
	dockerHubHost = "registry-1.docker.io" // DefaultHost in containerd 2.4 core/remotes/docker/registry.go
)

// isRegistry reports whether s is host[:port] as in a reference
// (distribution/reference 0.6, regexp.go). It comes from log text and becomes
// part of paths: a name that passes has no slash, and no part that is "..".
func isRegistry(s string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == ""
	}
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		inner := c == '-' && i > 0 && i < len(s)-1
		if !inner && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// isLocalhost is IsLocalhost of containerd 2.4, core/remotes/docker/resolver.go.
func isLocalhost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// registryHost is the host that is asked for a registry's images.
func registryHost(registry string) string {
	if registry == dockerHub {
		return dockerHubHost
	}
	return registry
}

// roleOf tells a mirror from the registry itself as containerd does when it
// decides whether to send ns= (isProxy in core/remotes/docker/registry.go).
func roleOf(registry, host string) string {
	if host == registry || host == registryHost(registry) {
		return RoleOrigin
	}
	return RoleMirror
}

// portOf returns the port of host[:port], empty if there is none.
func portOf(host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return ""
	}
	return port
}

// origin is the registry itself with the defaults of ConfigureHosts in
// containerd 2.4, core/remotes/docker/config/hosts.go.
func origin(registry string) Host {
	e := endpoint{scheme: "https", host: registryHost(registry), path: "/v2", capabilities: defaultCapabilities()}
	e.localhost(registry)
	return e.asHost(registry)
}

// defaultCapabilities are those of a host that names none; containerd 2.2 and
// later add referrers, which no pull needs.
func defaultCapabilities() []string { return []string{"pull", "resolve", "push"} }
