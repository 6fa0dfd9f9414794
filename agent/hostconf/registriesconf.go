package hostconf

import (
	"strconv"
	"strings"
)

// checkedEntries is postProcessRegistries of pkg/sysregistriesv2: it fills in
// prefixes and looks for what CRI-O refuses. It refuses whole files; here the
// entries that are fine are kept, so that there is something to see.
func (l *look) checkedEntries(file string, at *lines, list []registryEntry) map[string]registryEntry {
	entries := map[string]registryEntry{}
	for i := range list {
		e := &list[i]
		where := func(keys ...string) place {
			return place{file: shown(file), line: at.at(append([]string{"registry", "#" + strconv.Itoa(i)}, keys...)...)}
		}
		e.at = where("location")
		e.Prefix = strings.TrimRight(e.Prefix, "/")
		if !l.checkLocation(e) {
			continue
		}
		if e.Prefix == "" {
			e.Prefix = e.Location
		}
		if e.Location == "" && !strings.HasPrefix(e.Prefix, "*.") {
			l.problemAt(where("prefix"), "a registry without a location: CRI-O pulls nothing with it; "+
				`write location = "host[:port]"`)
			continue
		}
		if e.Blocked {
			e.at = where("blocked")
		}
		kept := e.Mirrors[:0]
		for j := range e.Mirrors {
			m := e.Mirrors[j]
			m.at = where("mirror", "#"+strconv.Itoa(j), "location")
			m.Mirrors = nil
			if len(kept) < maxHosts && l.checkMirrorEntry(&m, where("mirror", "#"+strconv.Itoa(j), "pull-from-mirror")) {
				kept = append(kept, m)
			}
		}
		e.Mirrors = kept
		if _, ok := entries[e.Prefix]; !ok {
			entries[e.Prefix] = *e
		}
	}
	return entries
}

// checkLocation is parseLocation, and what rewriteReference refuses later.
func (l *look) checkLocation(e *registryEntry) bool {
	e.Location = strings.TrimRight(e.Location, "/")
	if strings.HasPrefix(e.Location, "http://") || strings.HasPrefix(e.Location, "https://") {
		l.problemAt(e.at, "location "+quoted(e.Location)+" has a scheme, so CRI-O pulls nothing with this file; "+
			"write host[:port][/path] only")
		return false
	}
	host, _, _ := strings.Cut(e.Location, "/")
	if e.Location != "" && !isRegistry(host) {
		l.problemAt(e.at, "location "+quoted(e.Location)+" does not begin with a host; write host[:port][/path]")
		return false
	}
	return true
}

func (l *look) checkMirrorEntry(m *registryEntry, at place) bool {
	if m.Location == "" {
		l.problemAt(m.at, `a mirror without a location: CRI-O pulls nothing with this file; write location = "host[:port]"`)
		return false
	}
	switch m.PullFromMirror {
	case "", "all", "digest-only", "tag-only":
		return l.checkLocation(m)
	}
	l.problemAt(at, "pull-from-mirror "+quoted(m.PullFromMirror)+" is not known, so CRI-O pulls nothing with this file; "+
		`write "all", "digest-only" or "tag-only"`)
	return false
}
