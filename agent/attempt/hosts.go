package attempt

import (
	"net/url"
	"slices"
	"strings"

	"pullcause/agent/detect"
)

// maxHosts bounds the hosts kept of one attempt.
const maxHosts = 32

// dockerHub are the hosts that serve the registry docker.io.
var dockerHub = [...]string{"docker.io", "registry-1.docker.io", "index.docker.io"}

// concerns reports whether a host's outcome can belong to a pull of r: the URL
// asks for its repository and tag in the name of its registry, or, where no URL
// was written, the host is its registry. sure is false for a guess.
func (a asked) concerns(h detect.Host, r ref) (yes, sure bool) {
	switch {
	case h.URL == "":
		return true, isOrigin(h.Host, r.registry)
	case !a.parses || a.registry != "" && !isOrigin(a.registry, r.registry):
		return false, false
	case !a.api: // a token server or a mirror with a path of its own
		return true, r.path != "" && strings.Contains(a.scope, ":"+r.path+":")
	case a.manifest:
		same := serves(a.repository, r.path) && a.tag == r.tag
		return same, same
	default:
		return serves(a.repository, r.path), false
	}
}

// serves reports whether a repository is the one at path, be it below a prefix
// as mirrors have it ("proxy/library/nginx").
func serves(repository, path string) bool {
	prefix, found := strings.CutSuffix(repository, path)
	return found && (prefix == "" || strings.HasSuffix(prefix, "/"))
}

func isOrigin(host, registry string) bool {
	return host == registry || registry == dockerHub[0] && slices.Contains(dockerHub[:], host)
}

// role tells what part a host plays in a pull from a registry.
func role(h detect.Host, registry string) detect.Role {
	switch {
	case h.Role != "":
		return h.Role
	case registry == "" || h.Host == "":
		return ""
	case isOrigin(h.Host, registry):
		return detect.RoleOrigin
	default:
		return detect.RoleMirror
	}
}

// withTerminal adds the host that the terminal error names, unless it has been
// told of already. Old runtimes write nothing else about a host.
func withTerminal(hosts []detect.Host, f *detect.Failure, r ref) []detect.Host {
	if f == nil || f.URL == "" {
		return hosts
	}
	u, err := url.Parse(f.URL)
	if err != nil || u.Host == "" {
		return hosts
	}
	h := detect.Host{Host: u.Host, Method: f.Method, URL: f.URL, Status: f.Status, Error: f.Leaf}
	if f.Token != "" {
		h.Role = detect.RoleToken
	}
	h.Role = role(h, r.registry)
	for i, known := range hosts {
		if known.Host == h.Host || isOrigin(known.Host, r.registry) && h.Role == detect.RoleOrigin {
			hosts[i] = merged(known, h)
			return hosts
		}
	}
	if len(hosts) >= maxHosts {
		return hosts
	}
	return append(hosts, h)
}

// merged fills the gaps of what was told first with what was told later.
func merged(h, later detect.Host) detect.Host {
	if h.Method == "" {
		h.Method = later.Method
	}
	if h.URL == "" {
		h.URL = later.URL
	}
	if h.Status == 0 {
		h.Status = later.Status
	}
	if h.Error == "" {
		h.Error = later.Error
	}
	if h.Role == "" {
		h.Role = later.Role
	}
	return h
}
