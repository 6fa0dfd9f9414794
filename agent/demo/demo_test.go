package demo_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pullcause/agent/demo"
)

func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	err := demo.Run(t.Context(), demo.Options{Once: true, Speed: 100, Out: &out, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

// The logs that the lab recorded with other containerds, through the whole agent.
func TestRecordedLogs(t *testing.T) {
	folders, err := filepath.Glob("../../test/lab/testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no recorded logs: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(folder, "expect.json"))
			if err != nil {
				t.Fatal(err)
			}
			var scenarios []demo.Scenario
			if err := json.Unmarshal(text, &scenarios); err != nil {
				t.Fatal(err)
			}
			log, err := filepath.Abs(filepath.Join(folder, "containerd.log"))
			if err != nil {
				t.Fatal(err)
			}
			stage, err := demo.Start(t.Context(), demo.StageConfig{
				Files: []string{"containerd:" + log}, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := stage.Finish(t.Context(), &out, scenarios, true); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
			if err := stage.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A scenario that is told otherwise, or not at all, must not pass.
func TestUnexpected(t *testing.T) {
	log := filepath.Join(t.TempDir(), "containerd.log")
	const line = `time="2026-11-24T10:00:00Z" level=error msg="PullImage \"r.example/a:1\" failed" error="failed to pull and unpack image \"r.example/a:1\": manifest unknown"` + "\n"
	if err := os.WriteFile(log, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	stage, err := demo.Start(t.Context(), demo.StageConfig{
		Files: []string{"containerd:" + log}, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = stage.Finish(t.Context(), &out, []demo.Scenario{{Name: "told otherwise", Image: "r.example/a:1", Cause: "unauthorized"}}, true)
	if err == nil || !strings.Contains(out.String(), "0 of 1 as expected") {
		t.Errorf("got error %v and\n%s", err, out.String())
	}
	if err := stage.Stop(); err != nil {
		t.Error(err)
	}
}
