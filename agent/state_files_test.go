//go:build unix

package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A FIFO, or a link to a device, in place of a file of the state folder costs what that
// file remembers, and nothing else: the agent starts, reads and reports.
func TestStateFilesThatAreNotRegular(t *testing.T) {
	for _, file := range []string{
		"state.json", "state.json.bak", "state.json.tmp", "state.journal", "state.journal.tmp", "lock", "receivers.json", "receivers.json.tmp", "reading.json",
		"images.json", "spool/00000000000000000001.jsonl",
	} {
		for kind, put := range map[string]func(path string) error{
			"FIFO":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"device": func(path string) error { return os.Symlink("/dev/ptmx", path) },
		} {
			t.Run(file+" is a "+kind, func(t *testing.T) {
				t.Parallel()
				n := newNode(t)
				path := filepath.Join(n.cfg.Delivery.StateDir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := put(path); err != nil {
					t.Skipf("cannot be made here: %v", err)
				}
				_, stop := n.run()
				n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
				n.waitImage("registry.example.com/team/app:v1")
				stop()
			})
		}
	}
}
