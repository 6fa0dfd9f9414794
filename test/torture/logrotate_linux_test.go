package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
)

// The ways in which the logs are rotated.
const (
	rotateCreate     = "create"
	rotateCopy       = "copytruncate"
	rotateCompressed = "copytruncate-compress"
	rotateKubelet    = "kubelet"
)

// logrotateOptions are what stands in the configuration of logrotate; the kubelet renames
// by itself. No file is removed: of one that is, nobody knows what was in it.
var logrotateOptions = map[string]string{
	rotateCreate:     "rotate 1000\ncreate 0600",
	rotateCopy:       "rotate 1000\ncopytruncate",
	rotateCompressed: "rotate 1000\ncopytruncate\ncompress\ndelaycompress",
}

// TestLogrotate has logrotate itself, and renames as the kubelet makes them, rotate four
// logs while the agent is killed with -9 and the receiver has ten moods. Each failed pull
// arrives, or its loss is reported.
func TestLogrotate(t *testing.T) {
	_, seed := settings(t)
	program, err := exec.LookPath("logrotate")
	if err != nil {
		cannot(t, fmt.Errorf("apt-get install logrotate: %w", err))
	}
	rounds := killRounds(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(filepath.Join(state, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	fate, reports := newFate(), &lossReports{counts: map[string]map[string]int64{}}
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: func(r otlptest.Record) { fate.add(r); reports.add(r) }})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	front := newMoody(t, receiver.URL(), rand.New(rand.NewPCG(seed, 7)))
	var logs []*rotatedLog
	for i, way := range []string{rotateCreate, rotateCopy, rotateCompressed, rotateKubelet} {
		l, err := newRotatedLog(filepath.Join(dir, way), way, program, rand.New(rand.NewPCG(seed, uint64(10+i))))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	var files []string
	for _, l := range logs {
		files = append(files, l.path)
	}
	k := &reaper{
		rng: rand.New(rand.NewPCG(seed, 8)), state: state, within: 400,
		cfg: agentproc.Config{
			Binary: binary(t, dir), Dir: dir, Files: files, Endpoint: front.url(), JoinWindow: 50 * time.Millisecond,
			Env: []string{"PULLCAUSE_SOURCES_POLL=50ms", "PULLCAUSE_INCIDENTS_REPORT=all"},
		},
	}
	firstRun(t, k.cfg, logs, fate)
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error { return front.comeAndGo(ctx) })
	for _, l := range logs {
		group.Go(func() error { return l.write(ctx) })
		group.Go(func() error { return l.rotateOften(ctx) })
	}
	for range rounds {
		if err := k.round(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	agent, err := agentproc.Start(k.cfg)
	if err != nil {
		t.Fatal(err)
	}
	waitQuiet(fate)
	if err := errors.Join(agent.Stop(), receiver.Problems()); err != nil {
		t.Error(err)
	}
	t.Logf("%d kills, %d at an operation on files; requests by mood: %v", rounds, k.atFiles, front.times)
	for _, l := range logs {
		l.judge(t, fate, front, reports)
	}
	t.Logf("reported for delivery: %v; rejected alone: %d, called rejected by a partial success: %d", reports.of(""), len(front.rejected), front.partial)
	if left, err := os.ReadDir(filepath.Join(state, "spool")); err != nil || len(left) > 0 {
		t.Errorf("the spool holds %v, %v", left, err)
	}
	if t.Failed() {
		keepLog(t, dir)
	}
}

// killRounds is how often to kill the agent.
func killRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv(roundsEnv)
	if text == "" {
		return shortRounds
	}
	rounds, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", roundsEnv, err)
	}
	return rounds
}

// firstRun has an agent read each log once and store how far it came. Before that it cannot
// know that a log was rotated: at its first start it looks back in the log itself only.
func firstRun(t *testing.T, cfg agentproc.Config, logs []*rotatedLog, fate *fate) {
	t.Helper()
	agent, err := agentproc.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		if err := l.writeOne(-1, 10); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for fate.arrived() < len(logs) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if err := agent.Stop(); err != nil {
		t.Fatal(err)
	}
}

// waitQuiet waits until nothing new has arrived for a while.
func waitQuiet(f *fate) {
	const quiet = 8 * time.Second
	last, since := -1, time.Now()
	for deadline := time.Now().Add(2 * time.Minute); time.Since(since) < quiet && time.Now().Before(deadline); {
		if n := f.arrived(); n != last {
			last, since = n, time.Now()
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// lossReports are the records about lost data, by source and reason.
type lossReports struct {
	mu     sync.Mutex
	counts map[string]map[string]int64
	bodies []string
}

func (l *lossReports) add(r otlptest.Record) {
	if r.Name != export.EventDataLoss {
		return
	}
	source, _ := r.Attributes[export.LossSourceKey].(string) // absent for delivery
	reason, _ := r.Attributes[export.LossReasonKey].(string)
	count, _ := r.Attributes[export.LossCountKey].(int64)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[source] == nil {
		l.counts[source] = map[string]int64{}
	}
	l.counts[source][reason] += max(count, 1)
	l.bodies = append(l.bodies, r.Body)
}

// of are the reports about a source.
func (l *lossReports) of(source string) map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts[source])
}

// written is a failed pull and when its lines were written.
type written struct {
	image      string
	begin, end time.Time
}

// stretch is a span of time.
type stretch struct{ begin, end time.Time }

// rotatedLog is a log, its writer, and what rotates it.
type rotatedLog struct {
	way, path, program, dir string
	rng                     *rand.Rand // of the rotations
	writes                  *rand.Rand // of the writer, which is another goroutine

	mu        sync.Mutex
	file      *os.File
	pulls     []written
	rotations []stretch
}

func newRotatedLog(dir, way, program string, rng *rand.Rand) (*rotatedLog, error) {
	l := &rotatedLog{way: way, dir: dir, path: filepath.Join(dir, "node.log"), program: program, rng: rng, writes: rand.New(rand.NewPCG(rng.Uint64(), 1))}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("%q {\nmissingok\nsize 1\n%s\n}\n", l.path, logrotateOptions[way])
	if err := os.WriteFile(l.configFile(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	err := l.reopen()
	return l, err
}

func (l *rotatedLog) configFile() string { return l.dir + ".conf" }

// reopen is what a writer does upon SIGHUP.
func (l *rotatedLog) reopen() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
	return nil
}

// write writes noise and failed pulls until ctx ends.
func (l *rotatedLog) write(ctx context.Context) error {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(l.writes.ExpFloat64() * float64(150*time.Millisecond))):
		}
		if err := l.writeOne(n, l.writes.IntN(30)); err != nil {
			return err
		}
	}
}

func (l *rotatedLog) writeOne(n, noise int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range noise {
		if _, err := fmt.Fprintf(l.file, "time=%q level=info msg=\"ImageFsInfo request received %d\"\n", time.Now().UTC().Format(time.RFC3339Nano), n); err != nil {
			return err
		}
	}
	begin := time.Now()
	image, err := writeFailureOf(l.file, fmt.Sprintf("%s-%d", l.way, n))
	l.pulls = append(l.pulls, written{image: image, begin: begin, end: time.Now()})
	return err
}

// rotateOften rotates at random moments until ctx ends.
func (l *rotatedLog) rotateOften(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(1100*time.Millisecond + time.Duration(l.rng.ExpFloat64()*float64(1500*time.Millisecond))):
		}
		begin := time.Now()
		rotate := l.logrotate
		if l.way == rotateKubelet {
			rotate = l.kubelet
		}
		if err := rotate(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		l.rotations = append(l.rotations, stretch{begin, time.Now()})
		l.mu.Unlock()
	}
}

// logrotate runs the program once, and then has the writer open the new file, if there is
// one, as a postrotate script does: a moment later.
func (l *rotatedLog) logrotate(ctx context.Context) error {
	out, err := exec.Command(l.program, "--force", "--state", l.dir+".status", l.configFile()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("logrotate: %w: %s", err, out)
	}
	if l.way != rotateCreate {
		return nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(l.rng.IntN(100)) * time.Millisecond):
	}
	return l.reopen()
}

// kubelet rotates as kubelet v1.37 does (pkg/kubelet/logs/container_log_manager.go): it
// compresses what was rotated before, but for the last, renames the log and has the runtime
// open a new one.
func (l *rotatedLog) kubelet(context.Context) error {
	rotated, err := filepath.Glob(l.path + ".2*")
	if err != nil {
		return err
	}
	slices.Sort(rotated)
	var plain []string
	for _, path := range rotated {
		if !strings.HasSuffix(path, ".gz") {
			plain = append(plain, path)
		}
	}
	for _, path := range plain[:max(len(plain)-1, 0)] {
		out, err := exec.Command("gzip", "--suffix=.gz", path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("gzip: %w: %s", err, out)
		}
	}
	if err := os.Rename(l.path, l.path+"."+time.Now().Format("20060102-150405")); err != nil {
		return err
	}
	return l.reopen()
}

// judge says what has become of the pulls of a log.
func (l *rotatedLog) judge(t *testing.T, fate *fate, front *moody, reports *lossReports) {
	t.Helper()
	got := fate.images()
	reported := reports.of("file:" + l.path)
	arrived, rejected, gap := 0, 0, 0
	var lost []string
	for _, p := range l.pulls {
		switch {
		case got[p.image] > 0:
			arrived++
		case front.rejected[p.image]:
			rejected++
		case l.way != rotateCreate && l.way != rotateKubelet && l.during(p):
			gap++ // perhaps between the copy and the truncation, which nobody can see
		default:
			lost = append(lost, fmt.Sprintf("%s at %s", p.image, clock(p.begin)))
		}
	}
	t.Logf("%s: %d rotations; %d failed pulls, %d arrived, %d rejected, %d written while a copy was made, %d lost; reported: %v",
		l.way, len(l.rotations), len(l.pulls), arrived, rejected, gap, len(lost), reported)
	if len(lost) > 0 {
		t.Errorf("%s: lost: %q … %q", l.way, lost[:min(len(lost), 5)], lost[max(len(lost)-5, 0):])
	}
	if gap == 0 && len(reported) > 0 {
		t.Errorf("%s: losses are reported, but no lines were in a place where they may be lost", l.way)
	}
	if bodies := reports.about(l.path); t.Failed() && len(bodies) > 0 {
		t.Logf("%s: reports: %q", l.way, bodies)
	}
}

// during reports whether a pull was written while the log was rotated.
func (l *rotatedLog) during(p written) bool {
	i, _ := slices.BinarySearchFunc(l.rotations, p.begin, func(r stretch, at time.Time) int { return cmp.Compare(r.end.UnixNano(), at.UnixNano()) })
	return i < len(l.rotations) && !l.rotations[i].begin.After(p.end)
}

// about are the bodies of the reports that name a path.
func (l *lossReports) about(path string) (bodies []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bodies {
		if strings.Contains(b, path) {
			bodies = append(bodies, b)
		}
	}
	return bodies
}
