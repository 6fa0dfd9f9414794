package agent

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/logtail/hostroot"
)

// Node is what is known of the machine without asking the runtime.
type Node struct {
	Name      string `json:"name"`
	HostName  string `json:"host_name,omitempty"`
	HostID    string `json:"host_id,omitempty"` // /etc/machine-id
	OS        string `json:"os"`
	OSVersion string `json:"os_version,omitempty"`
	Kernel    string `json:"kernel,omitempty"`
	Arch      string `json:"arch"`
	Variant   string `json:"variant,omitempty"`
	// zone is the node's, in which the kubelet's text log writes its times.
	zone *time.Location
}

// readNode reads the node's own files below root. What cannot be read is left
// out: none of it is needed.
func readNode(hostRoot, name string) Node {
	root := hostroot.New(hostRoot)
	n := Node{Name: name, OS: runtime.GOOS, Arch: runtime.GOARCH, Variant: variant(runtime.GOARCH)}
	n.HostID = firstLine(root, "/etc/machine-id")
	n.HostName = firstLine(root, "/etc/hostname")
	if n.HostName == "" {
		n.HostName, _ = os.Hostname() //nolint:errcheck // left out
	}
	if n.Name == "" {
		n.Name = n.HostName
	}
	n.OSVersion = osRelease(root)
	n.Kernel = kernel()
	n.zone = zone(root)
	return n
}

// variant is the OCI variant of an architecture where there is only one that
// runs today's Kubernetes.
func variant(arch string) string {
	if arch == "arm64" {
		return "v8"
	}
	return ""
}

// maxNodeFile bounds what is read of a file of the node; those of time zones are the
// largest, with some kilobytes.
const maxNodeFile = 1 << 20

// readNodeFile reads a file of the node. What cannot be read is empty.
func readNodeFile(root hostroot.Root, name string) []byte {
	f, err := root.Open(root.Path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, maxNodeFile))
	if err != nil {
		return nil
	}
	return text
}

func firstLine(root hostroot.Root, name string) string {
	line, _, _ := bytes.Cut(readNodeFile(root, name), []byte("\n"))
	return string(bytes.TrimSpace(line))
}

// osRelease is PRETTY_NAME of os-release(5).
func osRelease(root hostroot.Root) string {
	for line := range strings.Lines(string(readNodeFile(root, "/etc/os-release"))) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// zone is the node's time zone from /etc/localtime, which in the agent's
// container is not the agent's own; UTC if it cannot be read.
func zone(root hostroot.Root) *time.Location {
	location, err := time.LoadLocationFromTZData("node", readNodeFile(root, "/etc/localtime"))
	if err != nil {
		return time.UTC
	}
	return location
}

func (n Node) facts(f enrich.Facts) diagnose.Facts {
	return diagnose.Facts{OS: n.OS, Arch: n.Arch, Variant: n.Variant, ImagePlatform: f.ImagePlatform, Cache: f.Cache}
}
