package torture

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/cri/critest"
	"pullcause/test/bench/agentproc"
	"pullcause/test/bench/tally"
)

// victim is the agent that is attacked.
type victim struct {
	t        *testing.T
	attack   attack
	group    *memoryGroup
	cfg      agentproc.Config
	dir      string
	received *tally.Tally
	rng      *rand.Rand

	began           time.Time // of the present life
	written         int       // failed pulls of the attack
	peak, anonymous int64
	lost            map[string]float64 // by reason, over all lives
	logged          int64              // how much of the agents' log has been looked at
}

func newVictim(t *testing.T, a attack, program string, group *memoryGroup) *victim {
	t.Helper()
	dir, err := os.MkdirTemp("", "attack") //nolint:usetesting // the address of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	v := &victim{t: t, attack: a, group: group, dir: dir, received: tally.New(), rng: rand.New(rand.NewPCG(1, 7)), lost: make(map[string]float64)}
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: v.received.Add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := receiver.Problems(); err != nil {
			t.Error(err)
		}
		receiver.Close()
	})
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	v.cfg = agentproc.Config{Binary: program, Dir: dir, Files: v.writeLogs(), Endpoint: receiver.URL(), JoinWindow: joinWindow}
	if group != nil {
		v.cfg.Binary = filepath.Join(dir, "pullcause-in-cgroup")
		if err := group.wrap(program, v.cfg.Binary); err != nil {
			t.Fatal(err)
		}
	}
	if a.runtime != nil {
		socket := filepath.Join(dir, "runtime.sock")
		s, err := critest.Start(socket, *a.runtime)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		v.cfg.Env = append(v.cfg.Env, "PULLCAUSE_CRI_SOCKET="+socket)
	}
	return v
}

// writeLogs writes the logs of the attack and returns their sources.
func (v *victim) writeLogs() (sources []string) {
	v.t.Helper()
	for _, log := range v.attack.logs {
		source, failures, err := log.create(v.dir)
		if err != nil {
			v.t.Fatal(err)
		}
		sources = append(sources, source)
		v.written += failures
	}
	for i := range v.attack.files {
		log := oversizedLog{fmt.Sprint("f", i), "containerd", images(1, oneHost, "403 Forbidden")}
		if i%100 > 0 { // most say nothing
			log.write = func(w *bufio.Writer, _ string) int {
				fmt.Fprintf(w, "time=\"%s\" level=info msg=\"starting containerd\"\n", now().Format(time.RFC3339Nano))
				return 0
			}
		}
		source, failures, err := log.create(v.dir)
		if err != nil {
			v.t.Fatal(err)
		}
		sources = append(sources, source)
		v.written += failures
	}
	return sources
}

// markers are the tags of the ordinary failures of a life.
func (v *victim) markers(life int) (tags []string) {
	for _, log := range v.attack.logs {
		tags = append(tags, fmt.Sprintf("marker-%s-%d", log.name, life))
	}
	return tags
}

// live runs one agent: it is killed at any moment, or once the failure behind the attack
// has arrived; each third and the last one are stopped. It reports whether there may be
// another.
func (v *victim) live(life int, last bool) bool {
	v.t.Helper()
	state := filepath.Join(v.dir, "state")
	if life == 0 && v.attack.first != nil {
		v.attack.first(v.t, state)
	}
	if life == 1 && v.attack.second != nil {
		v.attack.second(v.t, state)
	}
	for i, log := range v.attack.logs {
		if err := log.appendMarker(v.dir, v.markers(life)[i]); err != nil {
			v.t.Fatal(err)
		}
	}
	agent, err := agentproc.Start(v.cfg)
	if err != nil {
		v.t.Fatal(err)
	}
	v.began = time.Now()
	ctx, cancel := context.WithCancel(v.t.Context())
	attacked := make(chan struct{})
	go func() {
		defer close(attacked)
		if v.attack.during != nil {
			v.attack.during(ctx, v.t, agent)
		}
	}()
	arrived := true
	if !last && life%3 == 1 {
		v.sleep(agent, time.Duration(v.rng.IntN(2000))*time.Millisecond)
	} else {
		arrived = v.await(agent, v.markers(life))
	}
	alive := v.look(agent)
	switch {
	case !alive:
		agent.Kill() // to collect it
	case last:
		v.settle(agent)
		if alive = v.look(agent); !alive {
			agent.Kill()
		} else if err := agent.Stop(); err != nil {
			v.t.Error(err)
		}
	case life%3 == 2, life == 0 && v.attack.second != nil: // which needs a state
		if err := agent.Stop(); err != nil {
			v.t.Error(err)
			alive = false
		}
	default:
		agent.Kill()
	}
	cancel()
	<-attacked
	v.readLog()
	return alive && arrived
}

// sleep waits for a while, or until the agent ends, and watches how much memory it takes.
func (v *victim) sleep(agent *agentproc.Process, d time.Duration) {
	const tick = 20 * time.Millisecond
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-time.After(min(tick, time.Until(end))):
		case <-agent.Ended():
			return
		}
		if _, peak, err := agent.Memory(); err == nil {
			v.peak = max(v.peak, peak)
		}
		v.anonymous = max(v.anonymous, anonymous(agent))
	}
}

// anonymous is what an agent takes now that the kernel cannot read again from a file.
func anonymous(agent *agentproc.Process) (bytes int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", agent.PID()))
	if err != nil {
		return 0 // it has ended
	}
	if _, rest, ok := strings.Cut(string(status), "RssAnon:"); ok {
		_, _ = fmt.Sscan(rest, &bytes) // 0 where the kernel does not report it
	}
	return bytes << 10
}

// arriveIn is how long the failure behind an attack may take.
const arriveIn = 90 * time.Second

// await waits for the failures of this life, or the end of the agent. It reports whether
// they arrived.
func (v *victim) await(agent *agentproc.Process, tags []string) bool {
	v.t.Helper()
	missing := func() (missing []string) {
		for _, tag := range tags {
			if _, ok := v.received.Get(tag); !ok {
				missing = append(missing, tag)
			}
		}
		return missing
	}
	for end := v.began.Add(arriveIn); len(missing()) > 0; v.sleep(agent, 50*time.Millisecond) {
		select {
		case <-agent.Ended():
			return false
		default:
		}
		if time.Now().After(end) {
			v.t.Errorf("%v did not arrive within %s", missing(), arriveIn)
			return false
		}
	}
	v.t.Logf("the failures behind the attack arrived after %s", time.Since(v.began).Round(time.Millisecond))
	v.sleep(agent, v.attack.lasts-time.Since(v.began))
	return true
}

// settle waits until all that was written has arrived or is counted as lost, or nothing
// more happens.
func (v *victim) settle(agent *agentproc.Process) {
	quiet, last := time.Now(), -1
	for time.Since(quiet) < 5*time.Second && v.arrived() < v.written {
		if n := v.received.Len(); n != last {
			quiet, last = time.Now(), n
		}
		v.sleep(agent, 100*time.Millisecond)
	}
}

// arrived is how many failed pulls of the attack have.
func (v *victim) arrived() int {
	n := v.received.Len()
	for life := range 1000 {
		found := 0
		for _, tag := range v.markers(life) {
			if _, ok := v.received.Get(tag); ok {
				found++
			}
		}
		n -= found
	}
	return n
}

// look notes what an agent takes and what it has lost, and reports whether it lives.
func (v *victim) look(agent *agentproc.Process) bool {
	v.t.Helper()
	_, peak, err := agent.Memory()
	if v.group != nil {
		if kills, err := v.group.newKills(); err != nil || kills > 0 {
			v.t.Errorf("got %d kills for want of memory, %v", kills, err)
		}
	}
	if err != nil {
		v.t.Errorf("the agent ended by itself: it took %d KiB at most before, %d of them not of a file", v.peak>>10, v.anonymous>>10)
		return false
	}
	v.peak = max(v.peak, peak)
	if v.group == nil && v.anonymous > anonymousLimit {
		v.t.Errorf("resident memory that is not of a file: got %d KiB at its peak, want at most %d", v.anonymous>>10, anonymousLimit>>10)
	}
	for reason, n := range v.losses(agent) {
		v.lost[reason] += n
	}
	return true
}

// losses are those that an agent counts; none if it does not answer, as when many
// connections are open.
func (v *victim) losses(agent *agentproc.Process) map[string]float64 {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://" + agent.Public() + "/metrics")
	if err != nil {
		v.t.Logf("no metrics: %v", err)
		return nil
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Logf("no metrics: %v", err)
		return nil
	}
	lost := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, `pullcause_lost_total{reason="`)
		if !ok {
			continue
		}
		reason, value, _ := strings.Cut(rest, `"} `)
		if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && n > 0 {
			lost[reason] = n
		}
	}
	return lost
}

// readLog looks whether the last agent could use what the one before had stored.
func (v *victim) readLog() {
	text, err := os.ReadFile(filepath.Join(v.dir, "agent.log"))
	if err != nil {
		v.t.Fatal(err)
	}
	for line := range strings.Lines(string(text[v.logged:])) {
		if strings.Contains(line, "panic:") || strings.Contains(line, "stored state cannot be used") && v.attack.first == nil && v.attack.second == nil {
			v.t.Errorf("the agent says: %.500s", line)
		}
	}
	v.logged = int64(len(text))
}

// report tells what has become of the failures that were written.
func (v *victim) report() {
	v.t.Helper()
	var lost float64
	for reason, n := range v.lost {
		switch reason {
		case "runtime_answer", "incident_evicted", "incident_details", "state_full", "pull_duration":
			// No record is missing for these.
		default:
			lost += n
		}
	}
	size := int64(0)
	if info, err := os.Stat(filepath.Join(v.dir, "state", "state.json")); err == nil {
		size = info.Size()
	}
	arrived := v.arrived()
	v.t.Logf("resident at most %d KiB, %d of them not of a file; %d of %d failures arrived, lost: %v; state %d KiB", v.peak>>10, v.anonymous>>10, arrived, v.written, v.lost, size>>10)
	if missing := v.written - arrived; float64(missing) > lost {
		v.t.Errorf("%d failures are missing, %.0f were counted as lost", missing, lost)
	}
	for _, reason := range v.attack.lost {
		if v.lost[reason] == 0 {
			v.t.Errorf("nothing was counted as %s", reason)
		}
	}
	if v.t.Failed() {
		keepLog(v.t, v.dir)
	}
}
