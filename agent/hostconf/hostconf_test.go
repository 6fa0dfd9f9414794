package hostconf

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIsRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"docker.io": true, "localhost": true, "registry.example.com:5000": true, "10.0.0.1:80": true, "[::1]": true,
		"[fd00::1]:5000": true, "xn--bcher-kva.example": true,
		"": false, ".": false, "..": false, "../etc": false, "a/b": false, "a\x00b": false, "a..b": false, "-a": false,
		"_default": false, "a:": false, "a:b": false, "a:123456": false, "a:1:2": false, "::1": false, "[::1": false,
		"[fe80::1%eth0]": false, "[/etc]": false, "user:pw@host": false, "a b": false, "bücher.example": false,
		strings.Repeat("a", 254): false,
	}
	for name, want := range tests {
		if got := isRegistry(name); got != want {
			t.Errorf("isRegistry(%q) = %v", name, got)
		}
	}
}

func TestNoRegistryNoAnswer(t *testing.T) {
	t.Parallel()
	root := node(t, map[string]string{"/etc/containerd/certs.d/_default/hosts.toml": "server = \"https://m\""})
	for _, name := range []string{"../_default", "user:secret@host", "_default", ""} {
		got, err := json.Marshal(reader(root, containerd).Effective(name))
		want := `{"registry":"","files":[],"hosts":[],"problems":[]}`
		if err != nil || string(got) != want {
			t.Errorf("Effective(%q) = %s, %v", name, got, err)
		}
	}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	const registries = "/etc/containers/registries.conf"
	files := map[string]string{
		registries: "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"m\"\n",
		"/etc/containerd/certs.d/docker.io/hosts.toml": "server = \"https://n\"\n",
	}
	tests := []struct {
		runtime string
		more    string // a file that is there
		want    string // the first host
	}{
		{runtime: "containerd", want: "n"},
		{runtime: "cri-o", want: "m"},
		{runtime: "docker", want: "registry-1.docker.io"},
		{runtime: "", want: "n"},
		{runtime: "", more: "/etc/crio/crio.conf", want: "m"},
		{runtime: "containerd", more: "/etc/crio/crio.conf", want: "n"},
	}
	for _, test := range tests {
		root := node(t, files)
		if test.more != "" {
			if err := os.MkdirAll(filepath.Join(root, test.more), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		list := reader(root, test.runtime).Effective("docker.io")
		if len(list.Hosts) == 0 || list.Hosts[0].Host != test.want {
			t.Errorf("runtime %q with %q asks %v, want %s", test.runtime, test.more, rows(list), test.want)
		}
	}
}

func TestNoHostRoot(t *testing.T) {
	t.Parallel()
	list := New(Config{HostRoot: filepath.Join(t.TempDir(), "none")}).Effective("docker.io")
	want := []string{"/:0: read the node's files: no such file; mount the node's / read-only at the agent's host root"}
	if diff := cmp.Diff(want, problems(list)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{hubOrigin}, rows(list)); diff != "" {
		t.Error(diff)
	}
}

func TestPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	root := node(t, map[string]string{hubHosts: "server = \"https://m\"\n"})
	if err := os.Chmod(filepath.Join(root, hubHosts), 0); err != nil {
		t.Fatal(err)
	}
	want := []string{hubHosts + ":0: read hosts.toml: permission denied: the agent may not read it, the runtime as root may"}
	if diff := cmp.Diff(want, problems(reader(root, containerd).Effective("docker.io"))); diff != "" {
		t.Error(diff)
	}
}

// A link never leads out of the host root, and leads where the node would go.
func TestLinks(t *testing.T) {
	t.Parallel()
	outside := node(t, map[string]string{"/hosts.toml": "server = \"https://outside\"\n"})
	const dir = "/etc/containerd/certs.d/docker.io"
	tests := []struct {
		name, target string
		want         string
	}{
		{"absolute", "/data/hub", "inside"},
		{"relative", "../../../data/hub", "inside"},
		{"above the root", "../../../../../../../../data/hub", "inside"},
		{"to another link", "/data/link", "inside"},
		{"outside", outside, "registry-1.docker.io"},
		{"circle", dir, "registry-1.docker.io"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := node(t, map[string]string{
				"/data/hub/hosts.toml": "server = \"https://inside\"\n",
				"/data/link":           "-> hub",
				dir:                    "-> " + test.target,
			})
			list := reader(root, containerd).Effective("docker.io")
			if list.Hosts[0].Host != test.want {
				t.Errorf("got %v, want %s", rows(list), test.want)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	var many, wrong strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "[host.\"https://m%d\"]\n", i)
		fmt.Fprintf(&wrong, "[host.\"https://m%d:80\"]\n", i)
	}
	tests := []struct {
		name, text          string
		hosts, problemCount int
	}{
		{"hosts", many.String(), maxHosts, 0},
		{"problems", wrong.String(), maxHosts, maxProblems},
		{"size", "# " + strings.Repeat("x", maxFileSize), 1, 1},
		{"depth", "x = " + strings.Repeat("[", maxFileSize/2), 1, 1},
		{"keys", strings.Repeat("a.", maxFileSize/4) + "a = 1", 1, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list := reader(node(t, map[string]string{hubHosts: test.text}), containerd).Effective("docker.io")
			if len(list.Hosts) != test.hosts || len(list.Problems) != test.problemCount {
				t.Errorf("%d hosts and %d problems, want %d and %d", len(list.Hosts), len(list.Problems), test.hosts, test.problemCount)
			}
		})
	}
}

func TestImportsAreBounded(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/etc/containerd/config.toml": "imports = [\"/c/*\"]\n"}
	for i := range 200 {
		files[fmt.Sprintf("/c/%03d.toml", i)] = "imports = [\"/c/*\", \"/etc/*/*\"]\n"
	}
	if n := len(reader(node(t, files), containerd).Effective("docker.io").Files); n != maxFiles {
		t.Errorf("read %d files", n)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	root := node(t, map[string]string{hubHosts: "server = \"https://a\"\n"})
	synctest.Test(t, func(t *testing.T) {
		r := reader(root, containerd)
		ask := func(want string) {
			t.Helper()
			if got := r.Effective("docker.io").Hosts[0].Host; got != want {
				t.Errorf("asks %s, want %s", got, want)
			}
		}
		ask("a")
		if err := os.WriteFile(filepath.Join(root, hubHosts), []byte("server = \"https://b\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cacheFor - 1)
		ask("a")
		time.Sleep(time.Nanosecond)
		ask("b")
		for i := range 3 * maxCached {
			r.Effective(fmt.Sprintf("r%d.test", i))
		}
		if n := len(r.cache); n > maxCached {
			t.Errorf("%d lists are cached", n)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := reader(node(t, map[string]string{hubHosts: "server = \"https://a\"\n"}), containerd)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				r.Effective(fmt.Sprintf("r%d.test", (i+j)%7))
			}
		})
	}
	wg.Wait()
}
