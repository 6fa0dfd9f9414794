//go:build linux

// Package lab is a Kubernetes node's image pulls in a box: a real containerd
// pulls over CRI from a registry that fails on purpose, and writes the log
// lines that it writes everywhere, to a file or to a real journald. If asked for, a
// real kubelet looks after pods beside it, and tells about their pulls in turn.
//
// Start at [Start], which brings a [Node] up, and [Node.Run], which plays the
// [Scenarios] on it, or [Node.AddPod] and [Node.SetFault]. All of it lives in a network namespace and a mount
// namespace of its own: no address, port, file or container of the machine is
// touched, and the kernel removes everything with the last process. It needs
// root for that, and nothing else that [Install] cannot fetch.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what kind of node to start.
type Options struct {
	// Containerd is the program to run; see [Install].
	Containerd Containerd
	// LogFormat is "text" or "json"; empty means text, as containerd does.
	LogFormat string
	// Journal makes both write to a journald of their own, instead of to files.
	Journal bool
	// Kubelet is one to look after static pods; none if zero. See [BuildKubelet] and
	// [Node.AddPod]. It writes to a log of its own, in the same way as containerd.
	Kubelet Kubelet
	// ControlPlane makes a cluster of the node; none if zero. See [BuildControlPlane]. It wants
	// a Kubelet, and gives pods a network of their own, from which they reach what the node does.
	ControlPlane ControlPlane
	// MaxParallelPulls is how many pulls the kubelet asks for at a time: 0 and 1 are one
	// after the other, as is its default.
	MaxParallelPulls int
	// PullQPS is how many pulls in a second the kubelet asks for, beyond ten at once: 0
	// is any number; the kubelet's default is 5.
	PullQPS int
	// Logins are what the kubelet has in its config.json, by host: pull secrets of the
	// whole node.
	Logins map[string]Login
	// Restartable is for [Node.Restart]: what containerd has stored outlives it, and there
	// is room for large images.
	Restartable bool
	// Pace is a pause between two pulls, as they seldom come at once.
	Pace time.Duration
	// Logf tells what the lab is doing; nil for silence.
	Logf func(format string, args ...any)
}

// Node is a running containerd with its registries, names and proxy, and a kubelet
// if it was asked for.
type Node struct {
	// Dir is the temporary folder that holds everything the host can see.
	Dir string
	// LogFile is where containerd's output goes, in the order it was written;
	// empty if that is the journal.
	LogFile string
	// KubeletLog is where the kubelet's output goes; empty if there is none, or if that
	// is the journal. See [Node.ReadKubeletLog].
	KubeletLog string
	// HostRoot is the folder that an agent takes for the node's file system: with the logs
	// in var/log, or the journal in run/log/journal, containerd's configuration and
	// its socket where both are on most nodes.
	HostRoot string
	// Socket is containerd's CRI socket.
	Socket string
	// Containerd is the program that runs.
	Containerd Containerd
	// Cluster is the cluster that the node is; nil if there is no control plane.
	Cluster *Cluster

	logf     func(format string, args ...any)
	pace     time.Duration
	ns       *namespace
	internet *internet
	journald *journald
	process  *process
	kubelet  *kubelet
	cri      *criClient
	close    func() error
}

// Start brings up a node and waits until containerd answers. Close it, also
// when ctx ends.
func Start(ctx context.Context, o Options) (_ *Node, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("start lab: needs root, for namespaces and mounts of its own: run it with sudo")
	}
	dir, err := os.MkdirTemp("", "pullcause-lab-")
	if err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	n := &Node{
		Dir:        dir,
		HostRoot:   filepath.Join(dir, "host"),
		Socket:     filepath.Join(dir, "run", "containerd.sock"),
		Containerd: o.Containerd,
		logf:       o.Logf,
		pace:       o.Pace,
	}
	if !o.Journal {
		n.LogFile = filepath.Join(n.HostRoot, "var", "log", "containerd.log")
		if o.Kubelet.Path != "" {
			n.KubeletLog = filepath.Join(n.HostRoot, "var", "log", "kubelet.log")
		}
	}
	if n.logf == nil {
		n.logf = func(string, ...any) {}
	}
	n.close = sync.OnceValue(n.shutDown)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.bringUp(ctx, o); err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	return n, nil
}

// bringUp makes what a node is surrounded by, and starts what runs on it.
func (n *Node) bringUp(ctx context.Context, o Options) error {
	if err := n.surround(ctx, o); err != nil {
		return err
	}
	if err := n.runContainerd(ctx, o); err != nil {
		return err
	}
	if o.ControlPlane.dir != "" {
		if err := n.startCluster(ctx, o.ControlPlane); err != nil {
			return err
		}
	}
	if o.Kubelet.Path == "" {
		return nil
	}
	return n.startKubelet(ctx, o.Kubelet)
}

// surround makes network, internet, files and journal.
func (n *Node) surround(ctx context.Context, o Options) (err error) {
	if n.ns, err = newNamespace(); err != nil {
		return err
	}
	var pause []byte
	if o.Kubelet.Path != "" {
		if pause, err = os.ReadFile(o.Kubelet.pause); err != nil {
			return err
		}
	}
	if n.internet, err = openInternet(n.ns, pause); err != nil {
		return err
	}
	if err := writeConfig(n.Dir, n.internet.authority.pem, o); err != nil {
		return err
	}
	if err := writeHostRoot(n.HostRoot, o); err != nil {
		return err
	}
	if o.Journal {
		n.journald, err = startJournald(ctx, n.HostRoot)
	}
	return err
}

// runContainerd runs containerd with its output in the file or the journal, and returns when
// it answers.
func (n *Node) runContainerd(ctx context.Context, o Options) error {
	began := time.Now()
	out, err := n.openOutput(ctx)
	if err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	defer out.Close() // containerd has its own
	if n.process, err = n.startContainerd(out, o); err != nil {
		return err
	}
	if n.cri, err = dialCRI(n.Socket); err != nil {
		return err
	}
	version, err := n.cri.waitReady(ctx, n.process.done)
	if err != nil {
		return fmt.Errorf("%w; its last lines:\n%s", err, n.lastLines(ctx, 5))
	}
	if n.journald != nil {
		if err := n.journald.check(ctx, journalUnit); err != nil {
			return err
		}
	}
	n.logf("containerd %s answers after %s", version, time.Since(began).Round(time.Millisecond))
	return nil
}

func (n *Node) openOutput(ctx context.Context) (*os.File, error) {
	if n.journald != nil {
		return n.journald.open(ctx, journalIdentifier, journalUnit)
	}
	// Append: containerd writes each line with one write, so nothing tears.
	return os.OpenFile(n.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

// Log returns what containerd has written until now.
func (n *Node) Log(ctx context.Context) ([]byte, error) {
	if n.journald != nil {
		return n.journald.log(ctx)
	}
	return os.ReadFile(n.LogFile)
}

// Close stops containerd, closes the registries and removes the folder. The
// namespaces and mounts go with the last process. It may be called twice.
func (n *Node) Close() error { return n.close() }

func (n *Node) shutDown() error {
	var errs []error
	if n.cri != nil {
		errs = append(errs, n.cri.conn.Close())
	}
	if n.kubelet != nil {
		errs = append(errs, n.kubelet.stop())
	}
	if n.process != nil {
		errs = append(errs, n.process.stop(), removeControlGroups(n.runningContainers()))
	}
	if n.Cluster != nil {
		errs = append(errs, n.Cluster.stop())
	}
	if n.journald != nil {
		errs = append(errs, n.journald.stop())
	}
	if n.internet != nil {
		errs = append(errs, n.internet.close())
	}
	if n.ns != nil {
		n.ns.close()
	}
	errs = append(errs, os.RemoveAll(n.Dir))
	return errors.Join(errs...)
}

// FileSystem is the file system as containerd sees it, until it is started again: a
// folder that only root may look into. The lab's own folder is below InnerDir there.
func (n *Node) FileSystem() string { return fmt.Sprintf("/proc/%d/root", n.process.cmd.Process.Pid) }

// InnerDir is where containerd sees [Node.Dir].
const InnerDir = innerDir

// Requests returns what the registries were asked, in order.
func (n *Node) Requests() []Request { return n.internet.journal.all() }
