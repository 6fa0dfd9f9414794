package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
)

// shm makes a folder in memory: journald flushes only from there.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal-") //nolint:usetesting // t.TempDir lies elsewhere
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// TestFlush moves the journal from /run to /var while it is read: journald copies
// all entries, with other numbers, and none may be told twice.
func TestFlush(t *testing.T) {
	for _, s := range installations(t) {
		for name, away := range map[string]bool{"reading": false, "away": true} {
			t.Run(fmt.Sprintf("systemd %d, %s", s.Version, name), func(t *testing.T) {
				t.Parallel()
				d := startDaemon(t, journaltest.Options{Systemd: s, Dir: shm(t), Config: "Storage=persistent\n"})
				log := &testLog{daemon: d, writer: newWriter(t, d, "containerd", "containerd.service"), watcher: newWatcher(t)}
				var r logtailtest.Recorder
				log.Write(t, numbered(0, 5)...)
				must(t, d.Sync(t.Context()))
				stop := logtailtest.Start(t, log.Source(t, nil, nil), &r)
				r.Wait(t, 5)
				if away {
					r.Until(t, "progress", func() bool { return r.Position() != nil })
					stop()
				}
				must(t, d.Flush(t.Context()))
				log.Write(t, numbered(5, 5)...)
				if away {
					logtailtest.Start(t, log.Source(t, stored(t, &r), nil), &r)
				}
				if got := r.Wait(t, 10); !slices.Equal(got, numbered(0, 10)) {
					t.Errorf("got %q, want 10 lines, each once", got)
				}
				log.Rotate(t)
				log.Write(t, numbered(10, 1)...)
				if got := r.Wait(t, 11); !slices.Equal(got, numbered(0, 11)) {
					t.Errorf("got %q, want 11 lines, each once", got)
				}
			})
		}
	}
}

// stored is the position as it was reported last.
func stored(t *testing.T, r *logtailtest.Recorder) *logtail.Position {
	t.Helper()
	p := *r.Position()
	p.Generation = 0
	return &p
}

// TestOthersTakeNumbers has a user write, whose entries stand in another file and
// have numbers of the same sequence. They are no gap.
func TestOthersTakeNumbers(t *testing.T) {
	s := host(t)
	d := startDaemon(t, journaltest.Options{Systemd: s, Dir: shm(t), Persistent: true})
	log := &testLog{daemon: d, writer: newWriter(t, d, "containerd", "containerd.service")}
	reachable(t, d.Journal())
	var r logtailtest.Recorder
	log.explain(t, &r)
	logtailtest.Start(t, log.Source(t, nil, nil), &r)
	for i := range 4 {
		log.Write(t, numbered(i, 1)...)
		must(t, d.Sync(t.Context()))
		asUser(t, d, 20)
		log.Rotate(t)
		asUser(t, d, 20)
		log.Write(t, "between")
		r.Wait(t, 2*(i+1))
	}
	if files, err := filepath.Glob(filepath.Join(d.Journal(), "*", "user-*")); len(files) == 0 || err != nil {
		t.Fatalf("there is no file of a user's: this tests nothing (%v)", err)
	}
	if losses := r.Losses(); len(losses) > 0 {
		t.Errorf("got losses %+v, want none: the missing numbers are a user's", losses)
	}
}

// asUser writes n lines as a user.
func asUser(t *testing.T, d *journaltest.Daemon, n int) {
	t.Helper()
	socket := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(d.Journal()))), "run", "systemd", "journal", "dev-log")
	must(t, os.Chmod(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(socket)))), 0o755))
	cmd := exec.CommandContext(t.Context(), "logger", "--socket", socket, "--socket-errors=on", "--tag", "kubelet")
	cmd.Stdin = strings.NewReader(strings.Repeat("E1123 not the kubelet's\n", n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("logger: %v: %s", err, out)
	}
	must(t, d.Sync(t.Context()))
}

// TestWhoseLines writes as everybody who can: lines count if their unit is followed,
// or if root wrote them under a followed name on standard output. What a user or a
// pod with journald's socket sends under such a name does not.
func TestWhoseLines(t *testing.T) {
	d := startDaemon(t, journaltest.Options{Systemd: host(t), Dir: shm(t)})
	for who, line := range map[[2]string]string{
		{"containerd", "containerd.service"}: "of the unit",
		{"kubelet", "system.slice"}:          "of a kubelet that left its unit",
		{"noise", "noise.service"}:           "of nobody we know",
	} {
		_, err := newWriter(t, d, who[0], who[1]).Write([]byte(line + "\n"))
		must(t, err)
	}
	asUser(t, d, 1) // tagged kubelet
	must(t, d.Sync(t.Context()))
	var r logtailtest.Recorder
	src := newSource(t, Config{
		Roots: []string{d.Journal()}, Machine: d.MachineID(), Lookback: -1,
		Follow: []Candidate{containerd, kubelet, kubeletTag},
	})
	f := newFollower(src, &r)
	defer f.stop()
	f.turn(t.Context())
	got := r.Lines()
	slices.Sort(got)
	if want := []string{"of a kubelet that left its unit", "of the unit"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, rec := range r.Records() {
		if want := map[string]string{"of the unit": "containerd"}[string(rec.Body)]; want != "" && rec.Program != want {
			t.Errorf("%q: got program %q, want %q", rec.Body, rec.Program, want)
		}
		if rec.Writer == "" || time.Since(rec.Time) > time.Minute {
			t.Errorf("%q: got writer %q and time %s, want a process and now", rec.Body, rec.Writer, rec.Time)
		}
	}
	found := map[string]bool{}
	for _, c := range src.Candidates() {
		found[c.Kind+" "+c.Name] = c.Found
	}
	want := map[string]bool{"folder " + d.Journal(): true, "unit containerd.service": true, "unit kubelet.service": false, "identifier kubelet": true}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("candidates: got %v, want %v", found, want)
	}
}

// TestSuppressed has a unit write more than journald takes.
func TestSuppressed(t *testing.T) {
	d := startDaemon(t, journaltest.Options{Systemd: host(t), Dir: shm(t), Config: "RateLimitIntervalSec=1s\nRateLimitBurst=50\n"})
	log := &testLog{daemon: d, writer: newWriter(t, d, "containerd", "containerd.service")}
	noise := newWriter(t, d, "noise", "noise.service")
	const n = 20_000
	burst := strings.Repeat("x\n", n)
	var r logtailtest.Recorder
	logtailtest.Start(t, log.Source(t, nil, nil), &r)
	for _, w := range []*journaltest.Writer{log.writer, noise} {
		_, err := w.Write([]byte(burst))
		must(t, err)
	}
	// journald tells when it takes a line of the unit again.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for r.Loss(logtail.LostSuppressed).Count == 0 && ctx.Err() == nil {
		<-again.C
		log.Write(t, "and on")
		_, err := noise.Write([]byte("and on\n"))
		must(t, err)
	}
	must(t, d.Sync(t.Context()))
	losses := r.Losses()
	if len(losses) == 0 || losses[0].Unit != "containerd.service" {
		t.Fatalf("got losses %+v, want lines of containerd.service", losses)
	}
	if got := losses[0].Count; got < n/2 || got > n {
		t.Errorf("got %d lines suppressed, want nearly %d", got, n)
	}
	for _, l := range losses {
		if l.Unit != "containerd.service" {
			t.Errorf("got %+v of a unit that is not followed", l)
		}
	}
}

// TestUnitLines has systemd write about a unit: the line counts, with systemd as its
// program, but not if another process says the same.
func TestUnitLines(t *testing.T) {
	s := host(t)
	entry := func(pid, message string) journaltest.Entry {
		e := journaltest.Entry{Realtime: 1_700_000_000_000_000, Monotonic: 1, BootID: strings.Repeat("1", 32)}
		for _, f := range [][2]string{
			{"MESSAGE", message},
			{"_PID", pid},
			{"UNIT", "kubelet.service"},
			{"_SYSTEMD_UNIT", "init.scope"},
			{"_UID", "0"},
			{"_TRANSPORT", "journal"},
			{"SYSLOG_IDENTIFIER", "systemd"},
		} {
			e.Fields = append(e.Fields, journaltest.Field{Name: f[0], Value: []byte(f[1])})
		}
		return e
	}
	dir := t.TempDir()
	const killed = "kubelet.service: Main process exited, code=killed, status=9/KILL" // systemd 252
	must(t, s.Write(t.Context(), filepath.Join(dir, "x.journal"), journaltest.Format{Compact: true, Keyed: true, Compression: "zstd"},
		[]journaltest.Entry{entry("1", killed), entry("77", "kubelet.service: I am PID 1, believe me")}))
	var r logtailtest.Recorder
	must(t, Read(t.Context(), Config{Roots: []string{dir}, Follow: []Candidate{kubelet}}, &r))
	if got := r.Records(); len(got) != 1 || string(got[0].Body) != killed || got[0].Program != systemd {
		t.Errorf("got %+v, want %q of %s", got, killed, systemd)
	}
}

// TestBrokenLines has journald break a line that is longer than its LineMax: its
// pieces say so.
func TestBrokenLines(t *testing.T) {
	log := newTestLog(t, host(t), nil, "LineMax=1K\n")
	long := strings.Repeat("0123456789abcdef", 200)
	log.Write(t, long, "short")
	var r logtailtest.Recorder
	logtailtest.Start(t, log.Source(t, nil, nil), &r)
	r.Until(t, "the short line", func() bool { return contains(r.Lines(), "short") })
	joined := ""
	for _, rec := range r.Records() {
		joined += string(rec.Body)
		if !rec.Broken {
			joined += "\n"
		}
	}
	if joined != long+"\nshort\n" {
		t.Errorf("got %q, want the long line and the short one", joined)
	}
}

// TestContainerOutput has dockerd write what a container prints to the journal: the
// entry is of dockerd's unit, and anybody's text.
func TestContainerOutput(t *testing.T) {
	entry := func(message string, more ...journaltest.Field) journaltest.Entry {
		e := journaltest.Entry{Realtime: 1_700_000_000_000_000, Monotonic: 1, BootID: strings.Repeat("1", 32)}
		for _, f := range [][2]string{{"MESSAGE", message}, {"_PID", "7"}, {"_SYSTEMD_UNIT", "docker.service"}, {"_UID", "0"}} {
			e.Fields = append(e.Fields, journaltest.Field{Name: f[0], Value: []byte(f[1])})
		}
		e.Fields = append(e.Fields, more...)
		return e
	}
	dir := t.TempDir()
	must(t, host(t).Write(t.Context(), filepath.Join(dir, "x.journal"), journaltest.Format{Keyed: true, Compression: "zstd"}, []journaltest.Entry{
		entry("dockerd's own"),
		entry("a container's", journaltest.Field{Name: "CONTAINER_ID", Value: []byte("0123456789ab")}),
	}))
	var r logtailtest.Recorder
	must(t, Read(t.Context(), Config{Roots: []string{dir}, Follow: Known()}, &r))
	if got := r.Lines(); !slices.Equal(got, []string{"dockerd's own"}) {
		t.Errorf("got %q, want dockerd's own line alone", got)
	}
}
