package torture

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/cri/critest"
	"pullcause/test/bench/agentproc"
)

const (
	// attackLivesEnv is how many lives an agent has in each of all attacks: 10. Without it
	// some attacks are made, of two lives each.
	attackLivesEnv = "PULLCAUSE_TORTURE_ATTACKS"
	// attackOnlyEnv names the attacks to make, separated by commas.
	attackOnlyEnv = "PULLCAUSE_TORTURE_ONLY"
	// memoryLimit is what the agent may take, however it is attacked.
	memoryLimit = 64 << 20
	// anonymousLimit stands for it where no cgroup can be made, and so no kernel takes back
	// the pages of the program itself: it leaves 12 MiB for those that are in use.
	anonymousLimit = 52 << 20
)

// attack makes the agent read, hold or answer more than any node does.
type attack struct {
	name string
	// logs are written before the first life. To each the lines of an ordinary failure are
	// added in each life.
	logs []oversizedLog
	// files is how many further logs there are.
	files int
	// before prepares the state folder before the first life, or before the second, where
	// the first has left something there.
	first, second func(t *testing.T, state string)
	// lost are the reasons for which something must be counted in the metrics.
	lost []string
	// during attacks the running agent until ctx ends. An agent lives for at least lasts.
	during func(ctx context.Context, t *testing.T, agent *agentproc.Process)
	lasts  time.Duration
	// runtime, if set, is what the container runtime answers.
	runtime *critest.Config
	short   bool // made in ordinary runs, too
}

func attacks() []attack {
	var all []attack
	logs := oversizedLogs()
	for _, log := range logs {
		all = append(all, attack{name: log.name, logs: []oversizedLog{log}, short: log.name == "messages" || log.name == "pods"})
	}
	named := func(name string) []oversizedLog {
		i := slices.IndexFunc(logs, func(l oversizedLog) bool { return l.name == name })
		return logs[i : i+1]
	}
	few := []oversizedLog{{"few", "containerd", images(50, oneHost, "403 Forbidden: "+prose(10<<10))}}
	all = append(
		all,
		attack{name: "files", logs: few, files: 5000},
		attack{name: "large-state", logs: few, second: inflateState},
		attack{name: "connections", logs: few, during: idleConnections, lasts: 4 * time.Second, short: true},
		attack{name: "slow-readers", logs: named("incidents"), during: readIncidentsSlowly, lasts: 10 * time.Second},
		attack{name: "fifo", logs: few, first: makeFIFO, short: true},
		attack{name: "runtime", logs: few, runtime: lyingRuntime(), lost: []string{"runtime_answer"}, lasts: 4 * time.Second, short: true},
	)
	return append(all, attack{
		name: "together", logs: append(few, logs...), files: 5000, second: inflateState, runtime: lyingRuntime(), lasts: 10 * time.Second,
		during: func(ctx context.Context, t *testing.T, agent *agentproc.Process) {
			done := make(chan struct{})
			go func() { defer close(done); idleConnections(ctx, t, agent) }()
			readIncidentsSlowly(ctx, t, agent)
			<-done
		},
	})
}

// TestSizeAttacks attacks agents by size, each in a memory cgroup of 64 MiB, through
// several lives on the same state. None may be ended by the kernel; the ordinary failure
// behind the attack arrives; what does not arrive is counted.
func TestSizeAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("writes hundreds of megabytes; run without -short")
	}
	lives, long := 2, false
	if text := os.Getenv(attackLivesEnv); text != "" {
		var err error
		if lives, err = strconv.Atoi(text); err != nil || lives < 1 {
			t.Fatalf("%s=%q: want a number of lives, such as 10", attackLivesEnv, text)
		}
		long = true
	}
	var only []string
	if text := os.Getenv(attackOnlyEnv); text != "" {
		only = strings.Split(text, ",")
	}
	group := newMemoryGroup(t, memoryLimit)
	program := binary(t, t.TempDir())
	for _, a := range attacks() {
		if !long && !a.short && len(only) == 0 || len(only) > 0 && !slices.Contains(only, a.name) {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			v := newVictim(t, a, program, group)
			for life := range lives {
				if !v.live(life, life == lives-1) {
					break
				}
			}
			v.report()
		})
	}
}
