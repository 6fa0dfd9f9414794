package hostconf

import "testing"

func TestRegistriesConf(t *testing.T) {
	t.Parallel()
	const main = "/etc/containers/registries.conf"
	pem := certificate(t)
	const hub = "origin registry-1.docker.io https://registry-1.docker.io/v2 pull,resolve"
	tests := []lookCase{
		{name: "no files", hosts: []string{hub}, read: []string{}},
		{
			name: "mirrors, then the location",
			files: map[string]string{main: `unqualified-search-registries = ["docker.io"]

[[registry]]
prefix = "docker.io"
location = "docker.io"

[[registry.mirror]]
location = "mirror.lab.test:5000/hub"
insecure = true

[[registry.mirror]]
location = "mirror-b.lab.test"
pull-from-mirror = "digest-only"
`},
			hosts: []string{
				"mirror mirror.lab.test:5000 https://mirror.lab.test:5000/v2/hub pull,resolve skip_verify then-http " + main + ":8",
				"mirror mirror-b.lab.test https://mirror-b.lab.test/v2 pull,resolve digest-only " + main + ":12",
				hub + " " + main + ":5",
			},
			read: []string{main},
		},
		{
			name: "the longest prefix of a domain, rewritten", registry: "a.b.test:5000",
			files: map[string]string{main: "[[registry]]\nprefix = \"*.test\"\nlocation = \"x.test\"\n[[registry]]\nprefix = \"*.b.test\"\nlocation = \"y.test\"\n"},
			hosts: []string{"mirror y.test https://y.test/v2 pull,resolve " + main + ":6"},
		},
		{
			name: "a domain without a location", registry: "a.test",
			files: map[string]string{main: "[[registry]]\nprefix = \"*.test\"\n[[registry.mirror]]\nlocation = \"m.test\"\n"},
			hosts: []string{
				"mirror m.test https://m.test/v2 pull,resolve " + main + ":4",
				"origin a.test https://a.test/v2 pull,resolve " + main + ":1",
			},
		},
		{
			name: "mirrors for some images only", registry: "r.test",
			files: map[string]string{main: "[[registry]]\nlocation = \"r.test/one\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.test/one\"\n"},
			hosts: []string{
				"mirror m.test https://m.test/v2/one pull,resolve digest-only " + main + ":5",
				"origin r.test https://r.test/v2/one pull,resolve " + main + ":2",
				"origin r.test https://r.test/v2 pull,resolve",
			},
		},
		{
			name: "drop-ins win, and those in /etc", registry: "r.test",
			files: map[string]string{
				main: "[[registry]]\nlocation = \"r.test\"\n",
				"/etc/containers/registries.conf.d/1.conf":       "[[registry]]\nprefix = \"r.test\"\nlocation = \"a.test\"\n",
				"/usr/share/containers/registries.conf.d/1.conf": "[[registry]]\nprefix = \"r.test\"\nlocation = \"b.test\"\n",
				"/etc/containers/registries.conf.d/9.txt":        "no TOML",
			},
			hosts: []string{"mirror a.test https://a.test/v2 pull,resolve /etc/containers/registries.conf.d/1.conf:3"},
			read:  []string{main, "/etc/containers/registries.conf.d/1.conf"},
		},
		{
			name: "certificates", registry: "r.test:5000",
			files: map[string]string{
				"/etc/docker/certs.d/r.test:5000/ca.crt":   "-> /etc/rhsm/ca/ours.pem",
				"/etc/rhsm/ca/ours.pem":                    pem,
				"/etc/containers/certs.d/other.test/x.crt": "",
			},
			hosts: []string{"origin r.test:5000 https://r.test:5000/v2 pull,resolve ca=/etc/docker/certs.d/r.test:5000/ca.crt"},
		},
		{
			name:     "a certificate that is none",
			registry: "r.test",
			files:    map[string]string{"/etc/containers/certs.d/r.test/ca.crt": "x"},
			hosts:    []string{"origin r.test https://r.test/v2 pull,resolve ca=/etc/containers/certs.d/r.test/ca.crt"},
			problems: []string{`/etc/containers/certs.d/r.test/ca.crt:0: ca "/etc/containers/certs.d/r.test/ca.crt" holds no PEM certificate; it must have a BEGIN CERTIFICATE block`},
		},
		{
			name:     "blocked",
			files:    map[string]string{main: "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n"},
			problems: []string{main + `:3: blocked = true: CRI-O pulls nothing from "docker.io"; remove the line if images are to come from there`},
		},
		{
			name:     "syntax",
			files:    map[string]string{main: "[[registry]]\nlocation = docker.io\n"},
			hosts:    []string{hub},
			problems: []string{main + `:2: read registries.conf: column 12: it is not TOML there; look for a missing quote, bracket or equals sign; CRI-O pulls nothing as long as it is wrong`},
		},
		{
			name:     "version 1",
			files:    map[string]string{main: "\n[registries.search]\nregistries = [\"docker.io\"]\n"},
			hosts:    []string{hub},
			problems: []string{main + `:2: [registries] is version 1 of this format, which newer CRI-O refuse and older ones do not mix with version 2; write [[registry]] tables`},
		},
		{
			name:     "a scheme",
			files:    map[string]string{main: "[[registry]]\nlocation = \"https://user:secret@docker.io\"\n"},
			hosts:    []string{hub},
			problems: []string{main + `:2: location "https://docker.io" has a scheme, so CRI-O pulls nothing with this file; write host[:port][/path] only`},
		},
		{
			name:     "userinfo",
			files:    map[string]string{main: "[[registry]]\nlocation = \"user:secret@docker.io\"\n"},
			hosts:    []string{hub},
			problems: []string{main + `:2: location "docker.io" does not begin with a host; write host[:port][/path]`},
		},
		{
			name:     "nothing but a prefix",
			files:    map[string]string{main: "[[registry]]\nprefix = \"docker.io\"\n"},
			hosts:    []string{hub},
			problems: []string{main + `:2: a registry without a location: CRI-O pulls nothing with it; write location = "host[:port]"`},
		},
		{
			name:     "a mirror without a location, and one that is used for nothing",
			files:    map[string]string{main: "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\n[[registry.mirror]]\nlocation = \"m\"\npull-from-mirror = \"never\"\n"},
			hosts:    []string{hub + " " + main + ":2"},
			problems: []string{main + `:3: a mirror without a location: CRI-O pulls nothing with this file; write location = "host[:port]"`, main + `:6: pull-from-mirror "never" is not known, so CRI-O pulls nothing with this file; write "all", "digest-only" or "tag-only"`},
		},
		{
			name:     "TLS on port 80",
			files:    map[string]string{main: "[[registry]]\nprefix = \"docker.io\"\nlocation = \"m:80\"\n"},
			hosts:    []string{"mirror m:80 https://m:80/v2 pull,resolve " + main + ":3"},
			problems: []string{main + `:3: location "m:80" asks for TLS on port 80, where plain HTTP is served; set insecure = true, or name the port of HTTPS`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, crio)
		})
	}
}
