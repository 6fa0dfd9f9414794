package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
)

// Each key of the table can be set in each of the three ways, and does what it
// says: nothing is accepted and dropped on the way.
func TestEveryKeyEverywhere(t *testing.T) {
	other := map[string]string{
		"host_root": "/host", "delivery.state_dir": "/state", "sources.files": "crio:/a,/b",
		"otlp.cubeapm": "http://cubeapm:3130", "server.listen": "127.0.0.1:1", "server.debug.listen": "127.0.0.1:2",
		"otlp.logs.endpoint": "https://logs/in", "otlp.metrics.endpoint": "https://metrics/in",
		"otlp.logs.tls.insecure": "true", "otlp.metrics.tls.insecure": "true",
		"sources.journal.units": "a.service,b.service", "sources.journal.identifiers": "a,b",
		"sources.lookback": "all", "incidents.max_open": "7", "delivery.spool_bytes": "2MiB", "sources.auto": "false", "server.debug.pprof": "true",
	}
	for _, key := range agent.Keys() {
		t.Run(key.Name, func(t *testing.T) {
			text, ok := other[key.Name]
			switch {
			case ok:
			case len(key.Enum) > 0:
				text = key.Enum[len(key.Enum)-1]
			case key.IsMap():
				text = "a=b"
			case strings.Contains(key.Want(), "duration"):
				text = "30s"
			default:
				text = "/a"
			}
			yaml := strings.ReplaceAll(key.Name, ".", ": {") + ": " + yamlText(key, text) + strings.Repeat("}", strings.Count(key.Name, "."))
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			for way, in := range map[string]inputs{
				"file": {file: path},
				"env":  {environ: []string{key.Env() + "=" + text}},
				"flag": {flags: map[string][]string{key.Flag(): {text}}},
			} {
				l := load(in)
				for _, err := range l.errs {
					// A client certificate wants its key; one alone is enough here.
					if !strings.Contains(err.Error(), "both or neither") {
						t.Errorf("%s: %v", way, err)
					}
				}
				if cmp.Equal(agent.Default(), l.cfg) {
					t.Errorf("%s: %s changed nothing", way, text)
				}
				if !key.IsMap() && key.Text(l.cfg) != text {
					t.Errorf("%s: got %q, want %q", way, key.Text(l.cfg), text)
				}
			}
		})
	}
}

func yamlText(key agent.Key, text string) string {
	switch {
	case key.IsMap():
		return "{" + strings.Replace(text, "=", ": ", 1) + "}"
	case key.IsList():
		return "[" + text + "]"
	default:
		return text
	}
}

// What --print-config prints is a configuration file that means the same.
func TestPrintedIsReadable(t *testing.T) {
	cfg := agent.Default()
	cfg.Sources.Lookback = agent.Lookback{All: true}
	cfg.Sources.Files = []agent.SourceFile{{Program: "crio", Path: "/var/log/crio: x.log"}, {Path: "/a"}}
	cfg.Resource.Attributes = map[string]string{"a.b": "1.20", "c": "yes # no"}
	cfg.OTLP.Logs.Endpoint = "http://[::1]:4318/v1/logs"
	cfg.OTLP.Metrics.Interval = agent.Duration(90 * time.Second)
	text, err := printable(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := loadConfig(inputs{file: path})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg, got); diff != "" {
		t.Errorf("(-printed +read):\n%s", diff)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"otlp.log", "otlp.logs", 1},
		{"kitten", "sitting", 3},
		{"flaw", "lawn", 2},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func FuzzConfigFile(f *testing.F) {
	for _, name := range []string{"full.yaml", "wrong.yaml", "cubeapm.yaml", "syntax.yaml", "documents.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a: &a [*a]\nlog: *a\n"))
	f.Add([]byte("log: {<<: {level: info}}\n? [x]\n: y\n"))
	f.Add([]byte("resource: {attributes: {? {a: b} : c}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := newLoader()
		l.text("config.yaml", text)
		if len(l.errs) > 0 {
			return
		}
		if _, err := printable(l.cfg); err != nil {
			t.Errorf("accepted, but cannot be printed: %v", err)
		}
	})
}
