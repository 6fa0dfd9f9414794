package hostconf

import "testing"

const (
	configV3  = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = \"/etc/containerd/certs.d\"\n"
	hubHosts  = "/etc/containerd/certs.d/docker.io/hosts.toml"
	hubOrigin = "origin registry-1.docker.io https://registry-1.docker.io/v2"
)

func TestHostsToml(t *testing.T) {
	t.Parallel()
	tests := []lookCase{
		{
			name: "mirrors in the order of the file, then the server",
			files: map[string]string{hubHosts: `server = "https://registry-1.docker.io"

[host."https://mirror-b.lab.test:8443"]
  capabilities = ["pull", "resolve"]
[host."https://mirror-b.lab.test:8443".header]
  authorization = "Basic c2VjcmV0"
[host."mirror-a.lab.test/hub"]
`},
			hosts: []string{
				"mirror mirror-b.lab.test:8443 https://mirror-b.lab.test:8443/v2 pull,resolve " + hubHosts + ":3",
				"mirror mirror-a.lab.test https://mirror-a.lab.test/hub/v2 " + hubHosts + ":7",
				hubOrigin + " " + hubHosts + ":1",
			},
			read: []string{"/etc/containerd/config.toml", hubHosts},
		},
		{
			name:  "no server: the origin comes last",
			files: map[string]string{hubHosts: "[host.\"https://m\"]\n  override_path = true\n"},
			hosts: []string{"mirror m https://m override_path " + hubHosts + ":1", hubOrigin},
		},
		{
			name:  "a server that is not the origin leaves no origin",
			files: map[string]string{hubHosts: "server = \"https://m/v2\"\n"},
			hosts: []string{"mirror m https://m/v2 " + hubHosts + ":1"},
		},
		{
			name:  "an empty file counts as none",
			files: map[string]string{hubHosts: ""},
			hosts: []string{hubOrigin},
		},
		{
			name:     "http with settings for TLS is tried by HTTPS first, but not on port 80",
			registry: "r.test",
			files: map[string]string{"/etc/containerd/certs.d/r.test/hosts.toml": `[host."http://a:5000"]
skip_verify = false
[host."http://b:80"]
skip_verify = false
[host."http://c:5000"]
`},
			hosts: []string{
				"mirror a:5000 https://a:5000/v2 then-http /etc/containerd/certs.d/r.test/hosts.toml:1",
				"mirror b:80 http://b:80/v2 /etc/containerd/certs.d/r.test/hosts.toml:3",
				"mirror c:5000 http://c:5000/v2 /etc/containerd/certs.d/r.test/hosts.toml:5",
				"origin r.test https://r.test/v2",
			},
		},
		{
			name:     "syntax",
			files:    map[string]string{hubHosts: "server = \"https://m\"\n[host.\"https://a\"]\n  capabilities = [\"pull\"\n  header = \"secret\"\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:4: read hosts.toml: column 3: it is not TOML there; look for a missing quote, bracket or equals sign; containerd gives up this file and asks the origin only`},
		},
		{
			name:     "a table twice",
			files:    map[string]string{hubHosts: "[host.\"https://a\"]\n[host.\"https://a\"]\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:2: read hosts.toml: column 2: a key or table stands there twice; keep one of them; containerd gives up this file and asks the origin only`},
		},
		{
			name:     "wrong type",
			files:    map[string]string{hubHosts: "\n[host.\"https://a\"]\n  capabilities = \"pull\"\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:3: read hosts.toml: column 18: the value has the wrong type; compare it with the runtime's manual; containerd gives up this file and asks the origin only`},
		},
		{
			name:     "unknown capability",
			files:    map[string]string{hubHosts: "[host.\"https://a\"]\n  capabilities = [\"pull\", \"resolve\", \"fetch\"]\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:2: unknown capability "fetch": containerd gives up this file and asks the origin only; write "pull", "resolve" or "push"`},
		},
		{
			name:  "a mirror that cannot be pulled from",
			files: map[string]string{hubHosts: "[host.\"https://a\"]\ncapabilities = [\"push\"]\n"},
			hosts: []string{"mirror a https://a/v2 push " + hubHosts + ":1", hubOrigin},
			problems: []string{
				hubHosts + `:2: mirror "a" lacks the capability "pull": no manifest and no layer is fetched from it; add "pull"`,
				hubHosts + `:2: mirror "a" lacks the capability "resolve": tags are looked up at the other hosts only; add "resolve" if the mirror is to stand in for them`,
			},
		},
		{
			name:  "the other scheme's port",
			files: map[string]string{hubHosts: "[host.\"https://user:secret@a:80\"]\n[host.\"http://b:443\"]\n"},
			hosts: []string{
				"mirror a:80 https://a:80/v2 " + hubHosts + ":1",
				"mirror b:443 http://b:443/v2 " + hubHosts + ":2",
				hubOrigin,
			},
			problems: []string{
				hubHosts + `:1: "https://a:80" asks for TLS on port 80, where plain HTTP is served; write http://, or the port of HTTPS`,
				hubHosts + `:2: "http://b:443" asks for plain HTTP on port 443, where TLS is served; write https://, or the port of HTTP`,
			},
		},
		{
			name:     "skip_verify with http",
			files:    map[string]string{hubHosts: "[host.\"http://a:5000\"]\n\nskip_verify = true\n"},
			hosts:    []string{"mirror a:5000 https://a:5000/v2 skip_verify then-http " + hubHosts + ":1", hubOrigin},
			problems: []string{hubHosts + `:3: skip_verify is set for "http://a:5000": containerd then tries HTTPS before HTTP; write https://, or remove skip_verify`},
		},
		{
			name:     "skip_verify on port 80",
			files:    map[string]string{hubHosts: "[host.\"http://a:80\"]\nskip_verify = true\n"},
			hosts:    []string{"mirror a:80 http://a:80/v2 skip_verify " + hubHosts + ":1", hubOrigin},
			problems: []string{hubHosts + `:2: skip_verify is set for "http://a:80": it has no effect on plain HTTP; write https://, or remove skip_verify`},
		},
		{
			name:     "no URL",
			files:    map[string]string{hubHosts: "[host.\"https://user:secret@a:port\"]\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:1: host "https://a:port" is not a URL: containerd gives up this file and asks the origin only; write https://host[:port]`},
		},
		{
			name:     "a URL without a host",
			files:    map[string]string{hubHosts: "server = \"http:/mirror\"\n"},
			hosts:    []string{hubOrigin + " " + hubHosts + ":1"},
			problems: []string{hubHosts + `:1: host "http:/mirror" is not an http or https URL with a host; write https://host[:port]`},
		},
		{
			name:     "a key of another name",
			files:    map[string]string{hubHosts: "[hosts.\"https://a\"]\ncapabilities = [\"pull\"]\n[host.\"https://b\"]\nskip-verify = true\n"},
			hosts:    []string{"mirror b https://b/v2 " + hubHosts + ":3", hubOrigin},
			problems: []string{hubHosts + `:1: key "hosts" is not known to containerd 2.4 and has no effect; correct its name or remove it`, hubHosts + `:4: key "skip-verify" is not known to containerd 2.4 and has no effect; correct its name or remove it`},
		},
		{
			name:     "a host that is no table",
			files:    map[string]string{hubHosts: "host.\"https://a\".capabilities = [\"pull\", \"resolve\"]\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:1: host "https://a" is not a table of its own, so containerd 2 does not ask it; write [host."https://…"] on a line of its own`},
		},
		{
			name:     "no duration",
			files:    map[string]string{hubHosts: "dial_timeout = \"5\"\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:1: dial_timeout "5" is not a duration: containerd gives up this file and asks the origin only; write one such as "10s"`},
		},
		{
			name:     "a header that is no text",
			files:    map[string]string{hubHosts: "[header]\nx-token = 12345\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:1: a header is neither a string nor a list of strings: containerd gives up this file and asks the origin only; put quotes around its value`},
		},
		{
			name:     "a ca that is no file",
			files:    map[string]string{hubHosts: "ca = true\n"},
			hosts:    []string{hubOrigin},
			problems: []string{hubHosts + `:1: ca is neither a file nor a list of files: containerd gives up this file and asks the origin only; put quotes around the name`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.files["/etc/containerd/config.toml"] = configV3
			test.run(t, containerd)
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	const dir = "/etc/containerd/certs.d/docker.io"
	pem := certificate(t)
	tests := []lookCase{
		{
			name: "all there",
			files: map[string]string{
				hubHosts:          "ca = [\"ca.pem\", \"/etc/ssl/ca.pem\"]\nclient = [[\"c.pem\", \"c.key\"], \"both.pem\"]\n",
				dir + "/ca.pem":   pem,
				dir + "/c.pem":    pem,
				dir + "/c.key":    "",
				dir + "/both.pem": pem,
				"/etc/ssl/ca.pem": "-> /etc/pki/ca.pem",
				"/etc/pki/ca.pem": "# ours\n" + pem,
			},
			hosts: []string{hubOrigin + " ca=" + dir + "/ca.pem ca=/etc/ssl/ca.pem client"},
		},
		{
			name: "missing",
			files: map[string]string{
				hubHosts:        "[host.\"https://a\"]\nca = \"ca.pem\"\nclient = [[\"c.pem\", \"c.key\"]]\n",
				dir + "/c.pem":  pem,
				"/usr/lib/some": "",
			},
			hosts: []string{"mirror a https://a/v2 ca=" + dir + "/ca.pem client " + hubHosts + ":1", hubOrigin},
			problems: []string{
				hubHosts + `:2: ca "` + dir + `/ca.pem": no such file; put the PEM file there or correct the path`,
				hubHosts + `:3: client key "` + dir + `/c.key": no such file; pulls through this host fail until it is there`,
			},
		},
		{
			name:  "in a folder that the agent does not see",
			files: map[string]string{hubHosts: "ca = \"/opt/ca.pem\"\n"},
			hosts: []string{hubOrigin + " ca=/opt/ca.pem"},
		},
		{
			name: "no PEM",
			files: map[string]string{
				hubHosts:        "ca = \"ca.pem\"\nclient = \"c.pem\"\n",
				dir + "/ca.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
				dir + "/c.pem":  "secret",
			},
			hosts: []string{hubOrigin + " ca=" + dir + "/ca.pem client"},
			problems: []string{
				hubHosts + `:1: ca "` + dir + `/ca.pem" holds no PEM certificate; it must have a BEGIN CERTIFICATE block`,
				hubHosts + `:2: client "` + dir + `/c.pem" holds no PEM certificate; it must have a BEGIN CERTIFICATE block`,
			},
		},
		{
			name:  "a folder",
			files: map[string]string{hubHosts: "ca = \"/etc/ssl\"\n", "/etc/ssl/x": ""},
			hosts: []string{hubOrigin + " ca=/etc/ssl"},
			problems: []string{
				hubHosts + `:1: ca "/etc/ssl": it is no regular file`,
			},
		},
		{
			name:  "Docker's layout",
			files: map[string]string{dir + "/my.crt": pem, dir + "/me.cert": pem},
			hosts: []string{hubOrigin + " ca=" + dir + "/my.crt client " + dir + ":0"},
			problems: []string{
				dir + `/me.cert:0: client certificate without its key; put "me.key" beside it`,
			},
		},
		{
			name:     "a broken hosts.toml falls back to Docker's layout",
			files:    map[string]string{dir + "/my.crt": pem, hubHosts: "server = 1\n"},
			hosts:    []string{hubOrigin + " ca=" + dir + "/my.crt " + dir + ":0"},
			problems: []string{hubHosts + `:1: read hosts.toml: column 10: the value has the wrong type; compare it with the runtime's manual; containerd gives up this file and asks the origin only`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.files["/etc/containerd/config.toml"] = configV3
			test.run(t, containerd)
		})
	}
}
