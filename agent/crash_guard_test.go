//go:build unix

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/logtail"
)

// fatal is in the record that ends the agent.
const fatal = "the-end-of-the-agent"

// deniedPull is containerd's line about a failed pull with an error of some length.
func deniedPull(image string, errorSize int) string {
	text := "403 Forbidden: " + strings.Repeat("denied, and at length; ", errorSize/23)
	return fmt.Sprintf("time=%q level=error msg=\"PullImage \\\"%[2]s\\\" failed\" error=\"failed to pull and unpack image \\\"%[2]s\\\": unexpected status from HEAD request to https://r.example.com/v2/x/manifests/1: %[3]s\"\n",
		time.Now().UTC().Format(time.RFC3339Nano), image, text)
}

// crashConfig is that of an agent which reads one log.
func crashConfig(dir, receiver string) Config {
	cfg := Default()
	cfg.Sources.Auto = false
	cfg.CRI.Socket = "off"
	cfg.Sources.Lookback = Lookback{All: true}
	cfg.Sources.Files = []SourceFile{{Program: "containerd", Path: filepath.Join(dir, "containerd.log")}}
	cfg.Sources.Poll = Duration(20 * time.Millisecond)
	cfg.Pulls.JoinWindow = Duration(50 * time.Millisecond)
	cfg.Delivery.StateDir = filepath.Join(dir, "state")
	cfg.OTLP.Logs.Endpoint = receiver
	cfg.Server.Listen, cfg.Server.Debug.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Resource.NodeName = "node-a"
	return cfg
}

// TestCrashingAgent is an agent in a process of its own, which a record kills with -9.
func TestCrashingAgent(t *testing.T) {
	dir, dies := os.Getenv("PULLCAUSE_TEST_CRASH_DIR"), os.Getenv("PULLCAUSE_TEST_CRASH_DIES")
	if dir == "" {
		t.Skip("it is started by TestNoInputStopsTheAgentTwice")
	}
	a, err := New(t.Context(), crashConfig(dir, os.Getenv("PULLCAUSE_TEST_CRASH_RECEIVER")), Deps{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	a.before = func(rec logtail.Record) {
		if bytes.Contains(rec.Body, []byte(fatal)) && (dies == "always" || len(rec.Body) > maxUnguarded) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A long record kills the agent while it is read. The next run reads only its beginning; if
// that kills it too, the one after skips the record. What stands behind it is reported, and
// what was not read is counted.
func TestNoInputStopsTheAgentTwice(t *testing.T) {
	for _, c := range []struct {
		dies   string // on what
		lives  int    // that it ends
		report string
	}{
		{"if it reads all of it", 1, "only its first 8192 bytes are read now"},
		{"always", 2, "it is skipped"},
	} {
		t.Run(c.dies, func(t *testing.T) {
			t.Parallel()
			receiver, err := otlptest.ListenHTTP(otlptest.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer receiver.Close()
			dir := t.TempDir()
			log := deniedPull("r.example.com/before:1", 20<<10) + deniedPull("r.example.com/"+fatal+":1", 40<<10) + deniedPull("r.example.com/behind:1", 100)
			if err := os.WriteFile(filepath.Join(dir, "containerd.log"), []byte(log), 0o600); err != nil {
				t.Fatal(err)
			}
			for life := range c.lives {
				if err := crashingAgent(t, dir, receiver.URL(), c.dies).Wait(); !killed(err) {
					t.Fatalf("life %d: got %v, want it to be killed", life+1, err)
				}
			}
			last := crashingAgent(t, dir, receiver.URL(), c.dies)
			reported := func(of string, what func(otlptest.Record) bool) { t.Helper(); await(t, receiver, of, what) }
			for _, image := range []string{"before", "behind"} {
				reported(image, func(r otlptest.Record) bool { return r.Attributes[export.ImageRefKey] == "r.example.com/"+image+":1" })
			}
			reported("the loss", func(r otlptest.Record) bool {
				return r.Name == export.EventDataLoss && r.Attributes[export.LossReasonKey] == logtail.LostSkipped && strings.Contains(r.Body, c.report)
			})
			// Once its position is stored the record is not suspected any more.
			note := filepath.Join(dir, "state", guardFile)
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				text, err := os.ReadFile(note)
				if first, _, _ := strings.Cut(string(text), "\n"); err == nil && first == `{"version":1}` {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the note still says %.300s", text)
				}
			}
			kill(t, last)
			kill(t, crashingAgent(t, dir, receiver.URL(), c.dies))
		})
	}
}

// await waits for a record.
func await(t *testing.T, receiver *otlptest.Receiver, of string, what func(otlptest.Record) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n := 1; ; n++ {
		records, err := receiver.Wait(ctx, n)
		if err != nil {
			t.Fatalf("no record of %s: %v", of, err)
		}
		if slices.ContainsFunc(records, what) {
			return
		}
		n = max(n, len(records))
	}
}

func crashingAgent(t *testing.T, dir, receiver, dies string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashingAgent$")
	cmd.Env = append(os.Environ(), "PULLCAUSE_TEST_CRASH_DIR="+dir, "PULLCAUSE_TEST_CRASH_RECEIVER="+receiver, "PULLCAUSE_TEST_CRASH_DIES="+dies)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// kill ends an agent that must be alive after a moment.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("the agent is gone: %v", err)
	}
	if err := cmd.Wait(); killed(err) {
		t.Error("the agent was killed once more")
	}
}

// A record that makes detection panic is skipped and counted, and the next one is read.
func TestFaultsInDetection(t *testing.T) {
	receiver, err := otlptest.ListenHTTP(otlptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	dir := t.TempDir()
	log := deniedPull("r.example.com/"+fatal+":1", 100) + deniedPull("r.example.com/"+fatal+":2", 40<<10) + deniedPull("r.example.com/behind:1", 100)
	if err := os.WriteFile(filepath.Join(dir, "containerd.log"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a, err := New(t.Context(), crashConfig(dir, receiver.URL()), Deps{Logger: slog.New(slog.NewTextHandler(&out, nil)), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	a.before = func(rec logtail.Record) {
		if bytes.Contains(rec.Body, []byte(fatal)) {
			panic("index out of range, password=hunter2hunter2")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	await(t, receiver, "what is behind", func(r otlptest.Record) bool {
		return r.Attributes[export.ImageRefKey] == "r.example.com/behind:1"
	})
	await(t, receiver, "the loss", func(r otlptest.Record) bool {
		return r.Name == export.EventDataLoss && r.Attributes[export.LossReasonKey] == logtail.LostSkipped
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	text := out.String()
	if n := strings.Count(text, "a record made the agent fail and is skipped"); n != 1 {
		t.Errorf("the log tells it %d times, want once a minute:\n%s", n, text)
	}
	if strings.Contains(text, "hunter2") {
		t.Error("the log holds a credential")
	}
}

// Whatever the note of an earlier run holds, the agent starts.
func TestCrashGuardReadsWhatIsThere(t *testing.T) {
	at := logtail.Position{Source: "file:/x", Stream: "s", Offset: 5}
	reading := `{"version":1,"reading":{"source":"file:/x","stream":"s","offset":5}`
	for name, c := range map[string]struct {
		text string
		ends int
	}{
		"nothing":          {"", 0},
		"a clean end":      {`{"version":1}` + "\n", 0},
		"one crash":        {reading + "}\n", 1},
		"left of a longer": {reading + "}\n\"offset\":17}]}\n", 1},
		"a second crash":   {reading + `,"suspects":[{"source":"file:/x","stream":"s","offset":5,"ends":1}]}` + "\n", 2},
		"another record":   {reading + `,"suspects":[{"source":"file:/x","stream":"s","offset":6,"ends":1}]}` + "\n", 1},
		"zeros":            {string(make([]byte, 100)), 0},
		"cut":              {reading, 0},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, guardFile), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		g := openCrashGuard(dir, slog.New(slog.DiscardHandler))
		if got := g.ends(at); got != c.ends {
			t.Errorf("%s: %d runs have ended there, want %d", name, got, c.ends)
		}
		g.read(at, func() {})
		g.stored(map[string]logtail.Position{"file:/x": {Stream: "s", Offset: 6}})
		if got := g.ends(at); got != 0 {
			t.Errorf("%s: %d runs after the position was stored behind it, want 0", name, got)
		}
		if err := g.close(); err != nil {
			t.Error(err)
		}
		// What is suspected stays so until then, however often the agent starts.
		if g = openCrashGuard(dir, slog.New(slog.DiscardHandler)); g.ends(at) != 0 {
			t.Errorf("%s: it is suspected again", name)
		}
		g.close()
	}
}
