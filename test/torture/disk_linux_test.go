package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
)

// station is an agent whose state is on a small disk of its own, and a receiver with
// moods.
type station struct {
	t     *testing.T
	cfg   agentproc.Config
	front *front
	fate  *fate
	log   *os.File
	n     int // failed pulls written
	agent *agentproc.Process
}

func newStation(t *testing.T, size string) *station {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("cannot run, and on CI it must: needs root to mount a small file system")
		}
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(state, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := &station{t: t, fate: newFate()}
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: s.fate.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(receiver.Close)
	s.front = newFront(t, receiver.URL(), rand.New(rand.NewPCG(1, 1)))
	s.cfg = agentproc.Config{
		Binary: binary(t, dir), Dir: dir, File: filepath.Join(dir, "node.log"), Endpoint: s.front.url, JoinWindow: 10 * time.Millisecond,
		Env: []string{"PULLCAUSE_SOURCES_POLL=50ms", "PULLCAUSE_DELIVERY_SPOOL_BYTES=4MiB"},
	}
	if s.log, err = os.OpenFile(s.cfg.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	t.Cleanup(func() {
		if s.agent != nil {
			s.agent.Kill()
		}
		if t.Failed() {
			keepLog(t, dir)
		}
	})
	return s
}

// remount changes the file system of the state.
// resize gives the disk of the state another size.
func (s *station) resize(size string) {
	s.t.Helper()
	if err := unix.Mount("tmpfs", filepath.Join(s.cfg.Dir, "state"), "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
		s.t.Fatalf("remount: %v", err)
	}
}

// coverReadOnly mounts a read-only disk over that of the state until uncover is called. The
// kernel does not make a disk read-only while a file on it is open for writing, as the
// journal of the state is.
func (s *station) coverReadOnly() (uncover func()) {
	s.t.Helper()
	state := filepath.Join(s.cfg.Dir, "state")
	if err := unix.Mount("tmpfs", state, "tmpfs", unix.MS_RDONLY, ""); err != nil {
		s.t.Fatalf("mount: %v", err)
	}
	return func() {
		s.t.Helper()
		if err := unix.Unmount(state, unix.MNT_DETACH); err != nil {
			s.t.Fatalf("umount: %v", err)
		}
	}
}

func (s *station) start() {
	s.t.Helper()
	var err error
	if s.agent, err = agentproc.Start(s.cfg); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := s.agent.Ready(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// fail writes failed pulls.
func (s *station) fail(count int) {
	s.t.Helper()
	for range count {
		if err := writeFailure(s.log, s.n); err != nil {
			s.t.Fatal(err)
		}
		s.n++
	}
}

// metric is the value of a series of the agent.
func (s *station) metric(series string) (value float64) {
	s.t.Helper()
	r, err := http.Get("http://" + s.agent.Public() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n"+series+" ")
	if _, err := fmt.Sscan(rest, &value); !ok || err != nil {
		s.t.Fatalf("no series %s", series)
	}
	return value
}

// arrive waits until a number of pulls has arrived.
func (s *station) arrive(want int) {
	s.t.Helper()
	waitFor(func() bool { return s.fate.arrived() >= want })
	if got := s.fate.arrived(); got != want {
		s.t.Errorf("%d of %d arrived", got, want)
	}
}

func (s *station) until(what string, is func() bool) {
	s.t.Helper()
	waitFor(is)
	if !is() {
		s.t.Fatalf("waited in vain for: %s", what)
	}
}

// TestDiskFull fills the disk of the state while the receiver is away, and makes it
// read-only: records wait in memory until the disk is well, without a restart.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; run without -short")
	}
	s := newStation(t, "128k")
	s.front.mode.Store(modeUnavailable)
	s.start()
	s.fail(200) // 500 KiB of records
	s.until("the disk to be full", func() bool {
		return strings.Contains(logOf(s), "no space left on device")
	})
	uncover := s.coverReadOnly()
	s.fail(50)
	time.Sleep(2 * time.Second)
	uncover()
	s.resize("16m")
	s.until("records to be stored again", func() bool { return strings.Contains(logOf(s), "stored again") })
	s.fail(50)
	s.until("all of them on disk", func() bool { return s.metric("pullcause_spool_bytes") > 300*1000 })
	s.front.mode.Store(modeWell)
	s.arrive(s.n)
	if err := s.agent.Stop(); err != nil {
		t.Error(err)
	}
	s.agent = nil
	if s.fate.twice() > 0 {
		t.Errorf("%d came more than once", s.fate.twice())
	}
}

// TestDamagedSpool flips bits of the spool while no agent runs: what is left arrives, the
// rest is counted, and the agent starts. What the log has still may come again.
func TestDamagedSpool(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; run without -short")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStation(t, "16m")
			s.front.mode.Store(modeUnavailable)
			s.start()
			s.fail(300)
			s.until("all of them on disk", func() bool { return s.spooled() == 300 })
			time.Sleep(3 * time.Second) // the positions behind them as well
			s.agent.Kill()
			damage(t, filepath.Join(s.cfg.Dir, "state", "spool"), rand.New(rand.NewPCG(seed, 9)))
			s.front.mode.Store(modeWell)
			s.start()
			s.until("the spool to be empty", func() bool { return s.spooled() == 0 })
			lost := s.metric(`pullcause_lost_total{reason="spool_corrupt"}`)
			t.Logf("%d of %d arrived, %.0f were counted as lost", s.fate.arrived(), s.n, lost)
			if lost == 0 {
				t.Error("nothing was counted as lost")
			}
			if s.fate.arrived()+int(lost) < s.n {
				t.Errorf("%d are missing without being counted", s.n-s.fate.arrived()-int(lost))
			}
			s.fail(10)
			s.until("new ones", func() bool { return s.fate.arrived()+int(lost) >= s.n })
			if err := s.agent.Stop(); err != nil {
				t.Error(err)
			}
			s.agent = nil
		})
	}
}

// TestDamagedState cuts and flips bits of the stored positions and incidents, and of their
// copy from before: the agent starts, says so, and what the log has still arrives.
func TestDamagedState(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; run without -short")
	}
	damages := map[string]func([]byte) []byte{
		"cut":      func(text []byte) []byte { return text[:len(text)/2] },
		"empty":    func([]byte) []byte { return nil },
		"zeros":    func(text []byte) []byte { return make([]byte, len(text)) },
		"bit flip": func(text []byte) []byte { text[0] ^= 4; return text },
	}
	for name, change := range damages {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, "16m")
			s.start()
			s.fail(50)
			s.arrive(50)
			time.Sleep(3 * time.Second) // it is stored, twice
			s.agent.Kill()
			for _, file := range []string{"state.json", "state.json.bak", "state.journal", "images.json"} {
				path := filepath.Join(s.cfg.Dir, "state", file)
				text, err := os.ReadFile(path)
				if errors.Is(err, os.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, change(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.start()
			s.fail(10)
			s.arrive(60)
			if s.fate.split() > 0 {
				t.Errorf("%d came under several uids", s.fate.split())
			}
			if !strings.Contains(logOf(s), "the stored state cannot be used") {
				t.Error("the log does not tell of it")
			}
			if err := s.agent.Stop(); err != nil {
				t.Error(err)
			}
			s.agent = nil
		})
	}
}

// spooled is how many records are on disk.
func (s *station) spooled() int {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.cfg.Dir, "state", "spool", "*.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
		n += strings.Count(string(text), "\n")
	}
	return n
}

// damage flips bits in each file of a folder.
func damage(t *testing.T, folder string, r *rand.Rand) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			text[r.IntN(len(text))] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func logOf(s *station) string {
	text, err := os.ReadFile(filepath.Join(s.cfg.Dir, "agent.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
