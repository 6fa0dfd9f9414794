package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// configFiles returns where config.toml may be: containerd's own, then those
// that k3s, RKE2, k0s and MicroK8s give to the containerd they bring.
func configFiles() []string {
	return []string{
		"/etc/containerd/config.toml",
		"/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
		"/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
		"/etc/k0s/containerd.toml",
		"/var/snap/microk8s/current/args/containerd.toml",
	}
}

// defaultRoots is where hosts.toml is looked for if nothing says where. The
// first two are containerd's default since 2.2 (plugins/cri/images/plugin.go);
// before, the default was none, but whoever puts a hosts.toml there means it to
// be read, so it is looked at and said that it may not be. The others are
// where k3s and RKE2 write theirs.
func defaultRoots() []string {
	return []string{
		"/etc/containerd/certs.d",
		"/etc/docker/certs.d",
		"/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
		"/var/lib/rancher/rke2/agent/etc/containerd/certs.d",
	}
}

// containerd lists the hosts that containerd asks.
func (l *look) containerd() {
	s := l.settings()
	if s.configPath != "" && s.mirrorsAt.file != "" {
		l.problemAt(s.mirrorsAt, fmt.Sprintf("mirrors are set, and so is config_path (%s line %d): containerd refuses to "+
			"start its CRI plugin with both; move the mirrors to hosts.toml below %s and remove them here",
			s.configPathAt.file, s.configPathAt.line, quoted(s.configPath)))
	}
	if s.configPath == "" && s.mirrorsAt.file != "" {
		l.legacyMirrors(&s)
		return
	}
	roots := defaultRoots()
	if s.configPath != "" {
		roots = slices.DeleteFunc(strings.Split(s.configPath, ":"), func(root string) bool { return root == "" })
		for i, root := range roots {
			roots[i] = l.snap(root)
		}
	}
	dir := l.hostDir(roots)
	if dir == "" {
		l.addHost(origin(l.list.Registry))
		return
	}
	l.checkRoots(&s, roots, dir)
	l.loadHostDir(dir)
}

// snap finds a folder of MicroK8s, whose config_path has the revision of the snap in it (canonical/microk8s,
// microk8s-resources/default-args/containerd-template.toml: ${SNAP_DATA}/args/certs.d). The link "current"
// leads there, and in a container that may be all there is of it.
func (l *look) snap(name string) string {
	const snaps = "/var/snap/microk8s/"
	inside, ok := strings.CutPrefix(name, snaps)
	_, rest, below := strings.Cut(inside, "/")
	if !ok || !below || !errors.Is(l.disk.exists(name), fs.ErrNotExist) {
		return name
	}
	return snaps + "current/" + rest
}

// checkRoots tells of a host folder that containerd may not find.
func (l *look) checkRoots(s *settings, roots []string, dir string) {
	switch {
	case s.main == "" || s.incomplete: // nothing to put a finger on
	case s.configPath == "":
		text := "config_path is not set: containerd before 2.2 does not read " + quoted(dir)
		if !s.local { // its default is a list, too
			text += ", and 2.2 to 2.4 may not either (containerd#12415)"
		}
		l.problem(s.main, 0, text+"; set config_path = "+quoted(path.Dir(dir)))
	case len(roots) > 1 && !s.local:
		// The CRI plugin splits the list, core/transfer/registry does not
		// (2.1 to 2.4). What falls back to the local pull has no such problem.
		l.problemAt(s.configPathAt, fmt.Sprintf("config_path names %d folders, and containerd 2.1 to 2.4 take them for one "+
			"when they pull with the transfer service, so %s is not read (containerd#12415); name one folder, "+
			"or set use_local_image_pull = true", len(roots), quoted(dir)))
	}
}

// settings is what all config.toml files say about registries.
type settings struct {
	main         string // the file that containerd is started with
	configPath   string
	configPathAt place
	mirrors      map[string]mirror
	mirrorsAt    place // no file if there are none
	local        bool  // images are not pulled with the transfer service
	incomplete   bool  // a file could not be read
	disabled     bool  // the CRI plugin is off: another containerd serves the kubelet
}

// mirror is a registry.mirrors."host", deprecated since containerd 1.5.
type mirror struct {
	endpoints []string
	at        place
}

// settings reads the first config.toml that serves the CRI: Docker's packages
// install one that does not.
func (l *look) settings() settings {
	for _, file := range configFiles() {
		if errors.Is(l.disk.exists(file), fs.ErrNotExist) {
			continue
		}
		s := settings{main: file}
		l.loadConfig(&s)
		if !s.disabled {
			return s
		}
	}
	return settings{}
}

// loadConfig reads a config.toml and what it imports, one after the other as
// LoadConfig does (cmd/containerd/server/config/config.go, containerd 2.4).
// Later files win. containerd 1 replaces a plugin's whole section then, which
// is not done here.
func (l *look) loadConfig(s *settings) {
	seen := map[string]bool{}
	for pending := []string{s.main}; len(pending) > 0 && len(seen) < maxFiles; pending = pending[1:] {
		file := pending[0]
		if seen[file] {
			continue
		}
		seen[file] = true
		data, ok := l.read(file)
		if !ok {
			s.incomplete = s.incomplete || !errors.Is(l.disk.exists(file), fs.ErrNotExist)
			continue
		}
		var value map[string]any
		at, err := decode(data, &value)
		if err != nil {
			line, text := tomlProblem(err)
			l.problem(file, line, "read "+base(file)+": "+text+"; containerd does not start with this file")
			s.incomplete = true
			continue
		}
		l.mergeConfig(s, &configFile{path: file, lines: at, value: value})
		imports, _ := files(value["imports"])
		for _, name := range imports {
			name = absolute(name, path.Dir(file))
			if !strings.Contains(name, "*") { // what containerd takes for a pattern
				pending = append(pending, name)
				continue
			}
			pending = append(pending, l.disk.glob(name)...)
		}
		pending = pending[:min(len(pending), maxFiles)]
	}
}
