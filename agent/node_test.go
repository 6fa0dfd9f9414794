package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// mountedNode makes a node's file system as it is mounted into a container: its absolute
// symlinks lead to nothing, or to the container's own files, unless they are followed
// below it.
func mountedNode(t *testing.T, files, links map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(root, name), text)
	}
	for name, target := range links {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// kolkata is a time zone file (RFC 8536) of one zone, 5 h 30 min east.
const kolkata = "TZif2" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // header of version 1
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
	"\x00\x00\x4d\x58\x00\x00IST\x00" +
	"TZif2" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // of version 2
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
	"\x00\x00\x4d\x58\x00\x00IST\x00" + "\nIST-5:30\n"

func TestNodeBehindAbsoluteLinks(t *testing.T) {
	root := mountedNode(t, map[string]string{
		"usr/share/zoneinfo/Node/Zone":   kolkata,
		"usr/lib/os-release.node":        "NAME=Node\nPRETTY_NAME=\"Node OS 1\"\n",
		"persist/machine-id":             "0123456789abcdef0123456789abcdef\n",
		"persist/etc/hostname.of.a.node": "node-7\n",
	}, map[string]string{
		"etc/localtime":  "/usr/share/zoneinfo/Node/Zone",
		"etc/os-release": "/usr/lib/os-release.node",
		"etc/machine-id": "/persist/machine-id",
		"etc/hostname":   "/persist/etc/hostname.of.a.node",
	})
	n := readNode(root, "")
	if _, offset := time.Unix(0, 0).In(n.zone).Zone(); offset != 19800 {
		t.Errorf("got an offset of %d s, want that of the node's zone", offset)
	}
	if n.OSVersion != "Node OS 1" || n.HostID != "0123456789abcdef0123456789abcdef" || n.Name != "node-7" {
		t.Errorf("got %+v", n)
	}
}

// Logs whose paths go through absolute links are found and read, known and configured ones
// alike, and their rotations followed.
func TestLogsBehindAbsoluteLinks(t *testing.T) {
	root := mountedNode(t, map[string]string{
		"data/logs/containerd.log": pulls("v1") + "\n",
		"data/kubelet/current.log": pulls("v2") + "\n",
	}, map[string]string{
		"var/log":          "/data/logs",
		"opt/log/kube.log": "/data/kubelet/current.log",
	})
	cfg := Default()
	cfg.HostRoot = root
	cfg.Sources.Lookback = Lookback{All: true}
	cfg.Sources.Poll = Duration(10 * time.Millisecond)
	cfg.Sources.Files = []SourceFile{{Path: "/opt/log/kube.log", Program: "kubelet"}}
	s := newSources(cfg, Node{}, nil, slog.New(slog.DiscardHandler))
	var r logtailtest.Recorder
	s.handle = func(logtail.Source) logtail.Handler { return &r }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	r.Wait(t, 2)
	if err := os.Rename(filepath.Join(root, "data", "kubelet", "current.log"), filepath.Join(root, "data", "kubelet", "current.log.1")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "data", "kubelet", "current.log"), pulls("v3")+"\n")
	got := slices.Sorted(slices.Values(r.Wait(t, 3)))
	if want := []string{pulls("v1"), pulls("v2"), pulls("v3")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q; sources %+v", got, want, s.status())
	}
}
