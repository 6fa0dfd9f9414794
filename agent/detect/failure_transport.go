package detect

import (
	"net/netip"
	"strings"

	"pullcause/agent/redact"
)

// transport reads the operation that failed on the way to a host, as package
// net prints it (net.OpError, net.DNSError): "dial tcp 10.0.0.1:443", "read tcp
// 10.0.0.2:1->10.0.0.1:443", "lookup r.example on 10.0.0.10:53", and net/http's
// "proxyconnect tcp".
func (c *chain) transport(rest string) int {
	switch rest[0] {
	case 'l':
		return c.lookup(rest)
	case 'p', 's':
		return c.proxy(rest)
	case 'd', 'r', 'w', 't':
	default:
		return 0
	}
	rest0 := rest
	rest = strings.TrimPrefix(rest, "transport: Error while dialing: ") // grpc-go 1.54 and later
	rest = strings.TrimPrefix(rest, "transport: Error while dialing ")
	op, tail, found := strings.Cut(rest[:min(len(rest), maxAddress)], " ")
	if !found || op != "dial" && op != "read" && op != "write" {
		return 0
	}
	network, address, _ := strings.Cut(tail, " ")
	plainNetwork := strings.TrimSuffix(network, ":")
	switch plainNetwork {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix":
	default:
		return 0
	}
	c.op, c.told = op, true
	n := len(rest0) - len(rest) + len(op) + 1 + len(plainNetwork)
	if network != plainNetwork {
		return n
	}
	address = addressOf(address)
	if plainNetwork == "unix" {
		c.socket(address)
	} else if !c.looking {
		c.peer(address)
	}
	return n + 1 + len(address)
}

// maxAddress bounds how far an address is looked for, in bytes.
const maxAddress = 512

// addressOf is the address at the beginning of s, up to ": ".
func addressOf(s string) string {
	if address, _, found := strings.Cut(s, ": "); found {
		return address
	}
	return strings.TrimRight(s, ":\" \n")
}

// socket notes a unix socket that does not answer. containerd itself dials those of
// snapshotters that are processes of their own (containerd v2.4.2
// docs/PLUGINS.md, proxy plugins); a client of a runtime dials the runtime's.
func (c *chain) socket(path string) {
	c.f.Socket = bounded(redact.Text(path), maxAddress)
	if c.speaker == Containerd {
		c.f.Found.add(SnapshotterGone)
	} else {
		c.f.Found.add(SocketGone)
	}
}

// peer notes the far end of a connection.
func (c *chain) peer(address string) {
	if _, far, ok := strings.Cut(address, "->"); ok {
		address = far
	}
	if _, err := netip.ParseAddrPort(address); err == nil {
		c.f.Peer = address
	}
}

// lookup reads "lookup r.example on 10.0.0.10:53" (Go's resolver) or "lookup
// r.example" (that of libc).
func (c *chain) lookup(rest string) int {
	tail, ok := strings.CutPrefix(rest, "lookup ")
	if !ok {
		return 0
	}
	name := addressOf(tail[:min(len(tail), maxAddress)])
	host, server, _ := strings.Cut(name, " on ")
	if host == "" || strings.ContainsAny(host, " \"\n/") { // "lookup tcp/x" is for a port
		return 0
	}
	c.f.Lookup = host
	if _, err := netip.ParseAddrPort(server); err == nil {
		c.f.Resolver = server
	}
	c.looking, c.told, c.op = true, true, "lookup"
	return len("lookup ") + len(name)
}

// proxy reads "proxyconnect tcp: " and "socks connect tcp A->B: ", behind which
// stands what went wrong with the proxy itself (net/http transport.go).
func (c *chain) proxy(rest string) int {
	for _, words := range [...]string{"proxyconnect tcp", "socks connect tcp"} {
		if strings.HasPrefix(rest, words) {
			c.f.Proxy = true
			c.f.Found.add(ProxyFailed)
			c.told = true
			return len(words)
		}
	}
	return 0
}

// fileOperations are those of os.PathError and os.LinkError.
var fileOperations = [...]string{
	"chmod", "chown", "copy", "fallocate", "fsync", "lchown", "link", "lstat", "mkdir", "mkdirat", "mknod", "mount",
	"open", "openat", "read", "readdirent", "readlink", "remove", "rename", "rmdir", "stat", "statfs", "symlink",
	"sync", "truncate", "unlink", "unlinkat", "unmount", "write", "fork/exec",
}

// storagePaths are parts of the paths of a runtime's own storage.
var storagePaths = [...]string{
	"/var/lib/docker/", "/var/lib/containerd/", "/var/lib/containers/", "io.containerd.", "/overlay2/",
	"/containers/storage/", "/layerdb/", "/snapshots/", "containerd-mount", "/var/lib/rancher/",
}

// file reads the operation on a file that failed: "open /var/lib/…", with the
// reason behind ": ".
func (c *chain) file(rest string) int {
	op, path, found := strings.Cut(rest[:min(len(rest), maxAddress)], " ")
	if !found || !strings.HasPrefix(path, "/") || !isFileOperation(op) {
		return 0
	}
	path = addressOf(path)
	c.op, c.told = op, true
	for _, p := range storagePaths {
		if strings.Contains(path, p) {
			c.f.Found.add(LocalStorage)
			break
		}
	}
	return len(op) + 1 + len(path)
}

func isFileOperation(op string) bool {
	for _, o := range fileOperations {
		if op == o {
			return true
		}
	}
	return false
}

// creates reports whether the last operation made a file without writing to
// it: then a full disk is one without inodes.
func (c *chain) creates() bool {
	switch c.op {
	case "open", "openat", "mkdir", "mkdirat", "mknod", "symlink", "link":
		return true
	}
	return false
}
