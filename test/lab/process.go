//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a running containerd or kubelet.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; how it did is in its log
}

// enter makes containerd's view of the file system, in the mount namespace
// that the shell was started in, and becomes containerd. Arguments: the lab's
// folder, the size of containerd's root, the folder of the program. /var/lib is
// prepared elsewhere and moved into place, as it may hide all three.
const enter = makeVarLib + bindNames + `
exec /var/lib/bin/containerd --config ` + innerDir + `/etc/config.toml
`

const makeVarLib = `
mount -t tmpfs -o size=$2,mode=755 tmpfs "$1/varlib"
mkdir "$1/varlib/containerd" "$1/varlib/lab" "$1/varlib/bin"
mount --bind "$1" "$1/varlib/lab"
mount --bind "$3" "$1/varlib/bin"
mount --move "$1/varlib" /var/lib
`

const bindNames = `
mount --bind ` + innerDir + `/etc/resolv.conf /etc/resolv.conf
mount --bind ` + innerDir + `/etc/hosts /etc/hosts
`

// programPath is where programs are on the node.
const programPath = "/var/lib/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// stopTimeout is how long containerd may take to stop before it is killed.
const stopTimeout = 3 * time.Second

// startContainerd runs a node's containerd, which writes to out. Where there is a
// kubelet, containers run, and end with containerd.
func (n *Node) startContainerd(out *os.File, o Options) (*process, error) {
	k := o.Kubelet
	script, size, cloneflags := enter, rootSize, uintptr(0)
	switch {
	case k.Path != "":
		script, size, cloneflags = enterWithKubelet, kubeletRoot, syscall.CLONE_NEWPID
	case o.Restartable:
		script, size, cloneflags = enterToRestart, largeRoot, syscall.CLONE_NEWPID
	}
	if n.journald != nil {
		script = joinRootGroup + script
	}
	program := n.Containerd.Path
	cmd := exec.Command("/bin/sh", "-euc", script, "sh", n.Dir, fmt.Sprint(size), filepath.Dir(program), filepath.Dir(k.Path))
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{
		"PATH=" + programPath,
		"TZ=UTC",
		"GODEBUG=netdns=go",
		"SSL_CERT_FILE=" + innerDir + "/etc/ca.pem",
		"SSL_CERT_DIR=/nowhere",
		"HTTPS_PROXY=" + proxyURL,
		"NO_PROXY=.lab.test,.docker.io,.k8s.io,.silent.test,.servfail.test,.nowhere.test",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS,
		Cloneflags:   cloneflags,
		Setpgid:      true,            // Ctrl-C is for the lab, which then stops containerd
		Pdeathsig:    syscall.SIGKILL, // of the namespace's thread, so also when the lab is killed
	}
	p, err := startProcess(n.ns, cmd)
	if err != nil {
		return nil, fmt.Errorf("start containerd %s: %w", program, err)
	}
	return p, nil
}

// startProcess starts a process on the thread of a namespace.
func startProcess(on *namespace, cmd *exec.Cmd) (*process, error) {
	if err := on.do(cmd.Start); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait() //nolint:errcheck // how it ended is in its log
	}()
	return p, nil
}

// stop ends the process and waits until it is gone.
func (p *process) stop() error {
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		err = errors.Join(err, p.cmd.Process.Kill())
		<-p.done
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// lastLines returns the end of containerd's log, for an error message.
func (n *Node) lastLines(ctx context.Context, count int) []byte {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	text, err := n.Log(ctx)
	if err != nil {
		return []byte(err.Error())
	}
	return lastLines(text, count)
}

func lastLines(text []byte, count int) []byte {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-count):], []byte("\n"))
}
