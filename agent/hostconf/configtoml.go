package hostconf

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// The plugins that held the registries' settings: in config versions 1, 2, and
// since 3.
const (
	pluginV1 = "cri"
	pluginV2 = "io.containerd.grpc.v1.cri"
	pluginV3 = "io.containerd.cri.v1.images"
)

// configFile is one config.toml.
type configFile struct {
	path  string
	lines *lines
	value map[string]any
}

func (f *configFile) at(keys ...string) place {
	return place{file: shown(f.path), line: f.lines.at(keys...)}
}

func (f *configFile) version() int64 {
	version, _ := f.value["version"].(int64) //nolint:errcheck // no number is version 1
	return version
}

// table returns the table at a path of keys, nil if there is none.
func table(value map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		next, ok := value[key].(map[string]any)
		if !ok {
			return nil
		}
		value = next
	}
	return value
}

// plugins returns the plugins whose settings count in this file, the more
// important last. containerd 2 migrates older sections to newer ones and lets
// them win (configMigration in plugins/cri/images/plugin.go).
func (f *configFile) plugins() []string {
	switch version := f.version(); {
	case version <= 1:
		return []string{pluginV3, pluginV2, pluginV1}
	case version <= 3:
		return []string{pluginV3, pluginV2}
	}
	return []string{pluginV3}
}

// mergeConfig takes what f says about registries into s.
func (l *look) mergeConfig(s *settings, f *configFile) {
	disabled, _ := files(f.value["disabled_plugins"])
	s.disabled = s.disabled || slices.Contains(disabled, pluginV1) || slices.Contains(disabled, pluginV2)
	l.checkSection(f)
	for _, plugin := range f.plugins() {
		section := table(f.value, "plugins", plugin)
		s.local = s.local || pullsLocally(section) || pullsLocally(table(section, "containerd"))
		registry := table(section, "registry")
		if configPath, _ := registry["config_path"].(string); configPath != "" { //nolint:errcheck // no string is none
			s.configPath = configPath
			s.configPathAt = f.at("plugins", plugin, "registry", "config_path")
		}
		s.mergeMirrors(f, table(registry, "mirrors"), "plugins", plugin, "registry", "mirrors")
	}
}

func (s *settings) mergeMirrors(f *configFile, mirrors map[string]any, keys ...string) {
	for _, host := range slices.Sorted(maps.Keys(mirrors)) {
		endpoints, _ := files(table(mirrors, host)["endpoint"])
		path := append(slices.Clone(keys), host, "endpoint")
		if s.mirrors == nil {
			s.mirrors = map[string]mirror{}
		}
		s.mirrors[host] = mirror{endpoints: endpoints, at: f.at(path...)}
		s.mirrorsAt = f.at(keys...)
	}
}

// checkSection looks for registry settings in a section of an older version,
// which are there to no effect.
func (l *look) checkSection(f *configFile) {
	version := f.version()
	if version < 3 || table(f.value, "plugins", pluginV2, "registry") == nil {
		return
	}
	text := "containerd 2.0 to 2.2 do not read this section in a file of version 3"
	if version > 3 {
		text = "containerd does not read this section in a file of version 4"
	}
	l.problemAt(f.at("plugins", pluginV2, "registry"), text+`; rename it to [plugins."`+pluginV3+`".registry]`)
}

// pullsLocally reports whether a section keeps containerd 2 from pulling with
// the transfer service (CheckLocalImagePullConfigs in
// internal/cri/config/config.go, containerd 2.4).
func pullsLocally(section map[string]any) bool {
	is := func(key string, want bool) bool {
		got, ok := section[key].(bool)
		return ok && got == want
	}
	downloads, set := section["max_concurrent_downloads"].(int64)
	registry := table(section, "registry")
	return is("use_local_image_pull", true) || is("disable_snapshot_annotations", false) ||
		is("discard_unpacked_layers", true) || is("image_pull_with_sync_fs", true) || set && downloads != 3 ||
		len(table(registry, "mirrors")) > 0 || len(table(registry, "configs")) > 0 || len(table(registry, "auths")) > 0
}

// legacyMirrors lists the hosts of registry.mirrors as registryEndpoints in
// internal/cri/server/images/image_pull.go does: the mirrors, then the
// registry if it is not one of them.
func (l *look) legacyMirrors(s *settings) {
	m, ok := s.mirrors[l.list.Registry]
	if !ok {
		m = s.mirrors["*"]
	}
	last := endpoint{scheme: "https", host: registryHost(l.list.Registry), path: "/v2"}
	if isLocalhost(last.host) {
		last.scheme = "http"
	}
	endpoints := []endpoint{}
	for _, raw := range m.endpoints {
		e, ok := l.legacyEndpoint(raw, m.at)
		if ok {
			endpoints = append(endpoints, e)
		}
		if e.host == l.list.Registry {
			last.host = ""
		}
	}
	if last.host != "" {
		endpoints = append(endpoints, last)
	}
	for i := range endpoints {
		endpoints[i].capabilities = []string{"resolve", "pull"}
		l.addHost(endpoints[i].asHost(l.list.Registry))
	}
}

// legacyEndpoint parses an endpoint, which may lack its scheme.
func (l *look) legacyEndpoint(raw string, at place) (endpoint, bool) {
	if !strings.Contains(raw, "://") {
		scheme := "https://"
		host, _, _ := strings.Cut(raw, "/")
		if isLocalhost(host) {
			scheme = "http://"
		}
		raw = scheme + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		l.problemAt(at, "endpoint "+quoted(raw)+" is not a URL: every pull of this registry fails; write https://host[:port]")
		return endpoint{}, false
	}
	e := endpoint{scheme: u.Scheme, host: u.Host, path: u.Path, at: at}
	if e.path == "" {
		e.path = "/v2"
	}
	if e.host == "" || e.scheme != "http" && e.scheme != "https" {
		l.problemAt(at, "endpoint "+quoted(raw)+" is not an http or https URL with a host; write https://host[:port]")
		return e, true
	}
	l.checkPort(&e)
	return e, true
}
