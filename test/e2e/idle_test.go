//go:build linux

package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

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
