package hostconf

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestPasswordsOfHostsStayOnTheNode puts a password with bytes that end or break a URL into
// the URLs of hosts.toml: no host, problem or file name may hold it.
func TestPasswordsOfHostsStayOnTheNode(t *testing.T) {
	const secret = "hunter2Zq9"
	for _, odd := range []string{"", " ", "<", ">", `\"`, "`", "^", "{", "}", "|", "[", "]", `\\`, "ä", "#", "?", "/", "%", "%zz", `\t`, "@", ":"} {
		for _, password := range []string{secret + odd + "w", "w" + odd + secret, "12" + odd + secret} {
			for _, scheme := range []string{"https://", "http://", ""} {
				address := scheme + "bob:" + password + "@r.example:5000"
				root := node(t, map[string]string{
					"/etc/containerd/config.toml":                         configV3,
					"/etc/containerd/certs.d/registry.example/hosts.toml": "server = \"" + address + "\"\n[host.\"" + address + "\"]\ncapabilities = [\"pull\"]\nunknown = 1\n",
				})
				list := reader(root, "containerd").Effective("registry.example")
				out, err := json.Marshal(list)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(out), secret) {
					t.Errorf("%s: %s", address, out)
				}
			}
		}
	}
}
