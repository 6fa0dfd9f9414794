//go:build linux

package lab

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
)

// Paths as containerd sees them: /var/lib is a file system of its own in its
// mount namespace, and the lab's folder is bound into it. So its lines name the
// paths that every node has.
const (
	innerRoot = "/var/lib/containerd"
	innerDir  = "/var/lib/lab"
)

// Where containerd has its socket and its configuration where there is a kubelet,
// which is where every node has them. The lab's own folders are bound there.
const (
	nodeRun = "/run/containerd"
	nodeEtc = "/etc/containerd"
)

// run is the folder of containerd's socket, etc that of its configuration, as containerd sees them.
func (o Options) run() string {
	if o.Kubelet.Path != "" {
		return nodeRun
	}
	return innerDir + "/run"
}

func (o Options) etc() string {
	if o.Kubelet.Path != "" {
		return nodeEtc
	}
	return innerDir + "/etc"
}

// progressTimeout is how long a layer may make no progress; the default is 5 m.
const progressTimeout = "4s"

// pauseImage cannot be pulled where there is no kubelet: nobody answers for its
// registry.
const (
	pauseHost  = "registry.k8s.io"
	pauseImage = pauseHost + "/pause:3.10.2"
)

// configV3 is for containerd 2, configV2 for 1.6 and 1.7. The plugins that are
// disabled would write outside of the lab's folder.
const configV3 = `version = 3
root = "{{.Root}}"
state = "{{.Run}}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{{.Run}}/containerd.sock"
[debug]
  format = "{{.LogFormat}}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "native"
  image_pull_progress_timeout = "{{.ProgressTimeout}}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{{.PauseImage}}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "{{.Etc}}/certs.d"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{{.Dir}}/cni/bin"]
    conf_dir = "{{.Dir}}/cni/net.d"
[plugins.'io.containerd.transfer.v1.local']
  config_path = "{{.Etc}}/certs.d"
  [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
    platform = "linux/{{.Arch}}"
    snapshotter = "native"
`

const configV2 = `version = 2
root = "{{.Root}}"
state = "{{.Run}}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{{.Run}}/containerd.sock"
[debug]
  format = "{{.LogFormat}}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.PauseImage}}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{{.Etc}}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{.Dir}}/cni/bin"
    conf_dir = "{{.Dir}}/cni/net.d"
`

// hostsFiles are the hosts.toml of registries that are not asked directly and
// with the defaults.
func hostsFiles(c Containerd) map[string]string {
	files := map[string]string{
		"registry.corp.lab.test": `server = "https://registry.corp.lab.test"
[host."https://mirror-a.lab.test"]
  capabilities = ["pull", "resolve"]
[host."https://mirror-b.lab.test"]
  capabilities = ["pull", "resolve"]
`,
	}
	if c.Major > 1 { // containerd 1 does not know the key and waits for 30 s
		files["blackhole.lab.test"] = "server = \"https://blackhole.lab.test\"\ndial_timeout = \"1s\"\n"
	}
	return files
}

// writeConfig fills the folder that is bound into containerd's mount namespace.
func writeConfig(dir string, trusted []byte, o Options) error {
	config, err := containerdConfig(o)
	if err != nil {
		return err
	}
	files := map[string]string{
		"etc/config.toml": config,
		"etc/ca.pem":      string(trusted),
		"etc/resolv.conf": "nameserver " + nameserverAddress + "\noptions timeout:1 attempts:1\n",
		"etc/hosts":       "127.0.0.1 localhost\n",
	}
	if o.Kubelet.Path != "" {
		more, err := kubeletFiles(o)
		if err != nil {
			return err
		}
		maps.Copy(files, more)
	}
	for host, text := range hostsFiles(o.Containerd) {
		files["etc/certs.d/"+host+"/hosts.toml"] = text
	}
	if o.ControlPlane.dir != "" {
		if err := writePodNetwork(dir, o.ControlPlane); err != nil {
			return err
		}
	}
	return writeFiles(dir, files)
}

// containerdConfig is config.toml.
func containerdConfig(o Options) (string, error) {
	source := configV3
	if o.Containerd.Major == 1 {
		source = configV2
	}
	format := o.LogFormat
	if format == "" {
		format = "text"
	}
	timeout := progressTimeout
	if o.Restartable {
		timeout = "5m" // as it is everywhere
	}
	var config strings.Builder
	err := template.Must(template.New("config.toml").Parse(source)).Execute(&config, map[string]string{
		"Root": innerRoot, "Dir": innerDir, "Run": o.run(), "Etc": o.etc(), "LogFormat": format, "Arch": runtime.GOARCH,
		"ProgressTimeout": timeout, "PauseImage": pauseImage,
	})
	if err != nil {
		return "", fmt.Errorf("write config.toml: %w", err)
	}
	return config.String(), nil
}

// writeFiles writes files, and makes the folders that are to be there.
func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	for _, name := range []string{"run/state", "varlib", varLogDir, manifestsDir} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
