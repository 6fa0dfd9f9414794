package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pullcause/logtail/journal/journaltest"
)

// TestSessionFromJournal has the recorded node write to a real journald: each line is
// an entry there, and another unit writes between any two. What the kubelet says in
// several lines must be understood all the same.
func TestSessionFromJournal(t *testing.T) {
	systemd, err := journaltest.Host()
	if err != nil {
		cannot(t, err)
	}
	host := t.TempDir()
	d, err := journaltest.Start(t.Context(), journaltest.Options{Systemd: systemd, Dir: host})
	if errors.Is(err, journaltest.ErrNeedsRoot) {
		cannot(t, err)
	}
	check(t, err)
	t.Cleanup(func() { check(t, d.Stop()) })
	noise := writer(t, d, "noise")
	var units []io.Writer
	for _, program := range programs {
		units = append(units, writer(t, d, program))
	}
	scenarios, lines, err := readSession()
	check(t, err)
	stage, err := Start(t.Context(), StageConfig{HostRoot: host, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, stage.Stop()) })

	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	for i, l := range lines {
		if i > 0 {
			check(t, sleep(t.Context(), min(l.at.Sub(lines[i-1].at), 20*time.Millisecond)))
		}
		for entry := range bytes.Lines(restamp(l, time.Now())) {
			_, err := units[l.file].Write(entry)
			check(t, err)
			_, err = io.WriteString(noise, "E1124 05:02:23.217665       1 noise.go:1] \"Unhandled Error\" err=<\n\tsomething else\n")
			check(t, err)
		}
	}
	var out strings.Builder
	if err := stage.Finish(t.Context(), &out, scenarios, true); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %v", why)
	}
	t.Skip(why)
}

// writer writes as the service of a program.
func writer(t *testing.T, d *journaltest.Daemon, program string) io.Writer {
	t.Helper()
	w, err := d.Writer(context.WithoutCancel(t.Context()), program, program+".service")
	check(t, err)
	t.Cleanup(func() { check(t, w.Close()) })
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
