package hostconf

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// hostsFile is a hosts.toml, see docs/hosts.md and
// core/remotes/docker/config/hosts.go of containerd 2.4.
type hostsFile struct {
	dir   string // its folder: other files are named relative to it
	lines *lines
	value hostsValue
}

type hostsValue struct {
	hostEntry
	Server string               `toml:"server"`
	Hosts  map[string]hostEntry `toml:"host"`
}

func (f *hostsFile) at(path ...string) place {
	return place{file: shown(f.dir + "/hosts.toml"), line: f.lines.at(path...)}
}

// hostDir returns the folder for a registry, empty if there is none: each root
// is searched before the next (hostPaths in config_unix.go, hostDirFromRoots
// in internal/cri/server/images/image_pull.go).
func (l *look) hostDir(roots []string) string {
	registry := l.list.Registry
	var names []string
	if i := strings.LastIndexByte(registry, ':'); i > 0 {
		names = append(names, registry[:i]+"_"+registry[i+1:]+"_")
	}
	for _, root := range roots {
		for _, name := range append(names, registry, "_default") {
			dir := path.Join("/", root, name)
			err := l.disk.exists(dir)
			if err == nil {
				return dir
			}
			if !errors.Is(err, fs.ErrNotExist) {
				l.problem(dir, 0, "look for hosts.toml: "+reason(err))
				return ""
			}
		}
	}
	return ""
}

// loadHostDir is loadHostDir and what ConfigureHosts makes of it. A hosts.toml
// that is empty or broken counts as absent.
func (l *look) loadHostDir(dir string) {
	if data, ok := l.read(dir + "/hosts.toml"); ok && len(data) > 0 {
		if endpoints, ok := l.parseHosts(dir, data); ok {
			for i := range endpoints {
				l.addHost(endpoints[i].asHost(l.list.Registry))
			}
			return
		}
	}
	e := l.originEndpoint(endpoint{})
	e.ca, e.client = l.certFiles(dir)
	if e.hasTLS() {
		e.at.file = shown(dir)
	}
	l.addHost(e.asHost(l.list.Registry))
}

// originEndpoint fills in the defaults of a last host that has no name.
func (l *look) originEndpoint(e endpoint) endpoint {
	e.scheme, e.host, e.path, e.capabilities = "https", registryHost(l.list.Registry), "/v2", defaultCapabilities()
	e.localhost(l.list.Registry)
	return e
}

// parseHosts is parseHostsFile. It reports false if containerd gives up the
// file, and looks for what else is wrong even then.
func (l *look) parseHosts(dir string, data []byte) ([]endpoint, bool) {
	f := hostsFile{dir: dir}
	var err error
	if f.lines, err = decode(data, &f.value); err != nil {
		line, text := tomlProblem(err)
		l.problem(dir+"/hosts.toml", line, "read hosts.toml: "+text+"; "+strings.TrimSuffix(givesUp, "; "))
		return nil, false
	}
	for _, key := range unknownKeys(data, &hostsValue{}) {
		l.problem(dir+"/hosts.toml", key.line, "key "+quoted(key.name)+
			" is not known to containerd 2.4 and has no effect; correct its name or remove it")
	}
	order := sortedHosts(data)
	l.checkUnordered(&f, order)
	var endpoints []endpoint
	fine := true
	for _, name := range order {
		e, ok := f.entry(l, name, f.value.Hosts[name], "host", name)
		fine = ok && fine
		if ok && roleOf(l.list.Registry, e.host) == RoleMirror {
			l.checkMirror(&e, f.at("host", name, "capabilities"))
		}
		endpoints = append(endpoints, e)
	}
	server, ok := f.entry(l, f.value.Server, f.value.hostEntry)
	if server.host == "" {
		server = l.originEndpoint(server)
	}
	return append(endpoints, server), ok && fine
}

// sortedHosts is getSortedHosts: the order is that of the tables in the file,
// and a host whose tables are not in one place comes twice.
func sortedHosts(data []byte) []string {
	var hosts []string
	var p unstable.Parser
	p.Reset(data)
	last := ""
	for p.NextExpression() && len(hosts) < maxHosts {
		e := p.Expression()
		if e.Kind != unstable.Table {
			continue
		}
		var parts []string
		for it := e.Key(); it.Next() && len(parts) < 2; {
			parts = append(parts, string(it.Node().Data))
		}
		if len(parts) == 2 && parts[0] == "host" && parts[1] != last {
			last = parts[1]
			hosts = append(hosts, last)
		}
	}
	return hosts
}

// checkUnordered looks for hosts that are not written as tables: containerd
// does not see them.
func (l *look) checkUnordered(f *hostsFile, order []string) {
	for _, name := range slices.Sorted(maps.Keys(f.value.Hosts)) {
		if !slices.Contains(order, name) && len(order) < maxHosts {
			l.problemAt(f.at("host", name), "host "+quoted(name)+" is not a table of its own, so containerd 2 does not ask it; "+
				`write [host."https://…"] on a line of its own`)
		}
	}
}
