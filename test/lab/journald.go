//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"pullcause/logtail/journal/journaltest"
)

// Whom containerd writes to the journal as; it is the same on nearly every node.
const (
	journalIdentifier = "containerd"
	journalUnit       = "containerd.service"
)

// joinRootGroup comes before enter where containerd writes to a journald, which
// believes a stream's unit only if the writer is in the root control group. Where
// the group cannot be changed, as in most containers, it often is that one.
const joinRootGroup = `
for hierarchy in "" /unified /systemd; do
	procs=/sys/fs/cgroup$hierarchy/cgroup.procs
	[ ! -w "$procs" ] || echo 0 >"$procs"
done
`

// journald is the journal that containerd and the kubelet write to.
type journald struct {
	systemd journaltest.Systemd
	daemon  *journaltest.Daemon
}

// startJournald runs a journald whose files are where those of a node are, below
// the folder root.
func startJournald(ctx context.Context, root string) (*journald, error) {
	systemd, err := journaltest.Host()
	if err != nil {
		return nil, err
	}
	daemon, err := journaltest.Start(ctx, journaltest.Options{Systemd: systemd, Dir: root})
	if err != nil {
		return nil, err
	}
	return &journald{systemd: systemd, daemon: daemon}, nil
}

// open returns a stream that is a unit's output, as systemd gives it one.
func (j *journald) open(ctx context.Context, identifier, unit string) (*os.File, error) {
	return j.daemon.Stream(ctx, identifier, unit)
}

// log returns the lines that were written until now, also those that journald
// did not believe to be of the unit.
func (j *journald) log(ctx context.Context) ([]byte, error) {
	return j.read(ctx, "SYSLOG_IDENTIFIER="+journalIdentifier)
}

// check says whether there are lines of the unit.
func (j *journald) check(ctx context.Context, unit string) error {
	lines, err := j.read(ctx, "_SYSTEMD_UNIT="+unit)
	if err == nil && len(lines) == 0 {
		err = errors.New("journald does not take any process for " + unit +
			": run the lab in the root control group, see /proc/self/cgroup")
	}
	return err
}

func (j *journald) read(ctx context.Context, match string) ([]byte, error) {
	if err := j.daemon.Sync(ctx); err != nil {
		return nil, fmt.Errorf("read the lab's journal: %w", err)
	}
	entries, err := j.systemd.Read(ctx, j.daemon.Journal(), match)
	if err != nil {
		return nil, fmt.Errorf("read the lab's journal: %w", err)
	}
	var text bytes.Buffer
	for _, e := range entries {
		text.Write(e.Message)
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

func (j *journald) stop() error { return j.daemon.Stop() }
