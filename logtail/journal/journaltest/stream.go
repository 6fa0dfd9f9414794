//go:build linux

package journaltest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Stream connects to the daemon as systemd does for a unit that it starts: the lines
// that are written to it become entries of that unit. It can be a child's standard
// output. The entries are those of the calling process all the same, and the daemon
// remembers the first unit of a process: for a second one take [Daemon.Writer]. Only
// a process in the root control group is believed its unit.
func (d *Daemon) Stream(ctx context.Context, identifier, unit string) (*os.File, error) {
	conn, err := dialStream(ctx, d.run.Fd(), identifier, unit)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the file is another descriptor
	return conn.File()
}

// Writer is a process whose standard output a unit's journal is: this very program,
// run once more. See [Child].
type Writer struct {
	cmd        *exec.Cmd
	in         io.WriteCloser
	told       io.Reader // how much the process has passed on
	complaints bytes.Buffer
}

// Writer starts a process that writes to the journal what is written to it, line by
// line, as the unit. When the context is done it is killed.
func (d *Daemon) Writer(ctx context.Context, identifier, unit string) (*Writer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	w := &Writer{cmd: exec.CommandContext(ctx, self)} //nolint:gosec // G204: this very program
	w.cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=%s\n%s", childEnv, identifier, unit),
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0") // else it takes a second to end under the race detector
	w.cmd.ExtraFiles = []*os.File{d.run}
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.cmd.Stderr = &w.complaints
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	if w.told, err = w.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	return w, nil
}

// Write passes on what journald is to store, and returns when it is in journald's
// socket: a [Daemon.Sync] after it waits until it is stored.
func (w *Writer) Write(b []byte) (int, error) {
	n, err := w.in.Write(b)
	if err != nil {
		return n, err
	}
	for passed := 0; passed < n; {
		var told [4]byte
		if _, err := io.ReadFull(w.told, told[:]); err != nil {
			return passed, fmt.Errorf("write to the journal: the process ended: %w", err)
		}
		passed += int(binary.LittleEndian.Uint32(told[:]))
	}
	return n, nil
}

// PID is the process id that the entries have as _PID.
func (w *Writer) PID() int { return w.cmd.Process.Pid }

// Close waits until journald has stored what was written, and ends the process.
func (w *Writer) Close() error {
	closed := w.in.Close()
	if err := errors.Join(closed, w.cmd.Wait()); err != nil {
		return fmt.Errorf("write to the journal: %w", explain(err, w.complaints.Bytes()))
	}
	return nil
}
