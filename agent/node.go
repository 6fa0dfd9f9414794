package agent

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
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
func readNode(root, name string) Node {
	n := Node{Name: name, OS: runtime.GOOS, Arch: runtime.GOARCH, Variant: variant(runtime.GOARCH)}
	n.HostID = firstLine(filepath.Join(root, "etc", "machine-id"))
	n.HostName = firstLine(filepath.Join(root, "etc", "hostname"))
	if n.HostName == "" {
		n.HostName, _ = os.Hostname() //nolint:errcheck // left out
	}
	if n.Name == "" {
		n.Name = n.HostName
	}
	n.OSVersion = osRelease(filepath.Join(root, "etc", "os-release"))
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

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(bytes.TrimSpace(line))
}

// osRelease is PRETTY_NAME of os-release(5).
func osRelease(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
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
func zone(root string) *time.Location {
	text, err := os.ReadFile(filepath.Join(root, "etc", "localtime"))
	if err != nil {
		return time.UTC
	}
	location, err := time.LoadLocationFromTZData("node", text)
	if err != nil {
		return time.UTC
	}
	return location
}

func (n Node) facts(f enrich.Facts) diagnose.Facts {
	return diagnose.Facts{OS: n.OS, Arch: n.Arch, Variant: n.Variant, ImagePlatform: f.ImagePlatform, Cache: f.Cache}
}
