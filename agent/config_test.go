package agent

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	// Also behind what otlp.cubeapm stands for.
	cfg := Default()
	cfg.OTLP.CubeAPM = "http://cubeapm:3130"
	if err := errors.Join(cfg.Validate(), cfg.Effective().Validate()); err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	var names []string
	for _, key := range Keys() {
		names = append(names, key.Name)
		if key.Help == "" || key.Want() == "" {
			t.Errorf("%s: no help", key.Name)
		}
		if strings.Contains(key.Want(), "from  to") {
			t.Errorf("%s: no bounds", key.Name)
		}
	}
	want := strings.Fields(`
		host_root sources.auto sources.journal.units sources.journal.identifiers sources.files sources.lookback sources.poll
		cri.socket cri.containerd cri.timeout pulls.join_window pulls.abandon_after pulls.stall_after pulls.slow_after incidents.report incidents.max_open otlp.cubeapm
		otlp.logs.endpoint otlp.logs.protocol otlp.logs.headers otlp.logs.headers_file otlp.logs.compression otlp.logs.timeout
		otlp.logs.tls.ca_file otlp.logs.tls.cert_file otlp.logs.tls.key_file otlp.logs.tls.insecure
		otlp.metrics.endpoint otlp.metrics.protocol otlp.metrics.headers otlp.metrics.headers_file otlp.metrics.compression otlp.metrics.timeout
		otlp.metrics.tls.ca_file otlp.metrics.tls.cert_file otlp.metrics.tls.key_file otlp.metrics.tls.insecure otlp.metrics.interval
		delivery.state_dir delivery.spool_bytes delivery.max_age server.listen server.debug.listen server.debug.pprof
		resource.node_name resource.cluster_name resource.cluster_uid resource.environment resource.attributes
		log.level log.format`)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestKeyNames(t *testing.T) {
	for _, key := range Keys() {
		if key.Name != "otlp.logs.tls.ca_file" {
			continue
		}
		if key.Flag() != "otlp-logs-tls-ca-file" || key.Env() != "PULLCAUSE_OTLP_LOGS_TLS_CA_FILE" {
			t.Errorf("got --%s and %s", key.Flag(), key.Env())
		}
		return
	}
	t.Error("no otlp.logs.tls.ca_file")
}

// All that is wrong is told at once, as errors of their own type.
func TestValidate(t *testing.T) {
	cfg := Default()
	cfg.HostRoot = "host"
	cfg.Sources.Poll = Duration(time.Millisecond)
	cfg.Sources.Lookback.For = -time.Second
	cfg.Sources.Files = []SourceFile{{Path: "/var/log/x.log"}, {Path: "/y"}, {Program: "kubelet", Path: "/var/log/../log/x.log"}}
	cfg.Incidents = IncidentsConfig{Report: "some", MaxOpen: 0}
	cfg.OTLP.CubeAPM = "cubeapm:3130"
	cfg.OTLP.Logs.Endpoint = "http://user:pass@collector:4318?key=secret"
	cfg.OTLP.Metrics.Endpoint = "http://collector"
	cfg.OTLP.Metrics.TLS.KeyFile = "/key.pem"
	cfg.Server.Listen = "localhost"
	cfg.Resource.Attributes = map[string]string{"": "x"}
	want := []string{
		`sources.lookback: got -1s, takes a duration with its unit, such as 5m, or "all"`,
		`sources.poll: got 1ms, takes a duration with its unit, from 10ms to 1h`,
		`incidents.report: got "some", takes sparse or all`,
		`incidents.max_open: got 0, takes a whole number from 1 to 100000`,
		`host_root: got "host", takes an absolute path`,
		`sources.files: got "/var/log/x.log" twice, takes each file once`,
		`server.listen: got "localhost", takes HOST:PORT or :PORT`,
		`resource.attributes: got an empty name, takes names with values`,
		`otlp.cubeapm: got "cubeapm:3130", takes http://HOST:3130 without a path`,
		`otlp.metrics.tls.cert_file: got "" and tls.key_file "/key.pem", takes both or neither`,
	}
	err := cfg.Validate()
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e, ok := errors.AsType[ConfigError](err); !ok || e.Key != "sources.lookback" {
		t.Errorf("got %#v, want a ConfigError", e)
	}
}

func TestReceiver(t *testing.T) {
	tests := []struct {
		name string
		cfg  ReceiverConfig
		want string // the key of the error; empty: none
	}{
		{"http", ReceiverConfig{Endpoint: "http://h/v1/logs"}, ""},
		{"https", ReceiverConfig{Endpoint: "https://h:1/", TLS: TLSConfig{CAFile: "/ca"}}, ""},
		{"no scheme", ReceiverConfig{Endpoint: "h:4318"}, "endpoint"},
		{"other scheme", ReceiverConfig{Endpoint: "unix:///run/x"}, "endpoint"},
		{"no host", ReceiverConfig{Endpoint: "http:///v1/logs"}, "endpoint"},
		{"grpc", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "http://h:4317"}, ""},
		{"grpc without a scheme", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "h:4317"}, ""},
		{"grpc without a port", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "h"}, "endpoint"},
		{"grpc with a path", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "http://h:4317/v1/logs"}, "endpoint"},
		{"insecure grpc", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "h:4317", TLS: TLSConfig{Insecure: true}}, ""},
		{"insecure grpc with authorities", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "h:4317", TLS: TLSConfig{Insecure: true, CAFile: "/ca"}}, "tls.ca_file"},
		{"grpc with authorities", ReceiverConfig{Protocol: ProtocolGRPC, Endpoint: "h:4317", TLS: TLSConfig{CAFile: "/ca"}}, ""},
		{"insecure with a scheme", ReceiverConfig{Endpoint: "http://h/", TLS: TLSConfig{Insecure: true}}, "tls.insecure"},
		{"certificate without TLS", ReceiverConfig{Endpoint: "http://h/", TLS: TLSConfig{CertFile: "/c", KeyFile: "/k"}}, "tls.cert_file"},
		{"key alone", ReceiverConfig{Endpoint: "https://h/", TLS: TLSConfig{KeyFile: "/k"}}, "tls.cert_file"},
		{"header name", ReceiverConfig{Endpoint: "https://h/", Headers: map[string]string{"a b": "c"}}, "headers"},
		{"header value", ReceiverConfig{Endpoint: "https://h/", Headers: map[string]string{"a": "c\nd"}}, "headers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := errors.Join(tt.cfg.check("x")...)
			e, _ := errors.AsType[ConfigError](err)
			if want := strings.TrimSuffix("x."+tt.want, "x."); e.Key != want {
				t.Errorf("got %v, want an error of %q", err, want)
			}
		})
	}
}

// What otlp.cubeapm stands for is held to the same rules, and each endpoint may be another.
func TestCubeAPM(t *testing.T) {
	tests := []struct {
		name    string
		set     func(*OTLPConfig)
		metrics string // the endpoint in effect
		wrong   string // the key of the error; empty: none
	}{
		{"alone", func(*OTLPConfig) {}, "http://cubeapm:3130/api/metrics/v1/save/otlp", ""},
		{"metrics elsewhere", func(o *OTLPConfig) { o.Metrics.Endpoint = "https://h/" }, "https://h/", ""},
		{"authorities without TLS", func(o *OTLPConfig) { o.Logs.TLS.CAFile = "/ca" }, "http://cubeapm:3130/api/metrics/v1/save/otlp", "otlp.logs.tls.ca_file"},
		{"over grpc", func(o *OTLPConfig) { o.Metrics.Protocol = ProtocolGRPC }, "http://cubeapm:3130/api/metrics/v1/save/otlp", "otlp.cubeapm"},
		{"metrics elsewhere over grpc", func(o *OTLPConfig) { o.Metrics.Endpoint, o.Metrics.Protocol = "h:1", ProtocolGRPC }, "h:1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Default()
			cfg.OTLP.CubeAPM = "http://cubeapm:3130"
			tt.set(&cfg.OTLP)
			if got := cfg.Effective().OTLP.Metrics.Endpoint; got != tt.metrics {
				t.Errorf("metrics go to %s, want %s", got, tt.metrics)
			}
			err := cfg.Validate()
			if e, _ := errors.AsType[ConfigError](err); e.Key != tt.wrong {
				t.Errorf("got %v, want an error of %q", err, tt.wrong)
			}
		})
	}
}

func TestEffectiveSharesNothing(t *testing.T) {
	cfg := Default()
	cfg.OTLP.CubeAPM = "http://cubeapm:3130/"
	effective := cfg.Effective()
	if len(cfg.OTLP.Logs.Headers) != 0 {
		t.Error("Effective changed what it was called on")
	}
	if diff := cmp.Diff(effective, effective.Effective()); diff != "" {
		t.Errorf("a second time (-once +twice):\n%s", diff)
	}
	if got, want := effective.OTLP.Logs.Endpoint, "http://cubeapm:3130/api/logs/insert/opentelemetry/v1/logs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if diff := cmp.Diff(map[string]string{cubeStreamHeader: cubeStreamFields}, effective.OTLP.Logs.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func FuzzRedacted(f *testing.F) {
	f.Add("http://user:", "@collector:4318/v1/logs")
	f.Add("https://", "@h")
	f.Add("http://collector/?token=", "&x=y")
	f.Add("user:", "@h:4317")
	f.Add("http://u:?a/", "?@h")
	f.Add("collector/?to=http://", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "s3cr3t"
		if strings.ContainsAny(before+after, "\x00") || strings.Contains(before+after, secret) {
			t.Skip("no URL holds a NUL, and the secret may stand in one place only")
		}
		if !strings.Contains(before, "?") && !strings.Contains(after, "@") {
			t.Skip("then it is no secret but a host or path")
		}
		cfg := Default()
		cfg.OTLP.Logs.Endpoint = before + secret + after
		cfg.OTLP.CubeAPM = cfg.OTLP.Logs.Endpoint
		cfg.OTLP.Metrics.Headers = map[string]string{"X": secret}
		text, err := json.Marshal(cfg.Redacted())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("%q shows the secret: %s", cfg.OTLP.Logs.Endpoint, text)
		}
		if errs := cfg.Validate(); errs != nil && strings.Contains(errs.Error(), secret) {
			t.Errorf("an error shows the secret: %v", errs)
		}
	})
}
