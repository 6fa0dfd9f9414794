package demo_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
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

// The pulls of a recorded node do not fail on the machine that plays them: the page names
// the recorded one, and no file of this machine explains its failures.
func TestPageNamesTheRecordedNode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Options{Speed: 1e6, Out: in, Log: slog.New(slog.DiscardHandler)})
		in.Close()
	}()
	var url string
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "stays open"); {
		if _, address, ok := strings.Cut(lines.Text(), "Debug page: "); ok {
			url = address
		}
	}
	page := get(t, url+"/")
	if !strings.Contains(page, "34 images cannot be pulled on recorded-node") {
		_, headline, _ := strings.Cut(page, "<h1")
		t.Errorf("the page says %.200s", headline)
	}
	if config := get(t, url+"/debug/config"); strings.Contains(config, `"host_root": "/"`) || !strings.Contains(config, `"host_root"`) {
		t.Errorf("the agent reads the files of this machine:\n%s", config)
	}
	go io.Copy(io.Discard, out)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(text)
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
