package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
	"pullcause/test/bench/tally"
)

// What the environment may set.
const (
	// lengthEnv is how long to torture: 60s.
	lengthEnv = "PULLCAUSE_TORTURE"
	// seedEnv repeats the choices of an earlier run, though not its moments.
	seedEnv = "PULLCAUSE_TORTURE_SEED"
	// binaryEnv is an agent that is built already.
	binaryEnv = "PULLCAUSE_BINARY"
)

const (
	shortLength = 6 * time.Second
	joinWindow  = 300 * time.Millisecond
)

func TestTorture(t *testing.T) {
	length, seed := settings(t)
	torture(t, length, seed)
}

// settings is for how long to torture, and the seed of all choices.
func settings(t *testing.T) (length time.Duration, seed uint64) {
	t.Helper()
	if testing.Short() {
		t.Skip("writes hundreds of megabytes; run without -short")
	}
	length, seed = shortLength, uint64(time.Now().UnixNano())
	if text := os.Getenv(lengthEnv); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", lengthEnv, err)
		}
	}
	if text := os.Getenv(seedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
	}
	t.Logf("%s=%d %s=%s", seedEnv, seed, lengthEnv, length)
	return length, seed
}

func torture(t *testing.T, length time.Duration, seed uint64) {
	dir := t.TempDir()
	received := tally.New()
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: received.Add})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(filepath.Join(dir, "log", "node.log"), seed)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{rng: rand.New(rand.NewPCG(seed, 2)), cfg: agentproc.Config{
		Binary: binary(t, dir), Dir: dir, File: w.files.path, Endpoint: receiver.URL(), JoinWindow: joinWindow,
		Env: []string{"PULLCAUSE_LOG_LEVEL=debug"},
	}}
	run(t, w, k, length)
	v := settle(t, w, k, received)
	report(t, w, k, v)
	if err := errors.Join(k.agent.Stop(), receiver.Problems()); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		keepLog(t, dir)
	}
}

// run lets the writer and the keeper work at the same time.
func run(t *testing.T, w *writer, k *keeper, length time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- k.run(ctx) }()
	writeErr := w.run(t.Context(), length)
	cancel()
	if err := errors.Join(writeErr, <-kept); err != nil {
		t.Fatal(err)
	}
}

// verdict is what has become of each pull.
type verdict struct {
	tally.Check
	// owed must arrive; gap were lost between copy and truncation, removed with a
	// file that no agent had the time to read.
	owed, gap, removed int
	lost               []string
	// split came under several uids; parted did so too, but after a restart only
	// a part of their lines was left to read.
	split  []string
	parted int
}

// settle waits until what is owed has arrived, or nothing more arrives.
func settle(t *testing.T, w *writer, k *keeper, received *tally.Tally) (v verdict) {
	await(t, received, func() bool {
		v = judge(w, k, received)
		return len(v.lost) == 0
	})
	return v
}

// await waits until it is done, or nothing more arrives.
func await(t *testing.T, received *tally.Tally, done func() bool) {
	const patience = 10 * time.Second
	quiet, last := time.Now(), -1
	for !done() && time.Since(quiet) <= patience {
		if n := received.Len(); n != last {
			quiet, last = time.Now(), n
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = received.Wait(ctx, last+1) // time is up, or there is one more: look again
		cancel()
	}
}

func judge(w *writer, k *keeper, received *tally.Tally) (v verdict) {
	causes := make(map[string]string)
	for tag, p := range w.pulls {
		if !p.whole {
			continue
		}
		switch {
		case slices.ContainsFunc(p.marks, func(m mark) bool { return m.lost }):
			v.gap++
		case slices.ContainsFunc(p.marks, func(m mark) bool { return !m.in.gone.IsZero() && !k.witnessed(m) }):
			v.removed++
		default:
			v.owed++
			causes[tag] = p.cause
			if _, ok := received.Get(tag); !ok {
				v.lost = append(v.lost, tag)
			}
		}
	}
	for tag, p := range w.pulls {
		a, ok := received.Get(tag)
		if ok && causes[tag] == "" {
			causes[tag] = a.Cause // of the others some arrive, and some of these in part
		}
		switch {
		case len(a.UIDs) < 2:
		case k.parted(p):
			v.parted++
		default:
			v.split = append(v.split, tag)
		}
	}
	v.Check = received.Check(causes)
	return v
}

func report(t *testing.T, w *writer, k *keeper, v verdict) {
	t.Logf("%d lines, %d failed pulls, %d agents killed, rotations: %v", w.lines, len(w.pulls), len(k.lives)-1, w.files.counts)
	t.Logf("owed %d, all but %d arrived; excused: %d between copy and truncation, %d in removed files; %d of all arrived",
		v.owed, len(v.lost), v.gap, v.removed, v.Arrived)
	t.Logf("%d duplicates with the same uid; %d pulls under several, %d of them because a part of their lines was removed", v.Twice, v.Split, v.parted)
	for _, tag := range v.split {
		t.Errorf("%s came under several uids: %s", tag, story(w, k, tag))
	}
	if v.False+v.Misjudged > 0 {
		t.Errorf("%d records of no failure, %d with another cause: %q", v.False, v.Misjudged, v.Samples)
	}
	for _, tag := range v.lost[:min(len(v.lost), 10)] {
		t.Errorf("%s never arrived: %s", tag, story(w, k, tag))
	}
}

// story tells where a pull was written and what the agents did then.
func story(w *writer, k *keeper, tag string) string {
	p := w.pulls[tag]
	text := p.cause
	for _, m := range p.marks {
		text += fmt.Sprintf("\n  written %s to the file of %s", clock(m.at), clock(m.in.opened))
		if !m.in.gone.IsZero() {
			text += ", gone " + clock(m.in.gone)
		}
	}
	first, last := p.marks[0].at, p.marks[len(p.marks)-1].at
	for _, l := range k.lives {
		if (l.end.IsZero() || l.end.After(first.Add(-time.Second))) && l.begin.Before(last.Add(3*time.Second)) {
			text += fmt.Sprintf("\n  agent from %s to %s", clock(l.begin), clock(l.end))
		}
	}
	return text
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "the end"
	}
	return t.UTC().Format("15:04:05.000")
}

// binary builds the agent unless the environment names one.
func binary(t *testing.T, dir string) string {
	if path := os.Getenv(binaryEnv); path != "" {
		return path
	}
	path := filepath.Join(dir, "pullcause")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "pullcause/cmd/pullcause").CombinedOutput()
	if err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	return path
}

// keepLog shows the end of what the agents logged.
func keepLog(t *testing.T, dir string) {
	log, err := os.ReadFile(filepath.Join(dir, "agent.log"))
	if err != nil {
		t.Log(err)
		return
	}
	const most = 1 << 20
	t.Logf("the agents' log ends:\n%s", log[max(len(log)-most, 0):])
}
