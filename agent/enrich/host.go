package enrich

import (
	"context"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/sys/unix"

	"pullcause/agent/redact"
	"pullcause/cri"
	"pullcause/logtail/checkpoint"
)

// The states of a [Runtime].
const (
	RuntimeOff         = "off"         // cri.socket is off
	RuntimeAbsent      = "absent"      // no socket was found
	RuntimeUnavailable = "unavailable" // the socket is gone or refuses
	RuntimeConnected   = "connected"
)

// Runtime is the container runtime of the node.
type Runtime struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"`
	// Since is when the state came to be, Connections how often it was connected to.
	Since       time.Time `json:"since,omitzero"`
	Connections int       `json:"connections"`
	Socket      string    `json:"socket,omitempty"`
	PID         uint64    `json:"pid,omitempty"` // as the runtime sees it
	// FailedPlugins are those of containerd that could not be started, and why.
	FailedPlugins []string `json:"failed_plugins,omitempty"`
	// Features tells which questions it answers.
	Features []cri.Feature    `json:"features,omitempty"`
	Calls    map[string]int64 `json:"calls,omitempty"` // made, by method
}

// Runtime tells about the runtime.
func (e *Enricher) Runtime() Runtime {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.runtime
	r.FailedPlugins = slices.Clone(r.FailedPlugins)
	return r
}

// Filesystem is the one that images are kept on. Sizes are in bytes; 0 is unknown.
type Filesystem struct {
	Mountpoint string `json:"mountpoint,omitempty"`
	// UsedBytes and UsedInodes are taken by images, as the runtime says.
	UsedBytes  uint64 `json:"used_bytes,omitempty"`
	UsedInodes uint64 `json:"used_inodes,omitempty"`
	// The others are the whole filesystem's, as statfs(2) says where it can be seen.
	SizeBytes      uint64 `json:"size_bytes,omitempty"`
	AvailableBytes uint64 `json:"available_bytes,omitempty"`
	Inodes         uint64 `json:"inodes,omitempty"`
	InodesFree     uint64 `json:"inodes_free,omitempty"`
}

// usedRatio is the part of the filesystem that is not available; 0 if unknown.
func (f Filesystem) usedRatio() float64 {
	if f.SizeBytes == 0 {
		return 0
	}
	return 1 - float64(f.AvailableBytes)/float64(f.SizeBytes)
}

// askFilesystem asks the runtime for the use of the image filesystem.
func (e *Enricher) askFilesystem(ctx context.Context) {
	client := e.connected()
	if client == nil {
		return
	}
	fs, ok, err := client.ImageFilesystem(ctx)
	if err != nil || !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fs = Filesystem{Mountpoint: fs.Mountpoint, UsedBytes: fs.UsedBytes, UsedInodes: fs.UsedInodes}
}

// Filesystem is what is known of the image filesystem now.
func (e *Enricher) Filesystem() Filesystem {
	e.mu.Lock()
	fs := e.fs
	e.mu.Unlock()
	if fs.Mountpoint == "" {
		return fs
	}
	var st unix.Statfs_t
	if err := unix.Statfs(e.onNode(fs.Mountpoint), &st); err != nil {
		return fs // not mounted into the agent's container
	}
	size := uint64(st.Bsize)
	fs.SizeBytes, fs.AvailableBytes = st.Blocks*size, st.Bavail*size
	fs.Inodes, fs.InodesFree = st.Files, st.Ffree
	return fs
}

// kubeletConfig is where kubeadm and most others keep the KubeletConfiguration.
const kubeletConfig = "var/lib/kubelet/config.yaml"

// redacted takes credentials out of texts of the runtime. It prints what a registry or a
// configuration file told it.
func redacted(texts []string) []string {
	for i := range texts {
		texts[i] = redact.Text(texts[i])
	}
	return texts
}

// redactError is the text of an error that may hold words of the runtime.
func redactError(err error) string {
	if err == nil {
		return ""
	}
	return redact.Text(err.Error())
}

// parallelPulls is how many images the kubelet pulls at once: 0 if there is no limit;
// ok is false if that is not known. (kubernetes v1.37
// staging/src/k8s.io/kubelet/config/v1beta1/types.go: one after the other is the
// default.)
func (e *Enricher) parallelPulls() (n int, ok bool) {
	const limit = 1 << 20
	text, err := checkpoint.ReadFile(e.onNode(kubeletConfig), limit)
	if err != nil {
		return 0, false
	}
	var c struct {
		Kind        string `yaml:"kind"`
		Serialize   *bool  `yaml:"serializeImagePulls"`
		MaxParallel int    `yaml:"maxParallelImagePulls"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil || c.Kind != "KubeletConfiguration" {
		return 0, false
	}
	if c.Serialize == nil || *c.Serialize {
		return 1, true
	}
	return c.MaxParallel, true
}

// State is what /debug/node shows beside the machine itself.
type State struct {
	Runtime         Runtime     `json:"runtime"`
	KubeletVersion  string      `json:"kubelet_version,omitempty"`
	ImageFilesystem *Filesystem `json:"image_filesystem,omitempty"`
	// MaxParallelPulls is the kubelet's; 0 is no limit, absent unknown.
	MaxParallelPulls *int `json:"max_parallel_pulls,omitempty"`
}

// State tells about the node, as it is now.
func (e *Enricher) State(ctx context.Context) State {
	e.askFilesystem(ctx)
	n := State{Runtime: e.Runtime()}
	e.mu.Lock()
	client := e.client
	n.KubeletVersion = e.kubelet
	e.mu.Unlock()
	if client != nil {
		n.Runtime.Features, n.Runtime.Calls = client.Features(), client.Calls()
		for i := range n.Runtime.Features {
			n.Runtime.Features[i].Error = redact.Text(n.Runtime.Features[i].Error)
		}
	}
	if fs := e.Filesystem(); fs.Mountpoint != "" {
		n.ImageFilesystem = &fs
	}
	if pulls, ok := e.parallelPulls(); ok {
		n.MaxParallelPulls = &pulls
	}
	return n
}

// Images is what is on the node.
func (e *Enricher) Images() Images { return e.images.all() }

// Report is the state of the image cache.
type Report struct {
	Images     int
	Bytes      uint64
	Filesystem Filesystem
}

// CacheReport is the state of the image cache now; ok is false if it is not known.
func (e *Enricher) CacheReport() (r Report, ok bool) {
	n, bytes, known := e.images.count()
	return Report{Images: n, Bytes: bytes, Filesystem: e.Filesystem()}, known
}

func (e *Enricher) tellCached(ctx context.Context) {
	e.askFilesystem(ctx)
	e.mu.Lock()
	e.told = time.Now()
	e.mu.Unlock()
	if r, ok := e.CacheReport(); ok {
		e.cfg.Cached(r)
	}
}

// reportDue is when the state of the image cache is to be told again.
func (e *Enricher) reportDue() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told.IsZero() {
		return reportEvery
	}
	return max(time.Until(e.told.Add(reportEvery)), 0)
}

// complain says once that names of images cannot be stored.
func (e *Enricher) complain(err error) {
	e.mu.Lock()
	said := e.failed
	e.failed = true
	e.mu.Unlock()
	if !said {
		e.cfg.Log.Error("images that are removed are not remembered over a restart", "error", err)
	}
}
