//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package checkpoint_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pullcause/logtail/checkpoint"
)

// childDir makes a test binary the process that is killed.
const childDir = "CHECKPOINT_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		_, err := checkpoint.Lock(dir)
		fmt.Fprintln(os.Stdout, "locked", err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
		return
	}
	os.Exit(m.Run())
}

// inUse checks that a folder is locked.
func inUse(t *testing.T, dir string) {
	t.Helper()
	if _, err := checkpoint.Lock(dir); !errors.Is(err, checkpoint.ErrInUse) {
		t.Errorf("got %v, want that the folder is in use", err)
	}
}

func lock(t *testing.T, dir string) io.Closer {
	t.Helper()
	l, err := checkpoint.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by us")
	l := lock(t, dir)
	inUse(t, dir)
	inUse(t, dir) // that has changed nothing
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := lock(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
}

// A process that dies leaves nothing locked.
func TestLockEndsWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "locked <nil>\n" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	inUse(t, dir)
	if err := child.Process.Kill(); err != nil { // as kill -9
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if err := lock(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
}

// What cannot be locked can be told from what is in use.
func TestLockFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Lock(file); err == nil || errors.Is(err, checkpoint.ErrInUse) {
		t.Errorf("a file in its place: got %v, want another error", err)
	}
}
