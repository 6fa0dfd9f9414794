package hostconf

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// registriesFile is a registries.conf in version 2, as of
// go.podman.io/image/v5 v5.42, pkg/sysregistriesv2.
type registriesFile struct {
	Registries []registryEntry `toml:"registry"`
	V1         any             `toml:"registries"` // refused since v5.42
}

type registryEntry struct {
	Prefix             string          `toml:"prefix"`
	Location           string          `toml:"location"`
	Insecure           bool            `toml:"insecure"`
	Blocked            bool            `toml:"blocked"`
	MirrorByDigestOnly bool            `toml:"mirror-by-digest-only"`
	Mirrors            []registryEntry `toml:"mirror"`
	PullFromMirror     string          `toml:"pull-from-mirror"` // of a mirror

	at place
}

// crio lists the hosts that CRI-O asks. An entry for the registry, or for all
// below a domain, counts first; without one, those for some of its images do.
func (l *look) crio() {
	entries := l.registries()
	var chosen *registryEntry
	var partial []registryEntry
	for _, prefix := range slices.Sorted(maps.Keys(entries)) {
		e := entries[prefix]
		switch {
		case matches(l.list.Registry, prefix):
			if chosen == nil || len(prefix) > len(chosen.Prefix) {
				chosen = &e
			}
		case strings.HasPrefix(prefix, l.list.Registry+"/"):
			partial = append(partial, e)
		}
	}
	if chosen != nil {
		l.addRegistry(chosen)
		return
	}
	for i := range partial {
		l.addRegistry(&partial[i])
	}
	l.addLocation(&registryEntry{Location: l.list.Registry}, false)
}

// matches is refMatchingPrefix for a registry: host[:port], host without the
// port, or *.domain.
func matches(registry, prefix string) bool {
	if domain, ok := strings.CutPrefix(prefix, "*"); ok {
		host, _, _ := strings.Cut(registry, ":")
		return strings.HasPrefix(domain, ".") && strings.HasSuffix(host, domain)
	}
	return registry == prefix || strings.HasPrefix(registry, prefix+":")
}

// addRegistry lists the mirrors of an entry, then its location.
func (l *look) addRegistry(e *registryEntry) {
	if e.Blocked {
		l.problemAt(e.at, "blocked = true: CRI-O pulls nothing from "+quoted(e.Prefix)+
			"; remove the line if images are to come from there")
		return
	}
	for i := range e.Mirrors {
		m := e.Mirrors[i]
		if e.MirrorByDigestOnly {
			m.PullFromMirror = "digest-only"
		}
		l.addLocation(&m, true)
	}
	location := *e
	location.PullFromMirror = ""
	if location.Location == "" { // only with *.domain: the registry itself
		location.Location = l.list.Registry
	}
	l.addLocation(&location, false)
}

// addLocation lists host[:port][/path] once.
func (l *look) addLocation(entry *registryEntry, isMirror bool) {
	host, rest, _ := strings.Cut(entry.Location, "/")
	if portOf(host) == "80" && !entry.Insecure {
		l.problemAt(entry.at, "location "+quoted(entry.Location)+" asks for TLS on port 80, where plain HTTP is served; "+
			"set insecure = true, or name the port of HTTPS")
	}
	e := endpoint{
		scheme: "https", host: registryHost(host), path: path.Join("/v2", rest),
		capabilities: []string{"pull", "resolve"}, at: entry.at,
	}
	if dir := l.certDir(host); dir != "" {
		e.ca, e.client = l.certFiles(dir)
	}
	h := e.asHost(l.list.Registry)
	h.SkipVerify, h.HTTPFallback = entry.Insecure, entry.Insecure // docker/docker_client.go: HTTPS is pinged first
	if entry.PullFromMirror != "all" {
		h.PullFrom = entry.PullFromMirror
	}
	if isMirror {
		h.Role = RoleMirror
	}
	same := func(other Host) bool { return other.URL == h.URL && other.PullFrom == h.PullFrom }
	if !slices.ContainsFunc(l.list.Hosts, same) {
		l.addHost(h)
	}
}

// certDir returns the folder of a host's certificates: the first that is there
// (containers-certs.d(5); /usr/share since go.podman.io/image 5.38).
func (l *look) certDir(host string) string {
	for _, root := range []string{"/etc/containers/certs.d", "/usr/share/containers/certs.d", "/etc/docker/certs.d"} {
		if dir := path.Join(root, host); l.disk.exists(dir) == nil {
			return dir
		}
	}
	return ""
}

// registries reads registries.conf and what is in registries.conf.d, by
// prefix. In a file the first entry of a prefix counts, and a later file's
// replaces it.
func (l *look) registries() map[string]registryEntry {
	all := map[string]registryEntry{}
	for _, file := range l.registriesFiles() {
		data, ok := l.read(file)
		if !ok {
			continue
		}
		var value registriesFile
		at, err := decode(data, &value)
		if err != nil {
			line, text := tomlProblem(err)
			l.problem(file, line, "read "+base(file)+": "+text+"; CRI-O pulls nothing as long as it is wrong")
			continue
		}
		if value.V1 != nil {
			l.problem(file, at.at("registries"), "[registries] is version 1 of this format, which newer CRI-O refuse "+
				"and older ones do not mix with version 2; write [[registry]] tables")
		}
		maps.Copy(all, l.checkedEntries(file, at, value.Registries))
	}
	return all
}

// registriesFiles returns the main file and the drop-ins by name: those in
// /etc replace those of the same name in /usr/share (containers-registries.conf(5)).
func (l *look) registriesFiles() []string {
	var found []string
	for _, root := range []string{"/etc/containers", "/usr/share/containers"} {
		if main := root + "/registries.conf"; len(found) == 0 && l.disk.exists(main) == nil {
			found = append(found, main)
		}
	}
	dropIns := map[string]string{}
	for _, root := range []string{"/usr/share/containers", "/etc/containers"} {
		names, _ := l.disk.names(root + "/registries.conf.d") //nolint:errcheck // absent is fine
		for _, name := range names {
			if strings.HasSuffix(name, ".conf") {
				dropIns[name] = root + "/registries.conf.d/" + name
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		found = append(found, dropIns[name])
	}
	return found[:min(len(found), maxFiles)]
}
