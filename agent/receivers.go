package agent

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"pullcause/agent/enrich"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/telemetry"
)

// namedSink is a sink and what to call it.
type namedSink interface {
	export.Sink
	Name() string
}

// openSink makes the receiver of records: OTLP where one is configured, else
// JSON lines on standard output.
func openSink(cfg Config, node Node, deps Deps, dialer *endpoint.Dialer, runtime func() enrich.Runtime) (namedSink, error) {
	if cfg.OTLP.Logs.Endpoint == "" {
		return export.NewWriterSink(deps.Stdout), nil
	}
	return otlp.New(otlp.Config{
		Endpoint: receiver(cfg.OTLP.Logs, deps, dialer),
		Resource: func() []attribute.KeyValue { return node.resource(cfg, deps.Version, runtime()) },
		Version:  deps.Version,
	})
}

func openTelemetry(cfg Config, node Node, deps Deps, dialer *endpoint.Dialer) (*telemetry.Provider, error) {
	return telemetry.New(telemetry.Config{
		Endpoint: receiver(cfg.OTLP.Metrics.ReceiverConfig, deps, dialer),
		Interval: time.Duration(cfg.OTLP.Metrics.Interval),
		Resource: node.resource(cfg, deps.Version, enrich.Runtime{}), // once and for all, and before the runtime is known
		Version:  deps.Version,
		Log:      deps.Logger,
	})
}

func receiver(cfg ReceiverConfig, deps Deps, dialer *endpoint.Dialer) endpoint.Config {
	return endpoint.Config{
		Dialer:   dialer,
		Endpoint: cfg.Endpoint, Protocol: cfg.Protocol,
		Headers: cfg.Headers, HeadersFile: cfg.HeadersFile,
		Compression: cfg.Compression, Timeout: time.Duration(cfg.Timeout),
		TLS: endpoint.TLS{
			CAFile: cfg.TLS.CAFile, CertFile: cfg.TLS.CertFile,
			KeyFile: cfg.TLS.KeyFile, Insecure: cfg.TLS.Insecure,
		},
		UserAgent: "pullcause/" + deps.Version,
		Log:       deps.Logger,
	}
}
