package watch

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"pullcause/logtail/hostroot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWatcher(t *testing.T) *Watcher {
	t.Helper()
	w := New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// create makes or empties a file, which ends up open.
func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Sources may outlive the watcher: they poll then.
func TestClosed(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "x.log"))
	w := New(nil)
	p := w.Path(hostroot.Root{}, f.Name(), make(chan struct{}, 1))
	if p.Refresh() {
		p.Arm(f)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if p.Refresh() || p.Renew() || p.Arm(f) {
			t.Error("got a watch from a closed watcher")
		}
	}
	p.Release()
	p.Close()
	if p.IsArmed() {
		t.Error("got an armed file after the end")
	}
}
