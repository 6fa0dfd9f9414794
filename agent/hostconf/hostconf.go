// Package hostconf tells which hosts the container runtime of this node asks
// for the images of a registry, in which order and role, and which line of its
// configuration is wrong. It only reads: hosts.toml and config.toml of
// containerd, registries.conf of CRI-O. Start at Reader.Effective.
package hostconf

import (
	"slices"
	"sync"
	"time"
)

// What a Reader holds and reads at most: the files are the node admin's, but
// the agent has to live with whatever they hold.
const (
	maxFileSize = 1 << 20
	maxHosts    = 64
	maxProblems = 32
	maxFiles    = 64 // also the imports of a config.toml, and the files of a certs.d folder
	maxCached   = 256
	cacheFor    = 10 * time.Second
)

// The runtimes, as they name themselves in the CRI's Version call.
const (
	containerd = "containerd"
	crio       = "cri-o"
)

// The roles of a Host.
const (
	RoleMirror = "mirror" // asked in place of the registry
	RoleOrigin = "origin" // the registry itself
)

// Config is what a Reader needs to know.
type Config struct {
	// HostRoot is where the node's / is seen: "/", or "/host" in a container.
	// What is not mounted there counts as absent.
	HostRoot string
	// Runtime is asked at each look and names the runtime: "containerd",
	// "cri-o", or "" as long as nobody knows. May be nil.
	Runtime func() string
}

// Reader reads the runtime's configuration below a host root. It is safe for
// concurrent use.
type Reader struct {
	config Config

	mu    sync.Mutex
	cache map[cacheKey]cached
}

type cacheKey struct{ runtime, registry string }

type cached struct {
	list List
	at   time.Time
}

// List is what the configuration says about a registry.
type List struct {
	Registry string    `json:"registry"` // empty if what was asked for is no host[:port]
	Files    []string  `json:"files"`    // the files that had a say, as paths on the node, in the order read
	Hosts    []Host    `json:"hosts"`    // in the order asked
	Problems []Problem `json:"problems"`
}

// Host is one of the hosts that the runtime asks.
type Host struct {
	Host         string   `json:"host"` // host[:port] as in the runtime's log lines
	Role         string   `json:"role"` // RoleMirror or RoleOrigin
	URL          string   `json:"url"`  // without userinfo and query
	Capabilities []string `json:"capabilities"`
	CA           []string `json:"ca,omitempty"` // files of certificates, as paths on the node
	ClientCert   bool     `json:"client_cert,omitempty"`
	SkipVerify   bool     `json:"skip_verify,omitempty"`
	OverridePath bool     `json:"override_path,omitempty"`
	HTTPFallback bool     `json:"http_fallback,omitempty"` // HTTPS comes first, then plain HTTP
	PullFrom     string   `json:"pull_from,omitempty"`     // CRI-O: "digest-only" or "tag-only"
	File         string   `json:"file,omitempty"`          // where it stands; empty for the default
	Line         int      `json:"line,omitempty"`
}

// Problem is something wrong in a file: what was got, what was wanted, what to
// do. It never quotes headers, passwords or userinfo.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// New returns a Reader.
func New(config Config) *Reader {
	if config.HostRoot == "" {
		config.HostRoot = "/"
	}
	return &Reader{config: config, cache: map[cacheKey]cached{}}
}

// Effective returns the hosts that the runtime asks for images of registry, in
// order, and what is wrong in the files that say so. registry is the host of a
// normalised reference: "docker.io", "registry.example.com:5000". Anything else
// gets an empty list. The answer is up to ten seconds old and shared: it must
// not be changed.
func (r *Reader) Effective(registry string) List {
	if !isRegistry(registry) {
		return newList("")
	}
	key := cacheKey{registry: registry}
	if r.config.Runtime != nil {
		key.runtime = r.config.Runtime()
	}
	now := time.Now()
	if list, ok := r.remembered(key, now); ok {
		return list
	}
	list := r.look(key)
	r.remember(key, cached{list: list, at: now})
	return list
}

func (r *Reader) remembered(key cacheKey, now time.Time) (List, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, ok := r.cache[key]
	return entry.list, ok && now.Sub(entry.at) < cacheFor
}

// remember forgets everything once there is too much: a node that pulls from
// hundreds of registries in ten seconds reads its files again.
func (r *Reader) remember(key cacheKey, entry cached) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	r.cache[key] = entry
}

// look reads the files.
func (r *Reader) look(key cacheKey) List {
	d, err := openDisk(r.config.HostRoot)
	if err != nil {
		l := look{list: newList(key.registry)}
		l.addHost(origin(key.registry))
		l.problem("/", 0, "read the node's files: "+reason(err)+
			"; mount the node's / read-only at the agent's host root")
		return l.list
	}
	l := look{disk: d, list: newList(key.registry)}
	switch l.runtime(key.runtime) {
	case containerd:
		l.containerd()
	case crio:
		l.crio()
	default: // dockerd and others keep their mirrors elsewhere
		l.addHost(origin(key.registry))
	}
	return l.list
}

// runtime guesses by the files as long as nobody has said which runtime it is.
func (l *look) runtime(name string) string {
	if name != "" {
		return name
	}
	exists := func(path string) bool { return l.disk.exists(path) == nil }
	if !slices.ContainsFunc(configFiles(), exists) && (exists("/etc/crio") || exists("/var/lib/crio")) {
		return crio
	}
	return containerd
}
