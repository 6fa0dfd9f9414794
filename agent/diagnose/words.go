package diagnose

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"pullcause/agent/detect"
)

// What remedies are put together from. Names come from strangers: they are
// quoted, bounded, and never a bare word of a command.

// maxNameShown bounds a name in a remedy, in bytes.
const maxNameShown = 160

// image is the reference as it is best known.
func (e evidence) image() string {
	if e.Image != "" {
		return e.Image
	}
	return e.f.Reference
}

// repository is the name of the image without tag and digest, as it is best known:
// the error may tell it, or its URL. It is empty where nobody does.
func (e evidence) repository() string {
	if name := cmp.Or(e.image(), e.f.Repository); name != "" {
		return RepositoryOf(name)
	}
	host, path := apiPath(e.f.URL)
	for _, part := range [...]string{"/manifests/", "/blobs/", "/tags/"} {
		if name, _, found := strings.Cut(path, part); found {
			return host + "/" + name
		}
	}
	return ""
}

// registry is the host of the repository.
func (e evidence) registry() string {
	if e.Registry != "" {
		return e.Registry
	}
	if host, _, found := strings.Cut(e.f.Repository, "/"); found && strings.ContainsAny(host, ".:") {
		return host
	}
	if e.f.Repository != "" {
		return "docker.io"
	}
	host, _ := apiPath(e.f.URL)
	return host
}

// apiPath is the registry that a request was about, and what was asked of it behind
// "/v2/". containerd names in "ns" the registry that a mirror is asked for.
func apiPath(address string) (host, path string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	path, found := strings.CutPrefix(u.Path, "/v2/")
	switch host = cmp.Or(u.Query().Get("ns"), u.Host); {
	case !found:
		return "", ""
	case registryKind(host) == dockerHub:
		host = "docker.io"
	}
	return host, path
}

// theRepository names it, if it is known.
func (e evidence) theRepository() string {
	return "the repository" + named(e.repository())
}

// server is the host that the failed request went to, or that is waited for, else the
// registry.
func (e evidence) server() string {
	if e.Unfinished && len(e.Hosts) > 0 {
		return e.Hosts[0].Host
	}
	if u, err := url.Parse(e.f.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return e.Registry
}

// peer is the address that was dialled, quoted, else the server.
func (e evidence) peer() string {
	if e.f.Peer != "" {
		return quotedIfNeeded(e.f.Peer)
	}
	return quotedHost(e.server())
}

// quoted makes a name safe to show and to paste: one word for a shell.
func quoted(name string) string {
	if len(name) > maxNameShown {
		name = name[:maxNameShown] + "…"
	}
	name = strconv.QuoteToASCII(name)
	name = name[1 : len(name)-1] // a quote may be the last letter of a name
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// named is a name behind a noun, or nothing.
func named(name string) string {
	if name == "" {
		return ""
	}
	return " " + quoted(name)
}

// quotedIfNeeded leaves names of harmless characters as they are.
func quotedIfNeeded(name string) string {
	harmless := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:/[]", r)
	}
	if name != "" && len(name) <= maxNameShown && strings.TrimFunc(name, harmless) == "" {
		return name
	}
	return quoted(name)
}

func quotedHost(host string) string {
	if host == "" {
		return "the registry"
	}
	return quotedIfNeeded(host)
}

// hostPort is the host, with its port if it has one, or a placeholder.
func hostPort(e evidence) string {
	host := e.server()
	if host == "" {
		return "HOST"
	}
	return quotedIfNeeded(host)
}

// address is the host with its port, or that of HTTPS.
func address(e evidence) string {
	u := url.URL{Host: cmp.Or(e.server(), "HOST")}
	if u.Port() == "" {
		u.Host += ":443"
	}
	return quotedIfNeeded(u.Host)
}

// hostName is the host without its port, not quoted, or a placeholder.
func hostName(e evidence) string {
	u := url.URL{Host: e.server()}
	return cmp.Or(u.Hostname(), "HOST")
}

// hostDir is the folder of a registry below certs.d. containerd looks there for
// the name in the image reference.
func hostDir(e evidence) string {
	if e.Registry == "" {
		return "HOST"
	}
	return quotedIfNeeded(e.Registry)
}

// answerOf is what became of a request, in a word or two: its status, else the
// end of the error ("dial tcp 10.0.0.1:443: connect: connection refused").
func answerOf(h detect.Host) string {
	if h.Status != 0 {
		return strconv.Itoa(h.Status)
	}
	const short = 60
	if end := strings.TrimSpace(h.Error[strings.LastIndex(h.Error, ": ")+1:]); end != "" && len(end) <= short {
		return strings.Trim(strconv.QuoteToASCII(end), `"`)
	}
	return "no answer"
}

// withHosts adds to a remedy what other hosts said, where several were tried.
func withHosts(remedy string, e evidence) string {
	if len(e.Hosts) < 2 {
		return remedy
	}
	const most = 4
	var said []string
	for _, h := range e.Hosts[:min(len(e.Hosts), most)] {
		said = append(said, quotedHost(h.Host)+": "+answerOf(h))
	}
	return remedy + " Hosts tried: " + strings.Join(said, ", ") + "."
}
