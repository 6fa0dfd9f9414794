package alerts

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/attribute"

	"pullcause/agent"
	"pullcause/agent/diagnose"
	"pullcause/agent/telemetry"
)

// scraped is what a scrape had: the values of each label of each series name. Histograms
// have the names that they are stored under.
type scraped map[string]map[string][]string

func (s scraped) add(name string, pairs []*dto.LabelPair, more ...string) {
	if s[name] == nil {
		s[name] = map[string][]string{}
	}
	for i := 0; i+1 < len(more); i += 2 {
		s.value(name, more[i], more[i+1])
	}
	for _, p := range pairs {
		s.value(name, p.GetName(), p.GetValue())
	}
}

func (s scraped) value(name, label, value string) {
	if !slices.Contains(s[name][label], value) {
		s[name][label] = append(s[name][label], value)
	}
}

// read adds what one text has and returns it as the lines of promqltest's load command.
func (s scraped) read(t *testing.T, text string) []string {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("scrape: %v", err)
	}
	var lines []string
	line := func(name string, pairs []*dto.LabelPair, value float64, more ...string) {
		s.add(name, pairs, more...)
		labels := []string{`instance="node-a"`, `job="pullcause"`, `"k8s.node.name"="node-a"`}
		for _, p := range pairs {
			labels = append(labels, fmt.Sprintf("%s=%q", p.GetName(), p.GetValue()))
		}
		for i := 0; i+1 < len(more); i += 2 {
			labels = append(labels, fmt.Sprintf("%s=%q", more[i], more[i+1]))
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %v+1x60", name, strings.Join(labels, ","), value))
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].GetMetric() {
			switch h := m.GetHistogram(); {
			case h != nil:
				for _, b := range h.GetBucket() {
					line(name+"_bucket", m.GetLabel(), float64(b.GetCumulativeCount()), "le", model.SampleValue(b.GetUpperBound()).String())
				}
				line(name+"_count", m.GetLabel(), float64(h.GetSampleCount()))
				line(name+"_sum", m.GetLabel(), h.GetSampleSum())
			case m.GetCounter() != nil:
				line(name, m.GetLabel(), m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				line(name, m.GetLabel(), m.GetGauge().GetValue())
			}
		}
	}
	return lines
}

// scrape returns what a running agent exposes that has seen a pull fail and one
// succeed, with what it exposes only where there is a runtime or a journal.
func scrape(t *testing.T) (s scraped, lines []string) {
	t.Helper()
	s = scraped{}
	lines = s.read(t, ofAgent(t))
	running := len(s)
	known := map[string]bool{}
	for _, l := range lines {
		known[strings.Fields(l)[0]] = true
	}
	for _, l := range s.read(t, ofNode(t)) {
		if !known[strings.Fields(l)[0]] {
			lines = append(lines, l)
		}
	}
	if running < 20 || len(s) <= running {
		t.Fatalf("the agent exposes %d names, with a runtime %d", running, len(s))
	}
	return s, lines
}

const (
	failed = `time="2026-11-24T10:00:00.000000000Z" level=info msg="PullImage \"registry.example.com/team/app:v1\""
time="2026-11-24T10:00:00.200000000Z" level=error msg="PullImage \"registry.example.com/team/app:v1\" failed" error="failed to pull and unpack image \"registry.example.com/team/app:v1\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: 403 Forbidden"
`
	succeeded = `time="2026-11-24T10:00:05.000000000Z" level=info msg="PullImage \"registry.example.com/team/app:v1\""
time="2026-11-24T10:00:07.000000000Z" level=info msg="stop pulling image registry.example.com/team/app:v1: active requests=0, bytes read=4096"
time="2026-11-24T10:00:07.500000000Z" level=info msg="Pulled image \"registry.example.com/team/app:v1\" with image id \"sha256:` + digest + `\", repo tag \"registry.example.com/team/app:v1\", repo digest \"registry.example.com/team/app@sha256:` + digest + `\", size \"4096\" in 2.5s"
time="2026-11-24T10:00:07.600000000Z" level=info msg="PullImage \"registry.example.com/team/app:v1\" returns image reference \"sha256:` + digest + `\""
`
	digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// ofAgent is the /metrics of an agent on a node where a pull failed and then did not.
func ofAgent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cfg := agent.Default()
	cfg.Sources.Auto, cfg.CRI.Socket = false, "off"
	cfg.Sources.Lookback = agent.Lookback{All: true}
	cfg.Sources.Files = []agent.SourceFile{{Program: "containerd", Path: filepath.Join(dir, "containerd.log")}}
	cfg.Sources.Poll = agent.Duration(20 * time.Millisecond)
	cfg.Delivery.StateDir = filepath.Join(dir, "state")
	cfg.Server.Listen, cfg.Server.Debug.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Resource.NodeName = "node-a"
	if err := os.WriteFile(cfg.Sources.Files[0].Path, []byte(failed+succeeded), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(t.Context(), cfg, agent.Deps{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	// A scrape asks for the sources before it adds up what they have read.
	const want, too = `pullcause_incident_duration_seconds_count 1`, `pullcause_source_up{`
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text := get(t, "http://"+a.PublicAddr()+"/metrics")
		if strings.Contains(text, want) && strings.Contains(text, too) {
			return text
		}
		if time.Now().After(end) {
			t.Fatalf("/metrics does not hold %s and %s:\n%s", want, too, text)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "" // not listening yet
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ofNode is what the same instruments show where the runtime answers and a unit wrote
// too much for journald.
func ofNode(t *testing.T) string {
	t.Helper()
	p, err := telemetry.New(telemetry.Config{
		Version: "test", Log: slog.New(slog.DiscardHandler),
		Resource: []attribute.KeyValue{attribute.String("service.name", "pullcause")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) }()
	err = p.Metrics().ObserveNode(func() telemetry.Node {
		return telemetry.Node{
			Images: 12, Bytes: 4096, FilesystemSize: 1 << 30, FilesystemAvailable: 1 << 20, InodesFree: 1000, Stalled: 1,
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Metrics().Suppressed("containerd.service", 7)
	p.Metrics().Succeeded("registry.example.com", time.Second, 4096)
	p.Metrics().Failed("registry.example.com", diagnose.DNS, time.Second, 0)
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return w.Body.String()
}
