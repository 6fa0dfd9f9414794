package file

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
	"pullcause/logtail/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog is a file and how it is rotated.
type testLog struct {
	path    string
	file    string // what path points to, if it is a symlink
	rotate  func(testing.TB, *testLog)
	watcher *watch.Watcher
	poll    time.Duration
}

func (l *testLog) Write(t testing.TB, lines ...string) {
	logtailtest.Append(t, l.path, strings.Join(lines, "\n")+"\n")
}

func (l *testLog) Rotate(t testing.TB) { l.rotate(t, l) }

func (l *testLog) Source(t testing.TB, start *logtail.Position, filter logtail.Filter) logtail.Source {
	return newSource(t, Config{Path: l.path, Poll: l.poll, Lookback: -1, Start: start, Filter: filter, Watcher: l.watcher})
}

// newSource makes a source that logs to the test.
func newSource(t testing.TB, cfg Config) *Source {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWatcher(t testing.TB) *watch.Watcher {
	w := watch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the watcher: %v", err)
		}
	})
	return w
}

func TestSuite(t *testing.T) {
	rotations := map[string]func(testing.TB, *testLog){
		"rename":   func(t testing.TB, l *testLog) { logtailtest.RenameCreate(t, l.path) },
		"shift":    func(t testing.TB, l *testLog) { logtailtest.Shift(t, l.path, 5) },
		"truncate": func(t testing.TB, l *testLog) { logtailtest.CopyTruncate(t, l.path) },
		"symlink": func(t testing.TB, l *testLog) {
			l.file = l.next()
			logtailtest.Append(t, l.file, "")
			logtailtest.SymlinkSwap(t, l.path, l.file)
		},
		"renamed behind a symlink": func(t testing.TB, l *testLog) { logtailtest.RenameCreate(t, l.file) },
	}
	for name, rotate := range rotations {
		for _, wake := range []string{logtail.WakePoll, logtail.WakeInotify} {
			t.Run(name+"/"+wake, func(t *testing.T) {
				t.Parallel()
				logtailtest.Suite(t, func(t *testing.T) logtailtest.Log {
					l := &testLog{path: filepath.Join(t.TempDir(), "x.log"), rotate: rotate, poll: 2 * time.Millisecond}
					if strings.Contains(name, "symlink") {
						l.file = filepath.Join(t.TempDir(), "x-1.log")
						if err := os.Symlink(l.file, l.path); err != nil {
							t.Fatal(err)
						}
					}
					if wake == logtail.WakeInotify {
						l.watcher = newWatcher(t)
						l.poll = 50 * time.Millisecond
					}
					return l
				})
			})
		}
	}
}

// next is the name of the file that a symlink points to after the one of now.
func (l *testLog) next() string {
	base := filepath.Base(l.file)
	return filepath.Join(filepath.Dir(l.file), "x-"+string(base[2]+1)+".log")
}
