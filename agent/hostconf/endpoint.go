package hostconf

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// givesUp is what containerd does with a hosts.toml that it cannot make sense
// of (loadHostDir in hosts.go).
const givesUp = "containerd gives up this file and asks the origin only; "

// hostEntry is hostFileConfig of containerd 2.4,
// core/remotes/docker/config/hosts.go.
type hostEntry struct {
	Capabilities []string       `toml:"capabilities"`
	CACert       any            `toml:"ca"`     // a file or a list of files
	Client       any            `toml:"client"` // a file, or a list of files and pairs of files
	SkipVerify   *bool          `toml:"skip_verify"`
	Header       map[string]any `toml:"header"` // looked at no further: headers hold credentials
	OverridePath bool           `toml:"override_path"`
	DialTimeout  string         `toml:"dial_timeout"`
}

// endpoint is hostConfig of the same file.
type endpoint struct {
	scheme, host, path string
	capabilities       []string
	ca                 []string
	client             bool
	skipVerify         *bool
	overridePath       bool
	at                 place
}

// localhost lets a registry on this node be asked without a certificate, as
// ConfigureHosts does.
func (e *endpoint) localhost(registry string) {
	if registry == dockerHub || !isLocalhost(registry) {
		return
	}
	port := portOf(registry)
	if port != "" && port != "443" {
		e.scheme = "http"
	}
	if port != "80" {
		yes := true
		e.skipVerify = &yes
	}
}

// asHost is the endpoint as it is asked. A host that is configured for HTTP
// and has settings for TLS is asked by HTTPS first, unless its port says
// otherwise (ConfigureHosts, "host will try HTTPS first").
func (e *endpoint) asHost(registry string) Host {
	h := Host{
		Host: shown(e.host), Role: roleOf(registry, e.host), Capabilities: e.capabilities, CA: e.ca,
		ClientCert: e.client, SkipVerify: e.skipVerify != nil && *e.skipVerify, OverridePath: e.overridePath,
		File: e.at.file, Line: e.at.line,
	}
	scheme := e.scheme
	if scheme == "http" && e.hasTLS() && portOf(e.host) != "80" {
		scheme, h.HTTPFallback = "https", true
	}
	h.URL = shown(scheme + "://" + e.host + e.path)
	return h
}

func (e *endpoint) hasTLS() bool { return e.ca != nil || e.client || e.skipVerify != nil }

// parseURL is the first half of parseHostConfig. It reports false for what
// makes containerd give up the file.
func (e *endpoint) parseURL(l *look, raw string) bool {
	if !strings.HasPrefix(raw, "http") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		l.problemAt(e.at, "host "+quoted(raw)+" is not a URL: "+givesUp+"write https://host[:port]")
		return false
	}
	e.scheme, e.host = u.Scheme, u.Host
	if u.Path != "" {
		u.Path = path.Clean(u.Path)
	}
	if !e.overridePath && !strings.HasSuffix(u.Path, "/v2") {
		u.Path += "/v2"
	}
	e.path = u.Path
	if e.host == "" || e.scheme != "http" && e.scheme != "https" {
		l.problemAt(e.at, "host "+quoted(raw)+" is not an http or https URL with a host; write https://host[:port]")
		return true
	}
	l.checkPort(e)
	return true
}

func (l *look) checkPort(e *endpoint) {
	port := portOf(e.host)
	if e.scheme == "https" && port == "80" {
		l.problemAt(e.at, quoted(e.scheme+"://"+e.host)+
			" asks for TLS on port 80, where plain HTTP is served; write http://, or the port of HTTPS")
	}
	if e.scheme == "http" && port == "443" {
		l.problemAt(e.at, quoted(e.scheme+"://"+e.host)+
			" asks for plain HTTP on port 443, where TLS is served; write https://, or the port of HTTP")
	}
}

// setCapabilities reports false for a capability that containerd does not know.
func (e *endpoint) setCapabilities(l *look, names []string, at place) bool {
	e.capabilities = defaultCapabilities()
	if len(names) == 0 {
		return true
	}
	e.capabilities = []string{}
	known := true
	for _, name := range names {
		switch name := strings.ToLower(name); {
		case name != "pull" && name != "resolve" && name != "push" && name != "referrers":
			l.problemAt(at, "unknown capability "+quoted(name)+": "+givesUp+
				`write "pull", "resolve" or "push"`)
			known = false
		case !slices.Contains(e.capabilities, name):
			e.capabilities = append(e.capabilities, name)
		}
	}
	return known
}

// checkMirror looks for a mirror that is of no use for pulls: a tag is looked
// up with resolve, everything else is fetched with pull.
func (l *look) checkMirror(e *endpoint, at place) {
	lacks := "mirror " + quoted(e.host) + ` lacks the capability "`
	if !slices.Contains(e.capabilities, "pull") {
		l.problemAt(at, lacks+`pull": no manifest and no layer is fetched from it; add "pull"`)
	}
	if !slices.Contains(e.capabilities, "resolve") {
		l.problemAt(at, lacks+`resolve": tags are looked up at the other hosts only; `+
			`add "resolve" if the mirror is to stand in for them`)
	}
}

// entry is parseHostConfig: it turns an entry of hosts.toml at path into an
// endpoint. It reports false if containerd gives up the file.
func (f *hostsFile) entry(l *look, raw string, entry hostEntry, path ...string) (endpoint, bool) {
	e := endpoint{overridePath: entry.OverridePath, skipVerify: entry.SkipVerify, at: f.at(path...)}
	key := func(name string) place { return f.at(append(slices.Clone(path), name)...) }
	if raw == "" && len(path) == 0 {
		e.at = place{}
	} else if len(path) == 0 {
		e.at = key("server")
	}
	fine := raw == "" && len(path) == 0 || e.parseURL(l, raw)
	fine = e.setCapabilities(l, entry.Capabilities, key("capabilities")) && fine
	if entry.Header != nil && !validHeader(entry.Header) {
		l.problemAt(key("header"), "a header is neither a string nor a list of strings: "+givesUp+
			"put quotes around its value")
		fine = false
	}
	if _, err := time.ParseDuration(entry.DialTimeout); entry.DialTimeout != "" && err != nil {
		l.problemAt(key("dial_timeout"), "dial_timeout "+quoted(entry.DialTimeout)+
			" is not a duration: "+givesUp+`write one such as "10s"`)
		fine = false
	}
	return e, f.setTLS(l, &e, entry, key) && fine
}

// setTLS is what parseHostConfig does about certificates.
func (f *hostsFile) setTLS(l *look, e *endpoint, entry hostEntry, key func(string) place) bool {
	const noFiles = " is neither a file nor a list of files: " + givesUp + "put quotes around the name"
	ca, caFine := files(entry.CACert)
	if !caFine {
		l.problemAt(key("ca"), "ca"+noFiles)
	}
	pairs, pairsFine := filePairs(entry.Client)
	if !pairsFine {
		l.problemAt(key("client"), "client"+noFiles)
	}
	e.ca, e.client = l.authorities(ca, f.dir, key("ca")), len(pairs) > 0
	l.checkPairs(pairs, f.dir, key("client"))
	if e.scheme == "http" && entry.SkipVerify != nil && *entry.SkipVerify {
		does := "containerd then tries HTTPS before HTTP"
		if portOf(e.host) == "80" {
			does = "it has no effect on plain HTTP"
		}
		l.problemAt(key("skip_verify"), "skip_verify is set for "+quoted("http://"+e.host)+": "+does+
			"; write https://, or remove skip_verify")
	}
	return caFine && pairsFine
}

func validHeader(header map[string]any) bool {
	for _, value := range header {
		if _, ok := files(value); !ok {
			return false
		}
	}
	return true
}
