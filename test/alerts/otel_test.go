package alerts

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"pullcause/agent"
)

const otelDir = root + "/deploy/otel"

// collectorConfig is what we look at of a Collector's configuration.
type collectorConfig struct {
	Receivers, Processors, Exporters, Extensions map[string]any
	Service                                      struct {
		Extensions []string
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

// collectorValues are what we look at of the values of the Helm chart.
type collectorValues struct {
	Mode            string
	Presets         map[string]map[string]any
	Config          *collectorConfig
	AlternateConfig *collectorConfig `yaml:"alternateConfig"`
}

// ofChart are the parts that the chart itself and its presets configure
// (opentelemetry-helm-charts dd5665c0, charts/opentelemetry-collector 0.170.0, values.yaml, templates/_config.tpl).
var ofChart = map[string][]string{
	"":                     {"otlp", "batch", "memory_limiter", "health_check"},
	"hostMetrics":          {"hostmetrics"},
	"kubeletMetrics":       {"kubeletstats"},
	"logsCollection":       {"filelog", "file_storage"},
	"kubernetesEvents":     {"k8sobjects"},
	"clusterMetrics":       {"k8s_cluster"},
	"kubernetesAttributes": {},
}

// TestCollectorValues looks for what would keep a Collector from starting, or what it
// sends from being found.
func TestCollectorValues(t *testing.T) {
	files, err := filepath.Glob(otelDir + "/*-values.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		var v collectorValues
		if err := yaml.Unmarshal([]byte(read(t, file)), &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cfg, defined := v.Config, slices.Clone(ofChart[""])
		if v.AlternateConfig != nil { // stands for itself
			cfg, defined = v.AlternateConfig, nil
		}
		for preset := range v.Presets {
			parts, ok := ofChart[preset]
			if !ok {
				t.Errorf("%s: no preset %s", file, preset)
			}
			defined = append(defined, parts...)
		}
		for _, section := range []map[string]any{cfg.Receivers, cfg.Processors, cfg.Exporters, cfg.Extensions} {
			for name := range section {
				defined = append(defined, name)
			}
		}
		if len(cfg.Service.Pipelines) == 0 {
			t.Errorf("%s has no pipeline", file)
		}
		for name, p := range cfg.Service.Pipelines {
			for _, part := range slices.Concat(p.Receivers, p.Processors, p.Exporters, cfg.Service.Extensions) {
				if !slices.Contains(defined, part) {
					t.Errorf("%s: the pipeline %s names %s, which is not there", file, name, part)
				}
			}
		}
	}
}

// TestCollectorAddresses holds addresses and the header to those that the agent uses itself,
// and the filter on kube-state-metrics to the alerts.
func TestCollectorAddresses(t *testing.T) {
	cfg := agent.Default()
	cfg.OTLP.CubeAPM = "http://cubeapm:3130"
	cfg = cfg.Effective()
	for _, name := range []string{"collector-daemonset-values.yaml", "collector-deployment-values.yaml", "collector-gateway-values.yaml"} {
		text := read(t, otelDir, name)
		for _, want := range []string{"logs_endpoint: " + cfg.OTLP.Logs.Endpoint + "\n", "metrics_endpoint: " + cfg.OTLP.Metrics.Endpoint + "\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
	}
	if want := "Cube-Stream-Fields: " + cfg.OTLP.Logs.Headers["Cube-Stream-Fields"] + "\n"; !strings.Contains(read(t, otelDir, "collector-gateway-values.yaml"), want) {
		t.Errorf("the gateway does not send %s", want)
	}
	m := regexp.MustCompile(`regex: (kube_\S+)`).FindStringSubmatch(read(t, otelDir, "collector-deployment-values.yaml"))
	if m == nil {
		t.Fatal("nothing of kube-state-metrics is kept")
	}
	for metric := range others {
		if !regexp.MustCompile("^(?:" + m[1] + ")$").MatchString(metric) {
			t.Errorf("%s is not kept", metric)
		}
	}
}
