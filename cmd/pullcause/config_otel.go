package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"pullcause/agent"
)

// otelPrefix begins the variables of the OpenTelemetry specification,
// specification/protocol/exporter.md. One for a signal, such as
// OTEL_EXPORTER_OTLP_LOGS_TIMEOUT, wins over that for all.
const otelPrefix = "OTEL_EXPORTER_OTLP_"

// otelVariable is the ending of a variable and our key below otlp.logs and otlp.metrics.
type otelVariable struct{ ending, key string }

// The address comes before what depends on it, and the protocol before that.
var (
	otelAddress = []otelVariable{{"PROTOCOL", "protocol"}, {"ENDPOINT", "endpoint"}}
	otelRest    = []otelVariable{
		{"TIMEOUT", "timeout"}, {"COMPRESSION", "compression"}, {"CERTIFICATE", "tls.ca_file"}, {"INSECURE", "tls.insecure"},
	}
	otelCredentials = []otelVariable{
		{"HEADERS", "headers"}, {"CLIENT_CERTIFICATE", "tls.cert_file"}, {"CLIENT_KEY", "tls.key_file"},
	}
)

// credentials are the keys of a signal that say who sends.
var credentials = []string{"headers", "headers_file", "tls.cert_file", "tls.key_file"}

// otel applies OTEL_EXPORTER_OTLP_*. It comes last, since what an endpoint
// means depends on the protocol that holds in the end.
func (l *loader) otel(env map[string]string) {
	named := slices.ContainsFunc([]string{"", "LOGS_", "METRICS_"}, func(infix string) bool { return env[otelPrefix+infix+"ENDPOINT"] != "" })
	if named && l.cfg.OTLP.CubeAPM != "" && l.from["otlp.cubeapm"].layer > fromOTEL {
		env = nil // they describe another receiver than the one that was asked for
	}
	signals := []otelSignal{
		{l, env, "LOGS_", "otlp.logs.", "/v1/logs", &l.cfg.OTLP.Logs},
		{l, env, "METRICS_", "otlp.metrics.", "/v1/metrics", &l.cfg.OTLP.Metrics.ReceiverConfig},
	}
	for _, s := range signals {
		s.apply(otelAddress)
		s.overCubeAPM()
		s.apply(otelRest)
		if !named || l.from[s.section+"endpoint"].layer == fromOTEL {
			s.apply(otelCredentials)
		}
		s.withdrawCredentials()
	}
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

func (s otelSignal) apply(variables []otelVariable) {
	for _, v := range variables {
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
		s.set(v.key, origin{fromOTEL, name}, value)
	}
}

// isCubeAPM reports whether otlp.cubeapm is from a higher layer than an endpoint of this signal.
func (s otelSignal) isCubeAPM() bool {
	return s.cfg.OTLP.CubeAPM != "" && (s.receiver.Endpoint == "" || s.from[s.section+"endpoint"].layer < s.from["otlp.cubeapm"].layer)
}

// overCubeAPM decides between otlp.cubeapm and an endpoint of this signal: that of the
// higher layer wins, as of any key, and two of the same layer contradict each other.
func (s otelSignal) overCubeAPM() {
	cube, key := s.from["otlp.cubeapm"], s.section+"endpoint"
	switch {
	case s.isCubeAPM():
		s.receiver.Endpoint, s.from[key] = "", cube
	case s.cfg.OTLP.CubeAPM != "" && s.from[key].layer == cube.layer:
		s.failWhole(agent.ConfigError{
			Key: "otlp.cubeapm", Also: key,
			Got:  strconv.Quote(agent.MaskURL(s.cfg.OTLP.CubeAPM)) + " and " + key + " " + strconv.Quote(agent.MaskURL(s.receiver.Endpoint)),
			Want: "one of the two, since otlp.cubeapm sets both endpoints",
		})
	}
}

// withdrawCredentials unsets those that were written for another receiver than the one that
// holds: for an address of their layer or a lower one that a higher layer has replaced. Where
// no address was named so far, they are for whatever the higher layers name.
func (s otelSignal) withdrawCredentials() {
	address := s.from[s.section+"endpoint"]
	for _, name := range []string{"otlp.cubeapm", s.section + "endpoint"} {
		lost, ok := s.lowest[name]
		if !ok {
			continue
		}
		for _, key := range credentials {
			if at := s.from[s.section+key].layer; lost <= at && at < address.layer {
				s.set(key, address, "")
			}
		}
	}
}

// set gives a key of the signal a text.
func (s otelSignal) set(name string, at origin, text string) {
	for _, key := range s.keys {
		if key.Name == s.section+name {
			s.setText(key, at, text)
		}
	}
}

// applies leaves out what the specification leaves out: the scheme of the
// endpoint decides about TLS, INSECURE only where there is none. And CubeAPM has one
// protocol, whatever that of the other programs' receiver is.
func (s otelSignal) applies(key string) bool {
	address := cmp.Or(s.receiver.Endpoint, s.cfg.OTLP.CubeAPM)
	switch key {
	case "protocol":
		_, _, named := s.lookup("ENDPOINT")
		return named || !s.isCubeAPM()
	case "tls.insecure":
		return !strings.Contains(address, "://")
	case "tls.ca_file", "tls.cert_file", "tls.key_file":
		return !strings.HasPrefix(address, "http://")
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
