//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// largeRoot is the size of containerd's root where large images are pulled, in bytes.
const largeRoot = 512 << 20

// enterToRestart is enter for a containerd that is started again whenever it ends, as by
// systemd; USR1 asks it to end and USR2 kills it. The shell is process 1 of a PID
// namespace: with it all ends.
const enterToRestart = makeVarLib + bindNames + `
mount proc -t proc /proc
going=1
trap 'going=; kill -TERM $child' TERM
trap 'kill -TERM $child' USR1
trap 'kill -KILL $child' USR2
while [ "$going" ]; do
	/var/lib/bin/containerd --config ` + innerDir + `/etc/config.toml &
	child=$!
	until ! kill -0 $child 2>/dev/null; do wait $child || :; done; : ended
done
`

// Restart ends containerd, with -9 or in good order, and waits until it answers again.
// The node must be Restartable.
func (n *Node) Restart(ctx context.Context, kill bool) error {
	signal := syscall.SIGUSR1
	if kill {
		signal = syscall.SIGUSR2
	}
	before, err := n.cri.conn.GetState(), n.process.cmd.Process.Signal(signal)
	if err != nil {
		return fmt.Errorf("restart containerd: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if !n.cri.conn.WaitForStateChange(ctx, before) { // it has ended when the connection has
		return errors.New("restart containerd: it does not end")
	}
	time.Sleep(10 * time.Millisecond) //nolint:forbidigo // the socket is opened again; a call in between fails and is made again
	if _, err := n.cri.waitReady(ctx, n.process.done); err != nil {
		return fmt.Errorf("restart containerd: %w", err)
	}
	return nil
}
