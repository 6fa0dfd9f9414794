//go:build linux

package lab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// Folders and files below the lab's folder.
const (
	manifestsDir = "etc/kubernetes/manifests"
	kubeletYAML  = "etc/kubelet.yaml"
	dockerJSON   = "etc/docker.json"
	varLogDir    = "host/var/log"
)

// kubeletRoot is the size in bytes of the file system below /var/lib where there
// is a kubelet: the native snapshotter copies the program of every container.
const kubeletRoot = 1 << 30

// nodeAddress is the node's own.
const nodeAddress = "198.51.100.1"

// kubeletConfig is that of a kubelet whose node's control groups it leaves alone.
// Without an API server it has no CNI either. Back-off of pulls cannot be set: it is 10 s
// at first and 5 m at last.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: {{.Dir}}/{{.Manifests}}
fileCheckFrequency: 5s
containerRuntimeEndpoint: unix://{{.Run}}/containerd.sock
enableServer: {{.Cluster}}
address: {{if .Cluster}}{{.Address}}{{else}}127.0.0.1{{end}}
authentication: {anonymous: {enabled: {{.Cluster}}}, webhook: {enabled: false}}
{{if .Cluster}}syncFrequency: 5s
{{end}}clusterDNS: [{{.DNS}}]
clusterDomain: cluster.local
authorization: {mode: AlwaysAllow}
volumePluginDir: /var/lib/kubelet/volumeplugins
makeIPTablesUtilChains: false
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
serializeImagePulls: {{not .Parallel}}
registryPullQPS: {{.PullQPS}}
{{if .Parallel}}maxParallelImagePulls: {{.Parallel}}
{{end}}logging: {format: {{.LogFormat}}, verbosity: 2}
{{if .ImageVolumes}}featureGates: {ImageVolume: true}
{{end}}`

// kernelSettings are those that the kubelet wants, below /proc/sys: it shall find
// them as it wants them, and change nothing of the machine.
func kernelSettings() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

// kubeletFiles are the files that the kubelet reads.
func kubeletFiles(o Options) (map[string]string, error) {
	format := o.LogFormat
	if format == "" {
		format = "text"
	}
	parallel := 0
	if o.MaxParallelPulls > 1 {
		parallel = o.MaxParallelPulls
	}
	var config strings.Builder
	err := template.Must(template.New("kubelet.yaml").Parse(kubeletConfig)).Execute(&config, map[string]any{
		"Dir": innerDir, "Manifests": manifestsDir, "LogFormat": format, "Parallel": parallel, "PullQPS": o.PullQPS,
		"Run": o.run(), "Cluster": o.ControlPlane.dir != "", "Address": nodeAddress, "DNS": nameserverAddress,
		"ImageVolumes": o.Kubelet.Minor < 35, // from then on they are there
	})
	if err != nil {
		return nil, fmt.Errorf("write kubelet.yaml: %w", err)
	}
	auths := map[string]any{}
	for host, login := range o.Logins {
		auths[host] = map[string]string{
			"auth": base64.StdEncoding.EncodeToString([]byte(login.User + ":" + login.Password)),
		}
	}
	docker, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return nil, fmt.Errorf("write config.json: %w", err)
	}
	files := map[string]string{
		kubeletYAML: config.String(),
		dockerJSON:  string(docker),
		"etc/hosts": "127.0.0.1 localhost\n" + nodeAddress + " " + nodeName + "\n",
	}
	for name, value := range kernelSettings() {
		files["sys/"+name] = value + "\n"
	}
	return files, nil
}

// enterWithKubelet makes the file system that both containerd and the kubelet see,
// and runs containerd as process 2 of a PID namespace: when this shell ends, all
// that was started on the node ends with it. Its arguments are those of enter and
// the folder of the kubelet. Files below /run and /var/log are the lab's own, those of
// /etc are covered by its own, and of /proc/sys nothing can be changed. Mounts are
// shared, as systemd makes them.
const enterWithKubelet = makeVarLib + `
mkdir /var/lib/kubelet-bin /var/lib/kubelet
cp ` + innerDir + "/" + dockerJSON + ` /var/lib/kubelet/config.json
mount --bind "$4" /var/lib/kubelet-bin
mount -t tmpfs -o mode=755 tmpfs /run
mkdir ` + nodeRun + ` /run/log
mount --bind "` + innerDir + `/run" ` + nodeRun + `
[ ! -d "` + innerDir + `/host/run/log" ] || mount --bind "` + innerDir + `/host/run/log" /run/log
mount -t overlay -o lowerdir="` + innerDir + `/host/etc:/etc" overlay /etc
resolv=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolv")"
[ -e "$resolv" ] || : >"$resolv"
mount --bind "` + innerDir + "/" + varLogDir + `" /var/log
mount proc -t proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
for setting in $(cd ` + innerDir + `/sys && find . -type f); do
	mount --bind ` + innerDir + `/sys/$setting /proc/sys/$setting
done
` + bindNames + `
mount --make-rshared /
/var/lib/bin/containerd --config ` + innerDir + `/etc/config.toml &
child=$!
trap 'kill -TERM $child' TERM
while kill -0 $child 2>/dev/null; do wait $child || :; done
`

// becomeKubelet is what the kubelet's process does in the namespaces of containerd; flags
// may follow.
const becomeKubelet = `exec /var/lib/kubelet-bin/kubelet --config=` + innerDir + "/" + kubeletYAML +
	` --hostname-override=` + nodeName + ` --node-ip=` + nodeAddress
