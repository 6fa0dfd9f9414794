//go:build linux

// Package journaltest makes real systemd journal files for tests and asks
// journalctl what is in them, so that a reader can be held against systemd's own.
// Nothing of it needs systemd to be PID 1, and nothing is left on the machine.
//
// Start at [Host], the systemd that is installed, or [Newer], one that can write
// more formats. [Systemd.Write] makes a file of entries (of [Random], say), one of
// each of [Systemd.Formats]; [Systemd.Read] is the oracle. [Start] runs a journald
// to follow, rotate and kill. A program that uses [Daemon.Writer] calls [Child]
// first of all.
//
// Mount namespaces keep the host's folders out of all this, so most of it has to
// run as root.
package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Systemd is an installation of systemd's journal programs.
type Systemd struct {
	// Root is the folder that it is in: empty for the machine's own, else a chroot.
	Root string
	// Version is systemd's number, such as 252.
	Version int
}

// The programs that this package runs.
const (
	journalctl    = "journalctl"
	journald      = "systemd-journald"
	journalRemote = "systemd-journal-remote"
)

// mnt is where a chroot sees the one folder of the host that it is to work in.
const mnt = "/mnt"

// Host returns the machine's own systemd.
func Host() (Systemd, error) {
	return installed(context.Background(), "")
}

// installed returns the systemd below root if it has all that is needed.
func installed(ctx context.Context, root string) (Systemd, error) {
	s := Systemd{Root: root}
	for program, debian := range map[string]string{
		journalctl: "systemd", journald: "systemd", journalRemote: "systemd-journal-remote",
	} {
		if s.program(program) == "" {
			return Systemd{}, fmt.Errorf("no %s: install the package %s", program, debian)
		}
	}
	out, err := s.output(ctx, nil, nil, journalctl, "--version")
	if err != nil {
		return Systemd{}, fmt.Errorf("ask systemd for its version: %w", err)
	}
	// systemd 252 (252.39-1~deb12u2)
	words := strings.Fields(string(out))
	if len(words) < 2 {
		return Systemd{}, fmt.Errorf("ask systemd for its version: it says %q", out)
	}
	number, _, _ := strings.Cut(words[1], "~") // 261~rc1
	if s.Version, err = strconv.Atoi(number); err != nil {
		return Systemd{}, fmt.Errorf("ask systemd for its version: %w", err)
	}
	return s, nil
}

// program returns the path of a program inside of Root, empty if it is not there.
func (s Systemd) program(name string) string {
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/lib/systemd", "/lib/systemd"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(filepath.Join(s.Root, path)); err == nil {
			return path
		}
	}
	return ""
}

// bind is a file or folder of the host that a program sees in another place.
type bind struct{ from, to string }

// mountAndExec puts binds into place and becomes the program. Its arguments are the
// root, the number of binds, each bind's two paths and the program's own arguments.
const mountAndExec = `set -eu
root=$1 binds=$2
shift 2
while [ "$binds" -gt 0 ]; do
	mount --rbind "$1" "$root$2"
	shift 2
	binds=$((binds - 1))
done
[ -z "$root" ] || exec chroot "$root" "$@"
exec "$@"`

// command returns a program of this systemd, ready to be started. If it is in a
// chroot or there are binds, it gets a mount namespace, which goes with it: so does
// all that is mounted. Whatever happens to this process happens to the program.
func (s Systemd) command(ctx context.Context, env []string, binds []bind, name string, args ...string) *exec.Cmd {
	if s.Root != "" {
		binds = append([]bind{{"/proc", "/proc"}, {"/sys", "/sys"}, {"/dev", "/dev"}}, binds...)
	}
	argv := append([]string{s.program(name)}, args...)
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if len(binds) > 0 {
		script := []string{"sh", "-c", mountAndExec, "sh", s.Root, strconv.Itoa(len(binds))}
		for _, b := range binds {
			script = append(script, b.from, b.to)
		}
		argv = append(script, argv...)
		attr.Unshareflags = syscall.CLONE_NEWNS // Go makes all mounts in it private
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // G204: systemd's programs and our own arguments
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// output runs a program and returns what it prints.
func (s Systemd) output(ctx context.Context, env []string, binds []bind, name string, args ...string) ([]byte, error) {
	return output(s.command(ctx, env, binds, name, args...))
}

// output runs a command and returns what it prints; what it complains of is in the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), explain(err, complaints.Bytes()))
	}
	return out.Bytes(), nil
}

// explain adds what a program wrote to its standard error to the error.
func explain(err error, complaints []byte) error {
	if said := bytes.TrimSpace(complaints); len(said) > 0 {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// inside returns how a program of this systemd calls a path of the host, and the
// bind that makes it so.
func (s Systemd) inside(path string) (string, []bind, error) {
	path, err := filepath.Abs(path)
	if err != nil || s.Root == "" {
		return path, nil, err
	}
	return filepath.Join(mnt, filepath.Base(path)), []bind{{filepath.Dir(path), mnt}}, nil
}

// ErrNeedsRoot is the error of whoever runs what needs mount namespaces as another user.
var ErrNeedsRoot = errors.New("needs root: journald runs in a mount namespace of its own")

// needRoot says why what needs mount namespaces cannot be done.
func needRoot() error {
	if os.Geteuid() != 0 {
		return ErrNeedsRoot
	}
	return nil
}
