//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that holds nothing but a loopback device
// with the addresses of a small internet on it. One locked thread lives in it;
// sockets that this thread opens and processes that it starts belong to it.
type namespace struct {
	calls chan func()
	ended chan struct{}
}

// The networks of the lab are those reserved for documentation, and the one
// that cluster DNS has nearly everywhere. On a loopback device every address of
// a network is local, so a server listens wherever it likes and an address
// without a server refuses.
var networks = []net.IPNet{
	{IP: net.IPv4(198, 51, 100, 1), Mask: net.CIDRMask(24, 32)},
	{IP: net.IPv4(10, 96, 0, 1), Mask: net.CIDRMask(24, 32)},
}

func newNamespace() (*namespace, error) {
	n, err := startThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		return configureLoopback(networks)
	})
	if err != nil {
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	return n, nil
}

// joinNamespaces returns a thread that sees the network and the files that a
// process sees, and whose children are in the process's PID namespace.
func joinNamespaces(pid int) (*namespace, error) {
	n, err := startThread(func() error {
		// Threads of a process share the root folder, which another mount namespace changes.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(pidfd) //nolint:errcheck // the namespaces are joined or not
		return unix.Setns(pidfd, unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWPID)
	})
	if err != nil {
		return nil, fmt.Errorf("join the namespaces of process %d: %w", pid, err)
	}
	return n, nil
}

// startThread returns a thread that has made itself what prepare makes it.
func startThread(prepare func() error) (*namespace, error) {
	n := &namespace{calls: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error, 1)
	go onThreadOfItsOwn(func() { n.live(prepare, ready) })
	if err := <-ready; err != nil {
		return nil, err
	}
	return n, nil
}

// onThreadOfItsOwn runs f on a thread that is never given back, as no other goroutine
// must ever run in its namespaces: it dies with f. With it would die the processes
// that it has started and that are to die with their parent, which is a thread: so it
// is one that has started none.
func onThreadOfItsOwn(f func()) {
	runtime.LockOSThread()
	children, err := os.ReadFile("/proc/thread-self/children")
	if err != nil || len(children) == 0 {
		f()
		return
	}
	taken := make(chan struct{})
	go onThreadOfItsOwn(func() {
		close(taken)
		f()
	})
	<-taken // until then the other cannot be on this thread
	runtime.UnlockOSThread()
}

// live does what it is told to until it is closed.
func (n *namespace) live(prepare func() error, ready chan<- error) {
	defer close(n.ended)
	err := prepare()
	ready <- err
	if err != nil {
		return
	}
	for call := range n.calls {
		call()
	}
}

// do runs f on the thread of the namespace.
func (n *namespace) do(f func() error) error {
	result := make(chan error, 1)
	n.calls <- func() { result <- f() }
	return <-result
}

func (n *namespace) close() {
	close(n.calls)
	<-n.ended
}

// configureLoopback does what "ip link set lo up" and "ip address add … dev lo"
// do, without the need for iproute2.
func configureLoopback(networks []net.IPNet) (err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("configure loopback: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("configure loopback: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("set loopback up: %w", err)
	}
	for i, network := range networks {
		if err := addAddress(fd, fmt.Sprintf("lo:%d", i), network); err != nil {
			return fmt.Errorf("add %s to loopback: %w", &network, err)
		}
	}
	return nil
}

func addAddress(fd int, label string, network net.IPNet) error {
	address, err := unix.NewIfreq(label)
	if err != nil {
		return err
	}
	mask, err := unix.NewIfreq(label)
	if err != nil {
		return err
	}
	err = errors.Join(address.SetInet4Addr(network.IP.To4()), mask.SetInet4Addr(net.IP(network.Mask).To4()))
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, address); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, mask)
}
