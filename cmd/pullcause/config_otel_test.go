package main

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
)

// values are keys of a configuration by name; of a map, its entries.
func values(cfg agent.Config) map[string]string {
	all := map[string]string{}
	for _, key := range agent.Keys() {
		all[key.Name] = key.Text(cfg)
	}
	for section, headers := range map[string]map[string]string{
		"otlp.logs.headers.": cfg.OTLP.Logs.Headers, "otlp.metrics.headers.": cfg.OTLP.Metrics.Headers,
	} {
		for name, value := range headers {
			all[section+name] = value
		}
	}
	return all
}

// otelTest is a configuration and what of it differs from the defaults.
type otelTest struct {
	name    string
	file    string
	environ []string
	flags   map[string][]string
	want    map[string]string
}

var otelTests = []otelTest{
	{
		name:    "the address for all signals gets the paths of the specification",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318/"},
		want: map[string]string{
			"otlp.logs.endpoint":    "http://collector:4318/v1/logs",
			"otlp.metrics.endpoint": "http://collector:4318/v1/metrics",
		},
	},
	{
		name: "that of one signal is used as it is, and wins",
		environ: []string{
			otelPrefix + "ENDPOINT=https://collector:4318", otelPrefix + "LOGS_ENDPOINT=https://logs/in",
			otelPrefix + "TIMEOUT=2500", otelPrefix + "METRICS_TIMEOUT=100",
		},
		want: map[string]string{
			"otlp.logs.endpoint": "https://logs/in", "otlp.logs.timeout": "2.5s",
			"otlp.metrics.endpoint": "https://collector:4318/v1/metrics", "otlp.metrics.timeout": "100ms",
		},
	},
	{
		name: "every setting",
		environ: []string{
			otelPrefix + "LOGS_ENDPOINT=https://logs/in", otelPrefix + "LOGS_HEADERS=X-Scope=a%2Cb, X-Key = k", otelPrefix + "LOGS_COMPRESSION=none",
			otelPrefix + "LOGS_CERTIFICATE=/ca.pem", otelPrefix + "LOGS_CLIENT_CERTIFICATE=/cert.pem", otelPrefix + "LOGS_CLIENT_KEY=/key.pem",
		},
		want: map[string]string{
			"otlp.logs.endpoint": "https://logs/in", "otlp.logs.compression": "none",
			"otlp.logs.headers.X-Scope": "a,b", "otlp.logs.headers.X-Key": "k",
			"otlp.logs.tls.ca_file": "/ca.pem", "otlp.logs.tls.cert_file": "/cert.pem", "otlp.logs.tls.key_file": "/key.pem",
		},
	},
	{
		name:    "gRPC has no path, and without a scheme INSECURE decides",
		environ: []string{otelPrefix + "PROTOCOL=grpc", otelPrefix + "LOGS_ENDPOINT=logs:4317", otelPrefix + "ENDPOINT=https://collector:4317", otelPrefix + "INSECURE=TRUE"},
		want: map[string]string{
			"otlp.logs.endpoint": "logs:4317", "otlp.logs.protocol": "grpc", "otlp.logs.tls.insecure": "true",
			"otlp.metrics.endpoint": "https://collector:4317", "otlp.metrics.protocol": "grpc",
		},
	},
	{
		name:    "the scheme decides about TLS where there is one",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318", otelPrefix + "CERTIFICATE=/ca.pem", otelPrefix + "INSECURE=false"},
		want: map[string]string{
			"otlp.logs.endpoint":    "http://collector:4318/v1/logs",
			"otlp.metrics.endpoint": "http://collector:4318/v1/metrics",
		},
	},
	{
		name:    "a flag's protocol decides about the path, PULLCAUSE_ wins over OTEL_",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4317", otelPrefix + "TIMEOUT=1000", "PULLCAUSE_OTLP_METRICS_TIMEOUT=7s"},
		flags:   map[string][]string{"otlp-logs-protocol": {"grpc"}},
		want: map[string]string{
			"otlp.logs.endpoint": "http://collector:4317", "otlp.logs.protocol": "grpc", "otlp.logs.timeout": "1s",
			"otlp.metrics.endpoint": "http://collector:4317/v1/metrics", "otlp.metrics.timeout": "7s",
		},
	},
	{
		name:    "who asks for CubeAPM does not get the receiver of the other programs, nor sends its token there",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318", otelPrefix + "HEADERS=X-Key=k"},
		flags:   map[string][]string{"otlp-cubeapm": {"http://cubeapm:3130/"}},
		want: map[string]string{
			"otlp.logs.endpoint":                   "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs",
			"otlp.metrics.endpoint":                "http://cubeapm:3130/api/metrics/v1/save/otlp",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
		},
	},
	{
		name: "the token of the other programs' receiver does not go to another address",
		environ: []string{
			otelPrefix + "ENDPOINT=https://vendor", otelPrefix + "HEADERS=X-Key=k",
			otelPrefix + "CLIENT_CERTIFICATE=/cert.pem", otelPrefix + "CLIENT_KEY=/key.pem", "PULLCAUSE_OTLP_METRICS_ENDPOINT=https://mine/in",
		},
		want: map[string]string{
			"otlp.logs.endpoint": "https://vendor/v1/logs", "otlp.logs.headers.X-Key": "k",
			"otlp.logs.tls.cert_file": "/cert.pem", "otlp.logs.tls.key_file": "/key.pem",
			"otlp.metrics.endpoint": "https://mine/in",
		},
	},
	{
		name:    "CubeAPM without TLS needs no authorities",
		environ: []string{otelPrefix + "CERTIFICATE=/ca.pem"},
		flags:   map[string][]string{"otlp-cubeapm": {"http://cubeapm:3130"}},
		want: map[string]string{
			"otlp.logs.endpoint":                   "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs",
			"otlp.metrics.endpoint":                "http://cubeapm:3130/api/metrics/v1/save/otlp",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
		},
	},
	{
		name:    "settings without an address are for CubeAPM",
		environ: []string{otelPrefix + "HEADERS=X-Key=k,cube-stream-fields=service.name", "PULLCAUSE_OTLP_CUBEAPM=https://cubeapm"},
		want: map[string]string{
			"otlp.logs.endpoint":                      "https://cubeapm/api/logs/insert/opentelemetry/v1/logs",
			"otlp.metrics.endpoint":                   "https://cubeapm/api/metrics/v1/save/otlp",
			"otlp.logs.headers.X-Key":                 "k",
			"otlp.logs.headers.cube-stream-fields":    "service.name",
			"otlp.metrics.headers.X-Key":              "k",
			"otlp.metrics.headers.cube-stream-fields": "service.name",
		},
	},
}

// A layer over a file of testdata.
var fileTests = []otelTest{
	{
		name:    "OTEL_ over the file",
		file:    "cubeapm.yaml",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318", otelPrefix + "HEADERS=X-Key=k"},
		want: map[string]string{
			"otlp.logs.endpoint": "http://collector:4318/v1/logs", "otlp.metrics.endpoint": "http://collector:4318/v1/metrics",
			"otlp.logs.headers.X-Key": "k", "otlp.metrics.headers.X-Key": "k",
		},
	},
	{
		name:    "a flag over the file, for one signal",
		file:    "cubeapm.yaml",
		flags:   map[string][]string{"otlp-metrics-endpoint": {"http://collector:4318/v1/metrics"}},
		environ: []string{otelPrefix + "CERTIFICATE=/ca.pem", otelPrefix + "HEADERS=X-Key=k"},
		want: map[string]string{
			"otlp.logs.endpoint":                   "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
			"otlp.metrics.endpoint":                "http://collector:4318/v1/metrics",
			"otlp.logs.headers.X-Key":              "k", // for CubeAPM, as far as OTEL_ knows
		},
	},
	{
		name:    "the token of the receiver of metrics is not for CubeAPM",
		file:    "cubeapm.yaml",
		environ: []string{otelPrefix + "METRICS_ENDPOINT=https://vendor", otelPrefix + "HEADERS=X-Key=k"},
		want: map[string]string{
			"otlp.logs.endpoint":                   "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
			"otlp.metrics.endpoint":                "https://vendor", "otlp.metrics.headers.X-Key": "k",
		},
	},
	{
		name:    "nor is its protocol",
		file:    "cubeapm.yaml",
		environ: []string{otelPrefix + "LOGS_ENDPOINT=https://vendor:4317", otelPrefix + "PROTOCOL=grpc"},
		want: map[string]string{
			"otlp.logs.endpoint": "https://vendor:4317", "otlp.logs.protocol": "grpc",
			"otlp.metrics.endpoint": "http://cubeapm:3130/api/metrics/v1/save/otlp",
		},
	},
	{
		name:  "the file's token is not for the CubeAPM of a flag",
		file:  "credentials.yaml",
		flags: map[string][]string{"otlp-cubeapm": {"http://cubeapm:3130"}},
		want: map[string]string{
			"otlp.logs.endpoint":                   "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
			"otlp.metrics.endpoint":                "http://cubeapm:3130/api/metrics/v1/save/otlp",
			"otlp.metrics.headers.X-Key":           "file", // the file names no address that this could be for
		},
	},
	{
		name:    "nor for the receiver of the other programs",
		file:    "credentials.yaml",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318"},
		want: map[string]string{
			"otlp.logs.endpoint":         "http://collector:4318/v1/logs",
			"otlp.metrics.endpoint":      "http://collector:4318/v1/metrics",
			"otlp.metrics.headers.X-Key": "file",
		},
	},
	{
		name:    "one that comes with the other address is",
		file:    "credentials.yaml",
		environ: []string{otelPrefix + "LOGS_HEADERS=X-Key=otel", "PULLCAUSE_OTLP_LOGS_HEADERS=X-Key=env"},
		flags:   map[string][]string{"otlp-logs-endpoint": {"https://other/in"}, "otlp-logs-headers-file": {"/flag"}},
		want: map[string]string{
			"otlp.logs.endpoint": "https://other/in", "otlp.logs.headers_file": "/flag",
			"otlp.metrics.headers.X-Key": "file",
		},
	},
	{
		name:    "a token of the file for its CubeAPM is for nobody else",
		file:    "cubeapm_token.yaml",
		environ: []string{otelPrefix + "ENDPOINT=http://collector:4318"},
		want: map[string]string{
			"otlp.logs.endpoint":    "http://collector:4318/v1/logs",
			"otlp.metrics.endpoint": "http://collector:4318/v1/metrics",
		},
	},
	{
		name:    "a token of the environment is for the address of the file",
		file:    "cubeapm_token.yaml",
		environ: []string{"PULLCAUSE_OTLP_METRICS_HEADERS=X-Key=env"},
		want: map[string]string{
			"otlp.logs.endpoint":                   "https://cubeapm.example/api/logs/insert/opentelemetry/v1/logs",
			"otlp.logs.headers.Authorization":      "file",
			"otlp.logs.headers.Cube-Stream-Fields": "service.name,k8s.cluster.name,k8s.namespace.name,error.type",
			"otlp.metrics.endpoint":                "https://cubeapm.example/api/metrics/v1/save/otlp",
			"otlp.metrics.headers.X-Key":           "env",
		},
	},
}

func TestLayersOverTheFile(t *testing.T) {
	for _, tt := range fileTests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := loadConfig(inputs{file: "testdata/" + tt.file, flags: tt.flags, environ: tt.environ})
			if err != nil {
				t.Fatal(err)
			}
			want := values(agent.Default())
			want["resource.cluster_name"] = "prod" // of each file
			maps.Copy(want, tt.want)
			if diff := cmp.Diff(want, values(cfg)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOTelEnvironment(t *testing.T) {
	for _, tt := range otelTests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := loadConfig(inputs{flags: tt.flags, environ: tt.environ})
			if err != nil {
				t.Fatal(err)
			}
			want := values(agent.Default())
			maps.Copy(want, tt.want)
			if diff := cmp.Diff(want, values(cfg)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
