package hostconf

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const secret = "hunter2SECRET"

// FuzzHosts gives any text to each of the parsers. SECRET stands for a
// credential where files hold them; what is made of the file must not show it.
func FuzzHosts(f *testing.F) {
	seeds := []string{
		"server = \"https://user:SECRET@m:80/x?token=SECRET\"\n[host.\"https://user:SECRET@n\"]\ncapabilities = [\"x\"]\n",
		"[host.\"http://n\".header]\nauthorization = [\"Basic SECRET\", 1]\n[host.\"http://n\"]\nskip_verify = true\n",
		"[header]\nx = \"SECRET\"\nx = \"SECRET\"\n",
		"[header]\nx = SECRET\n",
		"host = {\"https://u:SECRET@h\" = {ca = [1], client = [[\"a\"]]}}\nca = \"a\"",
		"[hosts.\"https://u:SECRET@h\"]\na.b.c = 1\n",
		"dial_timeout = \"https://u:SECRET@x\"\nca = \"https://u:SECRET@h/ca\"\n",
		"version = 2\nimports = [\"*\"]\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"*\"]\n" +
			"endpoint = [\"u:SECRET@h:80\", \"http://u:SECRET@h:x\"]\n" +
			"[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"h\".auth]\npassword = \"SECRET\"\n",
		"[[registry]]\nlocation = \"u:SECRET@h\"\nprefix = \"*.io\"\n[[registry.mirror]]\nlocation = \"https://u:SECRET@h\"\n",
		"[[registry]]\nlocation = \"docker.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \"m\"\npull-from-mirror = \"x\"\n",
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	paths := map[string]string{
		hubHosts: containerd, "/etc/containerd/config.toml": containerd, "/etc/containers/registries.conf": crio,
	}
	root := node(f, map[string]string{hubHosts: "", "/etc/containers/registries.conf": ""})
	f.Fuzz(func(t *testing.T, text string) {
		planted := credentialsOnly(text)
		for path, runtime := range paths {
			file := filepath.Join(root, path)
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "SECRET", secret)), 0o644); err != nil {
				t.Fatal(err)
			}
			list := reader(root, runtime).Effective("docker.io")
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			checkList(t, list, planted)
		}
	})
}

// credentialsOnly reports whether each SECRET in a text is where credentials
// are: before the @ of a URL, or in the line of a header or password.
func credentialsOnly(text string) bool {
	if strings.Contains(text, `"""`) || strings.Contains(text, "'''") {
		return false // lines are not what they seem
	}
	for line := range strings.Lines(text) {
		rest, _, _ := strings.Cut(line, "#")
		for strings.Contains(rest, "SECRET") {
			before, after, _ := strings.Cut(rest, "SECRET")
			header := strings.HasPrefix(line, "authorization = ") || strings.HasPrefix(line, "password = ")
			if !header && (!strings.HasPrefix(after, "@") || !strings.HasSuffix(before, "://u:")) {
				return false
			}
			rest = after
		}
	}
	return true
}

func checkList(t *testing.T, list List, planted bool) {
	t.Helper()
	out, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if planted && strings.Contains(string(out), secret) {
		t.Errorf("a credential is shown: %s", out)
	}
	if len(list.Hosts) > maxHosts || len(list.Problems) > maxProblems || len(list.Files) > maxFiles {
		t.Errorf("%d hosts, %d problems, %d files", len(list.Hosts), len(list.Problems), len(list.Files))
	}
	for _, p := range list.Problems {
		if p.File == "" || p.Text == "" || len(p.Text) > 3*maxText || p.Line < 0 {
			t.Errorf("problem %+v", p)
		}
	}
}
