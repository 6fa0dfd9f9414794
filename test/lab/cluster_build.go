//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ControlPlane are the programs that make a node a cluster. The zero value is none.
type ControlPlane struct {
	Version string // of Kubernetes, "1.37.2"
	dir     string // where they are
	plugins string // where those for the network of pods are
}

// The programs and the packages that they are built of. That of etcd is of the version that
// Kubernetes is built with.
const (
	etcd              = "etcd"
	apiserver         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kubectl           = "kubectl"

	etcdPackage = "go.etcd.io/etcd/server/v3"
)

// pluginsVersion is that of CNI's own plugins.
const pluginsVersion = "v1.10.0"

// cniPlugins are the packages of those that are used: each pod gets a loopback device, a link to
// the node, and an address for it.
func cniPlugins() map[string]string {
	const module = "github.com/containernetworking/plugins/plugins"
	return map[string]string{
		"loopback":   module + "/main/loopback",
		"ptp":        module + "/main/ptp",
		"host-local": module + "/ipam/host-local",
	}
}

// BuildControlPlane returns etcd, API server, controller manager, scheduler and kubectl of
// Kubernetes, and the plugins for a network of pods, built from their modules into the folder
// bin if they are not there yet. That takes about ten minutes on two cores, less where the
// kubelet of that version was built before.
func BuildControlPlane(ctx context.Context, bin, version string, logf func(string, ...any)) (ControlPlane, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return ControlPlane{}, fmt.Errorf("build control plane: %w", err)
	}
	c := ControlPlane{
		Version: version,
		dir:     filepath.Join(bin, "control-plane-"+version),
		plugins: filepath.Join(bin, "cni-plugins-"+pluginsVersion),
	}
	if err := c.build(ctx, logf); err != nil {
		return ControlPlane{}, fmt.Errorf("build control plane %s: %w", version, err)
	}
	if err := c.buildPlugins(ctx, logf); err != nil {
		return ControlPlane{}, fmt.Errorf("build CNI plugins %s: %w", pluginsVersion, err)
	}
	return c, nil
}

// Kubectl is the path of kubectl.
func (c ControlPlane) Kubectl() string { return filepath.Join(c.dir, kubectl) }

func (c ControlPlane) build(ctx context.Context, logf func(string, ...any)) error {
	packages := map[string]string{etcd: etcdPackage}
	for _, program := range []string{apiserver, controllerManager, scheduler, kubectl} {
		packages[program] = kubernetes + "/cmd/" + program
	}
	for program := range packages {
		if _, err := os.Stat(filepath.Join(c.dir, program)); err == nil {
			delete(packages, program)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	logf("building the control plane of Kubernetes %s from its modules into %s: the first time only, about 10 minutes on two cores", c.Version, c.dir)
	began := time.Now()
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	err := inKubernetesModule(ctx, c.Version, func(module string) error {
		for program, pkg := range packages {
			if err := goBuild(ctx, module, filepath.Join(c.dir, program), kubernetesFlags(c.Version), pkg); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		logf("built the control plane in %s", time.Since(began).Round(time.Second))
	}
	return err
}

func (c ControlPlane) buildPlugins(ctx context.Context, logf func(string, ...any)) error {
	packages, there := []string{}, 0
	for plugin, pkg := range cniPlugins() {
		if _, err := os.Stat(filepath.Join(c.plugins, plugin)); err == nil {
			there++
		}
		packages = append(packages, pkg+"@"+pluginsVersion)
	}
	if there == len(cniPlugins()) {
		return nil
	}
	logf("building CNI plugins %s from their module into %s: the first time only", pluginsVersion, c.plugins)
	return GoInstall(ctx, c.plugins, "-s -w", packages...)
}
