//go:build linux

package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what journald to run.
type Options struct {
	// Systemd is whose journald it is.
	Systemd Systemd
	// Dir is the folder that holds all of its files: as run/, var/log/ and
	// etc/machine-id. A daemon that is started in the folder of one that ended goes
	// on with its journal, as a journald does that is restarted.
	Dir string
	// Config holds lines of the section [Journal] of journald.conf. Those that are
	// not in it do away with limits and with messages of others than the test.
	Config string
	// Format is how the daemon writes its files, nil as it likes. They are not sealed.
	Format *Format
	// Persistent has the daemon write to var/log/journal instead of run/log/journal.
	Persistent bool
}

// Daemon is a journald in a mount namespace of its own, whose /run and /var/log are
// folders below [Options].Dir. All that is mounted goes with it, and it goes with
// the process that started it.
//
// The folder of its journals, [Daemon.Journal]/[Daemon.MachineID], has the file
// system.journal and what is left of earlier ones: [Daemon.Rotate] makes a
// system@*.journal of it. [Daemon.Kill] leaves it as it is, online, and the next
// [Start] in the same folder renames it to system@*.journal~ and makes a new one.
type Daemon struct {
	options    Options
	cmd        *exec.Cmd
	run        *os.File // its /run
	machineID  string
	complaints bytes.Buffer
	ended      chan struct{} // closed once err is set
	err        error
	stopped    bool
}

const defaults = `[Journal]
RateLimitIntervalSec=0
RateLimitBurst=0
ReadKMsg=no
Audit=
MaxLevelStore=debug
Seal=no
ForwardToSyslog=no
ForwardToKMsg=no
ForwardToConsole=no
ForwardToWall=no
`

// Start runs a journald and returns once it takes messages. The context limits the
// start only.
func Start(ctx context.Context, options Options) (*Daemon, error) {
	d, err := start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start journald: %w", err)
	}
	return d, nil
}

func start(ctx context.Context, options Options) (*Daemon, error) {
	if err := needRoot(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	options.Dir = dir
	d := &Daemon{options: options, ended: make(chan struct{})}
	if err := d.prepare(); err != nil {
		return nil, err
	}
	if d.run, err = os.Open(d.path("run")); err != nil {
		return nil, err
	}
	binds := []bind{
		{d.path("etc/machine-id"), "/etc/machine-id"},
		{d.path("var/log"), "/var/log"},
		{d.path("run"), "/run"},
	}
	env := []string{"SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=warning"} // else it tells the kernel's log
	if f := options.Format; f != nil {
		env = append(env, f.environment()...)
	}
	d.cmd = options.Systemd.command(context.WithoutCancel(ctx), env, binds, journald)
	d.cmd.Stderr = &d.complaints
	if err := d.cmd.Start(); err != nil {
		return nil, errors.Join(err, d.run.Close())
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	if err := d.ready(ctx); err != nil {
		return nil, errors.Join(err, d.Kill())
	}
	return d, nil
}

// prepare makes the folders and files of the daemon that are not there.
func (d *Daemon) prepare() error {
	dirs := []string{"run/systemd/journal", "run/systemd/journald.conf.d", "run/log/journal", "var/log", "etc"}
	for _, dir := range dirs {
		if err := os.MkdirAll(d.path(dir), 0o755); err != nil {
			return err
		}
	}
	storage := "volatile"
	if d.options.Persistent {
		storage = "persistent"
		// As if it had been flushed: else it begins in run/log/journal.
		if err := os.WriteFile(d.path("run/systemd/journal/flushed"), nil, 0o644); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("%sStorage=%s\n", defaults, storage)
	if f := d.options.Format; f != nil {
		config += fmt.Sprintf("Compress=%t\n", f.Compression != "none")
	}
	config += d.options.Config + "\n"
	path := d.path("run/systemd/journald.conf.d/zz-journaltest.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return err
	}
	path = d.path("etc/machine-id")
	id, err := os.ReadFile(path)
	if err == nil {
		d.machineID = strings.TrimSpace(string(id))
		return nil
	}
	d.machineID, err = writeMachineID(path)
	return err
}

// ready waits until the daemon answers.
func (d *Daemon) ready(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for d.Sync(ctx) != nil {
		select {
		case <-tick.C:
		case <-d.ended:
			return explain(fmt.Errorf("it ended: %w", d.err), d.complaints.Bytes())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// path returns the path of one of the daemon's files on the host.
func (d *Daemon) path(name string) string { return filepath.Join(d.options.Dir, name) }

// Stop ends the daemon in an orderly way, which closes its journal. One that was
// stopped or killed before stays so.
func (d *Daemon) Stop() error {
	if d.stopped {
		return nil
	}
	d.stopped = true
	const patience = 10 * time.Second
	if err := d.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop journald: %w", err)
	}
	select {
	case <-d.ended:
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("stop journald: it goes on for %v", patience), d.kill())
	}
	if d.err != nil {
		return errors.Join(fmt.Errorf("stop journald: %w", explain(d.err, d.complaints.Bytes())), d.run.Close())
	}
	return d.run.Close()
}

// Kill ends the daemon by SIGKILL. Its journal stays as it happens to be.
func (d *Daemon) Kill() error {
	if d.stopped {
		return nil
	}
	d.stopped = true
	return d.kill()
}

func (d *Daemon) kill() error {
	if err := d.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill journald: %w", err)
	}
	<-d.ended
	return d.run.Close()
}

// signal sends a signal unless the daemon has ended.
func (d *Daemon) signal(s os.Signal) error {
	if err := d.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Rotate archives the daemon's journal files and begins new ones. It returns once
// the old ones are closed, which journald does in the background.
func (d *Daemon) Rotate(ctx context.Context) error {
	if err := varlink(ctx, d.run.Fd(), "Rotate"); err != nil {
		return err
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		open, err := d.unarchived()
		if err != nil || len(open) == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %v is closed: %w", open, ctx.Err())
		}
	}
}

// unarchived returns the files that were rotated and are not yet closed.
func (d *Daemon) unarchived() ([]string, error) {
	rotated, err := filepath.Glob(filepath.Join(d.Journal(), d.machineID, "*@*.journal"))
	if err != nil {
		return nil, err
	}
	var open []string
	for _, path := range rotated {
		h, err := ReadHeader(path)
		if _, gone := os.Stat(path); gone != nil {
			continue // vacuumed, which empties it as well
		}
		if err != nil {
			return nil, err
		}
		if h.State != StateArchived {
			open = append(open, path)
		}
	}
	return open, nil
}

// Sync waits until the daemon has stored all that was written to it before.
func (d *Daemon) Sync(ctx context.Context) error { return varlink(ctx, d.run.Fd(), "Synchronize") }

// Flush moves the journal from run/log/journal to var/log/journal, as happens once
// a node has mounted its disk, and [Daemon.Journal] with it. The daemon must have
// "Storage=persistent" in its Config and not be Persistent, which skips this. Its
// Dir must be on a tmpfs, such as /dev/shm, as every /run is: journald 252 refuses
// to remove the old files elsewhere, and then goes on with them.
func (d *Daemon) Flush(ctx context.Context) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(d.path("run"), &fs); err != nil {
		return fmt.Errorf("flush the journal: %w", err)
	}
	if fs.Type != unix.TMPFS_MAGIC {
		return fmt.Errorf("flush the journal: %s is not on a tmpfs", d.options.Dir)
	}
	return varlink(ctx, d.run.Fd(), "FlushToVar")
}

// Journal returns the folder, run/log/journal or var/log/journal, that holds that of
// the machine's journal files.
func (d *Daemon) Journal() string {
	journal := d.path("var/log/journal")
	if _, err := os.Stat(filepath.Join(journal, d.machineID)); err == nil || d.options.Persistent {
		return journal
	}
	return d.path("run/log/journal")
}

// MachineID returns the machine id that the daemon runs with. It is not the host's.
func (d *Daemon) MachineID() string { return d.machineID }
