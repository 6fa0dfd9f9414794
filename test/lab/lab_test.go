//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"pullcause/logtail/journal/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNamespace(t *testing.T) {
	requireRoot(t)
	ns, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.close()
	const anywhere = "198.51.100.77:443"
	dial := func() error {
		c, err := net.Dial("tcp4", anywhere)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	if err := ns.do(dial); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("dial where nothing listens: got %v, want %v", err, unix.ECONNREFUSED)
	}
	var l net.Listener
	err = ns.do(func() (err error) {
		l, err = net.Listen("tcp4", anywhere)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := ns.do(dial); err != nil {
		t.Errorf("dial: %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	requireRoot(t)
	t.Run("file", func(t *testing.T) { testCloseLeavesNothing(t, Options{}) })
	t.Run("journal", func(t *testing.T) {
		requireJournald(t)
		testCloseLeavesNothing(t, Options{Journal: true})
	})
}

func testCloseLeavesNothing(t *testing.T, o Options) {
	c, err := Build(t.Context(), "../../bin", t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	t.Setenv("TMPDIR", t.TempDir())
	o.Containerd, o.Logf = c, t.Logf
	n, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r := n.Play(t.Context(), Scenarios()[0]); r.Err != nil {
		t.Errorf("pull: %v", r.Err)
	}
	if len(n.Requests()) == 0 {
		t.Error("the registry was not asked")
	}
	if log, err := n.Log(t.Context()); err != nil || !bytes.Contains(log, []byte(`msg="PullImage `)) {
		t.Errorf("log: got %d bytes without a pull, error %v", len(log), err)
	}
	pid := n.process.cmd.Process.Pid
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d after Close: got %v, want %v", pid, err, unix.ESRCH)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("files after Close: %q", left)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), n.Dir) {
		t.Errorf("mounts after Close: %s", mounts)
	}
}

func TestStartFails(t *testing.T) {
	requireRoot(t)
	program := filepath.Join(t.TempDir(), "containerd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho out of order >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	broken := Containerd{Path: program, Major: 2}
	t.Run("file", func(t *testing.T) { testStartFails(t, Options{Containerd: broken}) })
	t.Run("journal", func(t *testing.T) {
		requireJournald(t)
		testStartFails(t, Options{Containerd: broken, Journal: true})
	})
}

func testStartFails(t *testing.T, o Options) {
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("start of a broken containerd: got %v, want its last words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, o); err == nil {
		t.Error("start with a context that has ended: got no error")
	}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root for namespaces")
	}
}

func requireJournald(t *testing.T) {
	t.Helper()
	if _, err := journaltest.Host(); err != nil {
		cannot(t, err.Error())
	}
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %s", why)
	}
	t.Skip(why)
}
