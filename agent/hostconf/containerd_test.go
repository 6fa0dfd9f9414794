package hostconf

import "testing"

func TestConfigToml(t *testing.T) {
	t.Parallel()
	const main = "/etc/containerd/config.toml"
	mirrorAt := func(root string) map[string]string {
		return map[string]string{root + "/docker.io/hosts.toml": "server = \"https://m\"\n"}
	}
	with := func(files map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	from := func(root string) []string {
		return []string{"mirror m https://m/v2 " + root + "/docker.io/hosts.toml:1"}
	}
	tests := []lookCase{
		{name: "no files at all", hosts: []string{hubOrigin}, read: []string{}},
		{
			name:  "version 1",
			files: with(mirrorAt("/r"), main, "[plugins.cri.registry]\nconfig_path = \"/r\"\n"),
			hosts: from("/r"),
		},
		{
			name:  "version 2",
			files: with(mirrorAt("/r"), main, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/r\"\n"),
			hosts: from("/r"),
		},
		{
			name:  "version 4",
			files: with(mirrorAt("/r"), main, "version = 4\n[plugins.\"io.containerd.cri.v1.images\".registry]\nconfig_path = \"/r\"\n"),
			hosts: from("/r"),
		},
		{
			name:     "version 3 with the section of version 2",
			files:    with(mirrorAt("/r"), main, "version = 3\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/r\"\n"),
			hosts:    from("/r"),
			problems: []string{main + `:2: containerd 2.0 to 2.2 do not read this section in a file of version 3; rename it to [plugins."io.containerd.cri.v1.images".registry]`},
		},
		{
			name:     "version 4 with the section of version 2",
			files:    with(mirrorAt("/r"), main, "version = 4\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/r\"\n"),
			hosts:    []string{hubOrigin},
			problems: []string{main + `:2: containerd does not read this section in a file of version 4; rename it to [plugins."io.containerd.cri.v1.images".registry]`},
		},
		{
			name: "imports, of which the last wins",
			files: with(mirrorAt("/r3"), main, "version = 3\nimports = [\"conf.d/*.toml\", \"/none.toml\"]\n"+
				"[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/r1\"\n",
				"/etc/containerd/conf.d/1.toml", "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/r2\"\n",
				"/etc/containerd/conf.d/2.toml", "version = 3\nimports = [\"../config.toml\"]\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/r3\"\n"),
			hosts: from("/r3"),
			read: []string{
				main, "/etc/containerd/conf.d/1.toml", "/etc/containerd/conf.d/2.toml", "/r3/docker.io/hosts.toml",
			},
		},
		{
			name: "k3s",
			files: with(mirrorAt("/var/lib/rancher/k3s/agent/etc/containerd/certs.d"),
				"/var/lib/rancher/k3s/agent/etc/containerd/config.toml", "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/var/lib/rancher/k3s/agent/etc/containerd/certs.d\"\n"),
			hosts: from("/var/lib/rancher/k3s/agent/etc/containerd/certs.d"),
		},
		{
			name: "MicroK8s 1.35, of which a container sees what \"current\" leads to",
			files: with(mirrorAt("/var/snap/microk8s/current/args/certs.d"),
				"/var/snap/microk8s/current/args/containerd.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/var/snap/microk8s/8511/args/certs.d\"\n"),
			hosts: from("/var/snap/microk8s/current/args/certs.d"),
		},
		{
			name: "a containerd of Docker's beside that of k0s",
			files: with(mirrorAt("/r"), main, "disabled_plugins = [\"cri\"]\n",
				"/etc/k0s/containerd.toml", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/r\"\n"),
			hosts: from("/r"),
		},
		{
			name:  "no file, the default folders",
			files: mirrorAt("/etc/docker/certs.d"),
			hosts: from("/etc/docker/certs.d"),
		},
		{
			name:     "no config_path",
			files:    with(mirrorAt("/etc/containerd/certs.d"), main, "version = 3\n"),
			hosts:    from("/etc/containerd/certs.d"),
			problems: []string{main + `:0: config_path is not set: containerd before 2.2 does not read "/etc/containerd/certs.d/docker.io", and 2.2 to 2.4 may not either (containerd#12415); set config_path = "/etc/containerd/certs.d"`},
		},
		{
			name: "two folders",
			files: with(mirrorAt("/etc/docker/certs.d"), main,
				"version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/etc/containerd/certs.d:/etc/docker/certs.d\"\n"),
			hosts:    from("/etc/docker/certs.d"),
			problems: []string{main + `:3: config_path names 2 folders, and containerd 2.1 to 2.4 take them for one when they pull with the transfer service, so "/etc/docker/certs.d/docker.io" is not read (containerd#12415); name one folder, or set use_local_image_pull = true`},
		},
		{
			name: "two folders and a local pull, as EKS has it",
			files: with(mirrorAt("/etc/docker/certs.d"), main,
				"version = 3\n[plugins.'io.containerd.cri.v1.images']\ndiscard_unpacked_layers = true\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = \"/etc/containerd/certs.d:/etc/docker/certs.d\"\n"),
			hosts: from("/etc/docker/certs.d"),
		},
		{
			name:     "syntax",
			files:    with(mirrorAt("/etc/containerd/certs.d"), main, "version = 3\n[plugins\n"),
			hosts:    from("/etc/containerd/certs.d"),
			problems: []string{main + `:2: read config.toml: column 9: it is not TOML there; look for a missing quote, bracket or equals sign; containerd does not start with this file`},
		},
		{
			name:     "a folder in place of the file",
			files:    map[string]string{main + "/x": ""},
			hosts:    []string{hubOrigin},
			problems: []string{main + `:0: read config.toml: it is no regular file`},
		},
		{
			name:     "the folder of a port, of a host, and of all hosts",
			registry: "r.test:5000",
			files: map[string]string{
				"/etc/containerd/certs.d/r.test_5000_/hosts.toml": "server = \"https://a\"\n",
				"/etc/containerd/certs.d/r.test:5000/hosts.toml":  "server = \"https://b\"\n",
				"/etc/containerd/certs.d/_default/hosts.toml":     "server = \"https://c\"\n",
			},
			hosts: []string{"mirror a https://a/v2 /etc/containerd/certs.d/r.test_5000_/hosts.toml:1"},
		},
		{
			name:     "the folder of all hosts",
			registry: "r.test:5000",
			files:    map[string]string{"/etc/containerd/certs.d/_default/hosts.toml": "[host.\"https://c\"]\n"},
			hosts: []string{
				"mirror c https://c/v2 /etc/containerd/certs.d/_default/hosts.toml:1",
				"origin r.test:5000 https://r.test:5000/v2",
			},
		},
		{
			name: "localhost", registry: "localhost:5000",
			hosts: []string{"origin localhost:5000 https://localhost:5000/v2 skip_verify then-http"},
		},
		{name: "localhost on port 80", registry: "127.0.0.1:80", hosts: []string{"origin 127.0.0.1:80 http://127.0.0.1:80/v2"}},
		{name: "localhost without a port", registry: "localhost", hosts: []string{"origin localhost https://localhost/v2 skip_verify"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, containerd)
		})
	}
}

func TestLegacyMirrors(t *testing.T) {
	t.Parallel()
	const main = "/etc/containerd/config.toml"
	const section = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors]\n"
	key := func(host string) string {
		return "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"" + host + "\"]\n"
	}
	const hub = "origin registry-1.docker.io https://registry-1.docker.io/v2 resolve,pull"
	tests := []lookCase{
		{
			name:  "mirrors, then the registry",
			files: map[string]string{main: section + key("docker.io") + "endpoint = [\"https://user:secret@m/v2/hub\", \"n:5000\", \"localhost:5000\"]\n"},
			hosts: []string{
				"mirror m https://m/v2/hub resolve,pull " + main + ":4",
				"mirror n:5000 https://n:5000/v2 resolve,pull " + main + ":4",
				"mirror localhost:5000 http://localhost:5000/v2 resolve,pull " + main + ":4",
				hub,
			},
		},
		{
			name: "the registry among its mirrors", registry: "r.test",
			files: map[string]string{main: section + key("*") + "endpoint = [\"http://r.test\", \"https://m\"]\n"},
			hosts: []string{
				"origin r.test http://r.test/v2 resolve,pull " + main + ":4",
				"mirror m https://m/v2 resolve,pull " + main + ":4",
			},
		},
		{
			name:     "no URL",
			files:    map[string]string{main: section + key("docker.io") + "endpoint = [\"https://m:port\", \"https://\"]\n"},
			hosts:    []string{"mirror  https:///v2 resolve,pull " + main + ":4", hub},
			problems: []string{main + `:4: endpoint "https://m:port" is not a URL: every pull of this registry fails; write https://host[:port]`, main + `:4: endpoint "https://" is not an http or https URL with a host; write https://host[:port]`},
		},
		{
			name: "with config_path",
			files: map[string]string{
				main:                        section + key("docker.io") + "endpoint = [\"https://m\"]\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/r\"\n",
				"/r/docker.io/hosts.toml":   "server = \"https://n\"\n",
				"/var/lib/rancher/k3s/none": "",
			},
			hosts:    []string{"mirror n https://n/v2 /r/docker.io/hosts.toml:1"},
			problems: []string{main + `:2: mirrors are set, and so is config_path (/etc/containerd/config.toml line 6): containerd refuses to start its CRI plugin with both; move the mirrors to hosts.toml below "/r" and remove them here`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, containerd)
		})
	}
}
