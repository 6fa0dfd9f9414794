//go:build linux

package journaltest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// childEnv tells a child process whom to write as: an identifier and a unit.
const childEnv = "JOURNALTEST_CHILD"

// childRun is the descriptor of the daemon's /run that a child has.
const childRun = 3

// Child must be the first thing that TestMain or main of a program does that uses
// [Daemon.Writer]: it is the part of the child process. In another one it returns
// at once.
func Child() {
	who, ok := os.LookupEnv(childEnv)
	if !ok {
		return
	}
	identifier, unit, _ := strings.Cut(who, "\n")
	if err := child(identifier, unit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is the main of the child
	}
	os.Exit(0) //nolint:forbidigo // this is the main of the child
}

// child passes its standard input to the journal, until its end, and waits until
// journald has stored it.
func child(identifier, unit string) error {
	if err := toRootGroup(); err != nil {
		return fmt.Errorf("move to the root group: %w", err)
	}
	conn, err := dialStream(context.Background(), childRun, identifier, unit)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // all that counts was written before
	if err := pass(conn, os.Stdin, os.Stdout); err != nil {
		return fmt.Errorf("write to journald: %w", err)
	}
	if err := conn.CloseWrite(); err != nil { // ends a last line without a newline
		return fmt.Errorf("write to journald: %w", err)
	}
	return varlink(context.Background(), childRun, "Synchronize")
}

// pass copies all of in to out and tells, as four bytes each time, how many bytes
// it has.
func pass(out io.Writer, in io.Reader, told io.Writer) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			_, err = out.Write(buf[:n])
		}
		if err == nil {
			_, err = told.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
		}
		if err != nil {
			return err
		}
	}
}

// dialStream connects to journald's socket for the output of units, as systemd does
// for a unit that it starts. run is the descriptor of the daemon's /run.
func dialStream(ctx context.Context, run uintptr, identifier, unit string) (*net.UnixConn, error) {
	conn, err := dial(ctx, run, "stdout")
	if err != nil {
		return nil, err
	}
	if err := passCredentials(conn); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to journald: %w", err), conn.Close())
	}
	const priority, prefixes, syslog, kmsg, console = 6, 0, 0, 0, 0
	_, err = fmt.Fprintf(conn, "%s\n%s\n%d\n%d\n%d\n%d\n%d\n", identifier, unit, priority, prefixes, syslog, kmsg, console)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write to journald: %w", err), conn.Close())
	}
	return conn, nil
}

// passCredentials has the kernel tell journald with each message who sent it. journald
// turns that on itself, but a message that arrives after it accepted and before it did
// so comes from nobody, whose unit it does not believe. (Of a socket that systemd made
// it is on from the start.)
func passCredentials(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	return errors.Join(err, failed)
}

// dial connects to one of journald's sockets. They are named by a descriptor since
// the name of a socket is limited to 108 bytes.
func dial(ctx context.Context, run uintptr, name string) (*net.UnixConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/systemd/journal/%s", run, name))
	if err != nil {
		return nil, fmt.Errorf("connect to journald: %w", err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connect to journald: a %T", conn), conn.Close())
	}
	return socket, nil
}

// toRootGroup moves the process to the root of the control groups that systemd uses.
// journald believes the unit that a stream names only there: elsewhere the group
// tells the unit.
func toRootGroup() error {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(groups)) {
		// 0::/user.slice/x or 1:name=systemd:/user.slice/x
		_, line, _ := strings.Cut(strings.TrimSpace(line), ":")
		hierarchy, group, _ := strings.Cut(line, ":")
		if group == "/" || (hierarchy != "" && hierarchy != "name=systemd") {
			continue
		}
		mounts := []string{"systemd"}
		if hierarchy == "" {
			mounts = []string{"", "unified"}
		}
		if err := joinFirst(mounts); err != nil {
			return err
		}
	}
	return nil
}

// joinFirst moves the process to the root of the first hierarchy that is mounted.
func joinFirst(mounts []string) error {
	for _, mount := range mounts {
		file, err := os.OpenFile(path.Join("/sys/fs/cgroup", mount, "cgroup.procs"), os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = file.WriteString("0")
		return errors.Join(err, file.Close())
	}
	return nil // systemd does not see it either
}
