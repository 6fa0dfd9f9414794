package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pullcause/logtail/logtailtest"
)

// numbered makes n lines that differ and sort, the first one numbered from.
func numbered(from, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("line %08d", from+i))
	}
	return all
}

func contains(lines []string, line string) bool { return slices.Contains(lines, line) }

// explain tells, if the test fails, what journalctl has of the log.
func (l *testLog) explain(t *testing.T, r *logtailtest.Recorder) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		out, err := exec.Command("journalctl", "--directory", l.daemon.Journal(), "--output=verbose", "SYSLOG_IDENTIFIER=containerd").CombinedOutput()
		t.Logf("losses: %+v\njournalctl: %v\n%s", r.Losses(), err, out)
	})
}

// ordered checks that numbered lines come in order, and none twice.
func ordered(t *testing.T, lines []string) {
	t.Helper()
	last := ""
	for i, line := range lines {
		if !strings.HasPrefix(line, "line ") {
			continue
		}
		if line <= last {
			t.Fatalf("record %d: got %q after %q", i, line, last)
		}
		last = line
	}
}

// asNobody runs f with no more rights on files than others have, even for root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getuid() == 0 {
		must(t, syscall.Setfsuid(65534))
		defer func() { must(t, syscall.Setfsuid(0)) }()
	}
	f()
}

// reachable lets everybody into a folder below the temporary one.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for ; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
}
