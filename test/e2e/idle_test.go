//go:build linux

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/test/lab"
)

// idleVar is how long TestIdle looks: 60s for a figure to be quoted.
const idleVar = "PULLCAUSE_IDLE"

// TestIdle compares the processor time of an agent that asks the runtime about 200
// images with that of one that does without, on a node where nothing happens. Both
// must stay below 0.1 % of a core.
func TestIdle(t *testing.T) {
	requireRoot(t)
	look := 10 * time.Second
	if text := os.Getenv(idleVar); text != "" {
		var err error
		look, err = time.ParseDuration(text)
		must(t, err)
	}
	node, err := lab.Start(t.Context(), lab.Options{Containerd: build(t), Restartable: true, Logf: t.Logf})
	must(t, err)
	t.Cleanup(func() { must(t, node.Close()) })
	const images = 200
	for i := range images {
		must(t, node.Pull(t.Context(), fmt.Sprintf("%s/app/idle-%d:1.0", appRegistry, i)))
	}
	with := startAgent(t, logsOf(node), listen(t))
	off := logsOf(node)
	off.config += "\ncri: {socket: off}"
	without := startAgent(t, off, listen(t))
	until(t, 10*time.Second, "the images to be known", func() bool { return len(ask[imageList](t, with, "/debug/images").Images) == images })
	ask[imageList](t, without, "/debug/images")
	time.Sleep(5 * time.Second) // start is over
	calls := total(callsOf(t, with))
	before := [2]time.Duration{busy(t, with), busy(t, without)}
	time.Sleep(look)
	took := [2]time.Duration{busy(t, with) - before[0], busy(t, without) - before[1]}
	made := total(callsOf(t, with)) - calls
	t.Logf("in %s: %s with 200 images, %s without asking; %d calls to the runtime", look, took[0], took[1], made)
	if made > 1 { // the image filesystem, for the answer of /debug/node itself
		t.Errorf("%d calls to the runtime while nothing happened", made)
	}
	if limit := look / 1000; took[0] > limit {
		t.Errorf("%s of processor time in %s, want at most %s", took[0], look, limit)
	}
	quiet(t, node, with, look)
}

// quiet writes lines that tell of no pull, as every node does, and counts what the agent
// writes meanwhile.
func quiet(t *testing.T, node *lab.Node, agent *process, look time.Duration) {
	t.Helper()
	log, err := os.OpenFile(node.LogFile, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer log.Close()
	time.Sleep(2 * time.Second) // what the answers before have brought about is over
	before, files := written(t, agent), stateFiles(t, agent)
	for began := time.Now(); time.Since(began) < look; time.Sleep(100 * time.Millisecond) {
		_, err := fmt.Fprintf(log, "time=%q level=info msg=\"container event discarded\" container=0 type=CONTAINER_STOPPED_EVENT\n", time.Now().UTC().Format(time.RFC3339Nano))
		must(t, err)
	}
	after := written(t, agent)
	t.Logf("with 10 lines a second for %s: %d calls of write, %d bytes to storage", look, after[0]-before[0], after[1]-before[1])
	if after[1] != before[1] { // Go wakes its threads by a write
		t.Errorf("%d bytes to storage, want none", after[1]-before[1])
	}
	if diff := cmp.Diff(files, stateFiles(t, agent)); diff != "" {
		t.Errorf("files of the state (-before +after):\n%s", diff)
	}
}

// written are the calls of write that an agent has made, and the bytes that went to
// storage because of it (proc_pid_io(5)).
func written(t *testing.T, p *process) (numbers [2]int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid))
	must(t, err)
	for i, name := range []string{"syscw: ", "\nwrite_bytes: "} {
		_, rest, _ := strings.Cut(string(text), name)
		if _, err := fmt.Sscan(rest, &numbers[i]); err != nil {
			t.Fatal(err)
		}
	}
	return numbers
}

// stateFiles are the files of an agent's state and when each was written.
func stateFiles(t *testing.T, p *process) map[string]time.Time {
	t.Helper()
	files := map[string]time.Time{}
	must(t, filepath.WalkDir(p.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files[path] = info.ModTime()
		}
		return err
	}))
	return files
}

func total(calls map[string]int64) (n int64) {
	for _, count := range calls {
		n += count
	}
	return n
}

// busy is the processor time that an agent has used: the first number of
// /proc/PID/task/*/schedstat, in nanoseconds.
func busy(t *testing.T, p *process) (sum time.Duration) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid)
	tasks, err := os.ReadDir(dir)
	must(t, err)
	for _, task := range tasks {
		text, err := os.ReadFile(dir + "/" + task.Name() + "/schedstat")
		must(t, err)
		var ran int64
		if _, err := fmt.Sscan(string(text), &ran); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ran)
	}
	return sum
}
