//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// writeHostRoot makes what an agent sees of the node beside its logs: containerd's
// configuration at the paths that containerd itself has it, and the way to its socket.
func writeHostRoot(root string, o Options) error {
	config, err := containerdConfig(o)
	if err != nil {
		return err
	}
	files := map[string]string{
		"etc/containerd/config.toml": config,
		"etc/hostname":               "node-a\n",
	}
	for host, text := range hostsFiles(o.Containerd) {
		files[o.etc()+"/certs.d/"+host+"/hosts.toml"] = text
	}
	for name, text := range files {
		if err := writeFile(filepath.Join(root, name), text); err != nil {
			return err
		}
	}
	for _, name := range []string{"var/log", "run/containerd"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return fmt.Errorf("write host root: %w", err)
		}
	}
	return os.Symlink("../../../run/containerd.sock", filepath.Join(root, "run", "containerd", "containerd.sock"))
}
