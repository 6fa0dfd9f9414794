package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/goleak"

	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/logtail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg Config) *Provider {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Version = "1.2.3"
	cfg.Resource = []attribute.KeyValue{attribute.String("service.name", "pullcause")}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Metrics().Observe(Gauges{
		Sources: func() []logtail.Status {
			return []logtail.Status{
				{Name: "file:/var/log/a.log", State: logtail.StateReading, Lag: 1.5},
				{Name: "file:/var/log/b.log", State: logtail.StateWaiting},
			}
		},
		OpenIncidents: func() map[diagnose.Cause]int { return map[diagnose.Cause]int{diagnose.DNS: 2} },
		InFlight:      func() int { return 3 },
		Spool:         func() (bytes, limit int64) { return 4096, 64 << 20 },
		LastSuccess:   func() time.Time { return time.UnixMilli(1_780_000_000_500) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// use makes every instrument have something to show.
func use(m *Metrics) {
	m.Succeeded("docker.io", 2*time.Second, 4096)
	m.Failed("r.example:5000", diagnose.DNS, 0, 0)
	m.Failed("", diagnose.DNS, 3*time.Second, 0)
	m.Recovered(2 * time.Minute)
	m.Passed("file:/var/log/a.log", 10, 1000)
	m.Passed("file:/var/log/a.log", 1, 24)
	m.Lost(logtail.LostRotation, 2)
	m.Lost(logtail.LostBinary, 0)
	m.Settled(string(export.Delivered), 5)
	m.Settled(string(export.QueueFull), 1)
}

// scrape returns our lines of /metrics that match, and fails on labels that
// nobody asked for.
func scrape(t *testing.T, p *Provider, match string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	for _, noise := range []string{"otel_scope", "target_info", "An error has occurred"} {
		if strings.Contains(text, noise) {
			t.Errorf("/metrics has %s", noise)
		}
	}
	var lines []string
	for line := range strings.Lines(text) {
		if ok, _ := regexp.MatchString(match, line); ok {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestNames(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	use(p.Metrics())
	want := []string{
		"# TYPE pullcause_build_info gauge",
		"# TYPE pullcause_export_last_success_timestamp_seconds gauge",
		"# TYPE pullcause_export_records_total counter",
		"# TYPE pullcause_incident_duration_seconds histogram",
		"# TYPE pullcause_incidents_open gauge",
		"# TYPE pullcause_lost_total counter",
		"# TYPE pullcause_pull_attempts_total counter",
		"# TYPE pullcause_pull_duration_seconds histogram",
		"# TYPE pullcause_pull_failures_total counter",
		"# TYPE pullcause_pulled_bytes_total counter",
		"# TYPE pullcause_pulls_in_flight gauge",
		"# TYPE pullcause_source_bytes_total counter",
		"# TYPE pullcause_source_lag_seconds gauge",
		"# TYPE pullcause_source_lines_total counter",
		"# TYPE pullcause_source_up gauge",
		"# TYPE pullcause_spool_bytes gauge",
		"# TYPE pullcause_spool_limit_bytes gauge",
	}
	if diff := cmp.Diff(want, scrape(t, p, "^# TYPE pullcause_")); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
	for _, own := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if len(scrape(t, p, "^"+own+" ")) != 1 {
			t.Errorf("%s is missing", own)
		}
	}
}

func TestValues(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	use(p.Metrics())
	want := []string{
		`pullcause_export_last_success_timestamp_seconds 1.7800000005e+09`,
		`pullcause_export_records_total{result="delivered"} 5`,
		`pullcause_export_records_total{result="queue_full"} 1`,
		`pullcause_export_records_total{result="rejected"} 0`,
		`pullcause_incident_duration_seconds_bucket{le="300"} 1`,
		`pullcause_incidents_open{cause="dns"} 2`,
		`pullcause_lost_total{reason="binary"} 0`,
		`pullcause_lost_total{reason="queue_full"} 1`,
		`pullcause_lost_total{reason="rotation"} 2`,
		`pullcause_pull_attempts_total{registry="docker.io",result="succeeded"} 1`,
		`pullcause_pull_attempts_total{registry="r.example:5000",result="failed"} 1`,
		`pullcause_pull_attempts_total{registry="unknown",result="failed"} 1`,
		`pullcause_pull_attempts_total{registry="unknown",result="succeeded"} 0`,
		`pullcause_pull_duration_seconds_count{result="failed"} 1`,
		`pullcause_pull_duration_seconds_sum{result="succeeded"} 2`,
		`pullcause_pull_failures_total{cause="dns",registry="r.example:5000"} 1`,
		`pullcause_pull_failures_total{cause="dns",registry="unknown"} 1`,
		`pullcause_pulled_bytes_total{registry="docker.io"} 4096`,
		`pullcause_pulls_in_flight 3`,
		`pullcause_source_bytes_total{source="file:/var/log/a.log"} 1024`,
		`pullcause_source_lag_seconds{source="file:/var/log/a.log"} 1.5`,
		`pullcause_source_lines_total{source="file:/var/log/a.log"} 11`,
		`pullcause_source_up{source="file:/var/log/a.log"} 1`,
		`pullcause_source_up{source="file:/var/log/b.log"} 0`,
	}
	got := scrape(t, p, "^pullcause_")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing: %s\nin:\n%s", line, strings.Join(got, "\n"))
		}
	}
}

// TestClosedSetsAreThereFromTheStart: an alert on an increase must see the
// first one.
func TestClosedSetsAreThereFromTheStart(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	for name, n := range map[string]int{
		"pullcause_pull_failures_total":  len(diagnose.Causes()),
		"pullcause_incidents_open":       len(diagnose.Causes()),
		"pullcause_pull_attempts_total":  2,
		"pullcause_lost_total":           len(lostReasons),
		"pullcause_export_records_total": len(export.Results()),
		"pullcause_build_info":           1,
	} {
		if got := scrape(t, p, "^"+name+`\{`); len(got) != n {
			t.Errorf("%s: got %d series, want %d", name, len(got), n)
		}
	}
}

func TestRegistriesAreBounded(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	for i := range 100 {
		p.Metrics().Failed(fmt.Sprintf("r%d.example", i), diagnose.TLS, 0, 0)
	}
	p.Metrics().Failed(strings.Repeat("a", maxHost+1), diagnose.TLS, 0, 0)
	p.Metrics().Failed("r0.example", diagnose.TLS, 0, 0)
	failures := scrape(t, p, `^pullcause_pull_failures_total\{cause="tls"`)
	if want := maxRegistries + 2; len(failures) != want { // other and unknown
		t.Errorf("series: got %d, want %d", len(failures), want)
	}
	for _, want := range []string{
		`pullcause_pull_failures_total{cause="tls",registry="other"} 37`,
		`pullcause_pull_failures_total{cause="tls",registry="r0.example"} 2`,
	} {
		if !slices.Contains(failures, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestNoLabelOfAnImage(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	use(p.Metrics())
	allowed := []string{"cause", "goversion", "le", "reason", "registry", "result", "source", "version"}
	label := regexp.MustCompile(`[{,]([a-z_]+)=`)
	for _, line := range scrape(t, p, "^pullcause_") {
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(allowed, m[1]) {
				t.Errorf("label %s in %s", m[1], line)
			}
		}
	}
}

func BenchmarkFailed(b *testing.B) {
	p, err := New(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Metrics().Failed("docker.io", diagnose.DNS, time.Second, 0)
	}
}

func BenchmarkPassed(b *testing.B) {
	p, err := New(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Metrics().Passed("file:/var/log/a.log", 100, 10_000)
	}
}
