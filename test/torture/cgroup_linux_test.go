package torture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memoryGroup is a memory cgroup that holds one agent at a time.
type memoryGroup struct {
	folder string
	v2     bool
	kills  int // that newKills has returned
}

// newMemoryGroup makes one with a limit in bytes; nil if none can be made, which the
// test's log says.
func newMemoryGroup(t *testing.T, limit int64) *memoryGroup {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("no memory cgroup: it takes root; judging by RssAnon")
		return nil
	}
	g := &memoryGroup{folder: fmt.Sprintf("/sys/fs/cgroup/memory/pullcause-test-%d", os.Getpid())}
	files := map[string]string{"memory.limit_in_bytes": strconv.FormatInt(limit, 10)}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		g.folder, g.v2 = fmt.Sprintf("/sys/fs/cgroup/pullcause-test-%d", os.Getpid()), true
		files = map[string]string{"memory.max": strconv.FormatInt(limit, 10), "memory.swap.max": "0"}
		// It fails where it is on already, or this is no root of a hierarchy; memory.max tells.
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0o644)
	}
	err := os.Mkdir(g.folder, 0o755)
	for name, value := range files {
		if err != nil {
			break
		}
		err = os.WriteFile(filepath.Join(g.folder, name), []byte(value), 0o644)
		if name == "memory.swap.max" && errors.Is(err, fs.ErrNotExist) {
			err = nil // a kernel without swap accounting
		}
	}
	if err != nil {
		_ = os.Remove(g.folder) // it may not be there
		t.Logf("no memory cgroup: %v; judging by RssAnon", err)
		return nil
	}
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			err := os.Remove(g.folder)
			if err == nil || time.Now().After(end) {
				if err != nil {
					t.Errorf("remove cgroup: %v", err)
				}
				return
			}
		}
	})
	return g
}

// wrap writes a program that runs another one in the group.
func (g *memoryGroup) wrap(binary, wrapper string) error {
	script := fmt.Sprintf("#!/bin/sh\necho $$ > %s/cgroup.procs || exit 125\nexec %s \"$@\"\n", g.folder, binary)
	return os.WriteFile(wrapper, []byte(script), 0o700)
}

// newKills is how many processes of the group the kernel has ended for want of memory
// since it was asked last.
func (g *memoryGroup) newKills() (int, error) {
	all, err := g.allKills()
	n := all - g.kills
	g.kills = all
	return n, err
}

// allKills is how many there were ever.
func (g *memoryGroup) allKills() (int, error) {
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(g.folder, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s/%s tells no oom_kill", g.folder, file)
}
