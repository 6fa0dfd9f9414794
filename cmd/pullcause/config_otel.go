package main

import (
	"strconv"
	"strings"

	"pullcause/agent"
)

// otelPrefix begins the variables of the OpenTelemetry specification,
// specification/protocol/exporter.md. One for a signal, such as
// OTEL_EXPORTER_OTLP_LOGS_TIMEOUT, wins over that for all.
const otelPrefix = "OTEL_EXPORTER_OTLP_"

// otelVariables are their endings and our keys below otlp.logs and
// otlp.metrics. ENDPOINT comes behind PROTOCOL and before what depends on it.
var otelVariables = []struct{ ending, key string }{
	{"PROTOCOL", "protocol"},
	{"ENDPOINT", "endpoint"},
	{"HEADERS", "headers"},
	{"TIMEOUT", "timeout"},
	{"COMPRESSION", "compression"},
	{"CERTIFICATE", "tls.ca_file"},
	{"CLIENT_CERTIFICATE", "tls.cert_file"},
	{"CLIENT_KEY", "tls.key_file"},
	{"INSECURE", "tls.insecure"},
}

// otel applies OTEL_EXPORTER_OTLP_*. It comes last, since what an endpoint
// means depends on the protocol that holds in the end.
func (l *loader) otel(env map[string]string) {
	logs := otelSignal{l, env, "LOGS_", "otlp.logs.", "/v1/logs", &l.cfg.OTLP.Logs}
	metrics := otelSignal{l, env, "METRICS_", "otlp.metrics.", "/v1/metrics", &l.cfg.OTLP.Metrics.ReceiverConfig}
	_, _, hasLogs := logs.lookup("ENDPOINT")
	_, _, hasMetrics := metrics.lookup("ENDPOINT")
	if l.from["otlp.cubeapm"].layer > fromOTEL && (hasLogs || hasMetrics) {
		return // they describe another receiver than the one that was asked for
	}
	logs.apply()
	metrics.apply()
}

type otelSignal struct {
	*loader
	env      map[string]string
	infix    string
	section  string
	path     string
	receiver *agent.ReceiverConfig
}

// lookup returns the variable that holds for this signal.
func (s otelSignal) lookup(ending string) (name, value string, ok bool) {
	for _, name := range []string{otelPrefix + s.infix + ending, otelPrefix + ending} {
		if value, ok := s.env[name]; ok {
			return name, value, true
		}
	}
	return "", "", false
}

func (s otelSignal) apply() {
	for _, v := range otelVariables {
		name, value, ok := s.lookup(v.ending)
		if !ok || !s.applies(v.key) {
			continue
		}
		switch v.ending {
		case "ENDPOINT":
			value = s.endpoint(name, value)
		case "TIMEOUT":
			if _, err := strconv.Atoi(value); err != nil {
				s.fail(agent.ConfigError{Key: s.section + v.key, Got: strconv.Quote(value), Want: "a whole number of milliseconds"}, name)
				continue
			}
			value += "ms"
		case "INSECURE", "COMPRESSION", "PROTOCOL":
			value = strings.ToLower(value)
		}
		for _, key := range s.keys {
			if key.Name == s.section+v.key {
				s.setText(key, origin{fromOTEL, name}, value)
			}
		}
	}
}

// applies leaves out what the specification leaves out: the scheme of the
// endpoint decides about TLS, INSECURE only where there is none.
func (s otelSignal) applies(key string) bool {
	switch key {
	case "tls.insecure":
		return !strings.Contains(s.receiver.Endpoint, "://")
	case "tls.ca_file", "tls.cert_file", "tls.key_file":
		return !strings.HasPrefix(s.receiver.Endpoint, "http://")
	default:
		return true
	}
}

// endpoint appends the signal's path to the address that is for all signals;
// gRPC has no path.
func (s otelSignal) endpoint(name, value string) string {
	if name != otelPrefix+"ENDPOINT" || s.receiver.Protocol == agent.ProtocolGRPC {
		return value
	}
	return strings.TrimRight(value, "/") + s.path
}
