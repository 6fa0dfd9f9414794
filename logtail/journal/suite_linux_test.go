package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
	"pullcause/logtail/watch"
)

// The units that tests write as.
var (
	containerd = Candidate{Unit: "containerd.service", Program: "containerd"}
	kubelet    = Candidate{Unit: "kubelet.service", Program: "kubelet"}
	kubeletTag = Candidate{Identifier: "kubelet", Program: "kubelet"}
)

// testLog is what one unit writes to a real journald.
type testLog struct {
	daemon  *journaltest.Daemon
	writer  *journaltest.Writer
	watcher *watch.Watcher
}

func newTestLog(t *testing.T, s journaltest.Systemd, watcher *watch.Watcher, config string) *testLog {
	t.Helper()
	d := startDaemon(t, journaltest.Options{Systemd: s, Config: config})
	return &testLog{daemon: d, writer: newWriter(t, d, "containerd", "containerd.service"), watcher: watcher}
}

func startDaemon(t *testing.T, o journaltest.Options) *journaltest.Daemon {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	d, err := journaltest.Start(t.Context(), o)
	if errors.Is(err, journaltest.ErrNeedsRoot) {
		cannot(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, d.Stop()) })
	return d
}

func newWriter(t *testing.T, d *journaltest.Daemon, identifier, unit string) *journaltest.Writer {
	t.Helper()
	w, err := d.Writer(context.WithoutCancel(t.Context()), identifier, unit)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *testLog) Write(t testing.TB, lines ...string) {
	t.Helper()
	_, err := l.writer.Write([]byte(strings.Join(lines, "\n") + "\n"))
	must(t, err)
}

// Rotate waits until journald has read all that was written: what it reads later
// stands behind the rotation.
func (l *testLog) Rotate(t testing.TB) {
	t.Helper()
	must(t, l.daemon.Sync(t.Context()))
	must(t, l.daemon.Rotate(t.Context()))
}

func (l *testLog) Source(t testing.TB, start *logtail.Position, filter logtail.Filter) logtail.Source {
	t.Helper()
	return newSource(t, Config{
		Roots: Roots(filepath.Dir(filepath.Dir(filepath.Dir(l.daemon.Journal())))), Machine: l.daemon.MachineID(),
		Follow: []Candidate{containerd}, Poll: 5 * time.Millisecond, Lookback: -1,
		Start: start, Filter: filter, Watcher: l.watcher,
	})
}

// newSource makes a source that logs to the test.
func newSource(t testing.TB, cfg Config) *Source {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(cfg)
	must(t, err)
	return s
}

func newWatcher(t testing.TB) *watch.Watcher {
	w := watch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func TestSuite(t *testing.T) {
	for _, s := range installations(t) {
		for _, wake := range []string{logtail.WakePoll, logtail.WakeInotify} {
			t.Run(fmt.Sprintf("systemd %d/%s", s.Version, wake), func(t *testing.T) {
				t.Parallel()
				logtailtest.Suite(t, func(t *testing.T) logtailtest.Log {
					var w *watch.Watcher
					if wake == logtail.WakeInotify {
						w = newWatcher(t)
					}
					return newTestLog(t, s, w, "")
				})
			})
		}
	}
}
