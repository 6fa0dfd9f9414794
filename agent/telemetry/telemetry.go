// Package telemetry keeps the agent's own numbers: one set of instruments, shown
// in the Prometheus format and sent as OTLP metrics under the same names. Start
// at [New]; the instruments are in metrics.go.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"pullcause/agent/export/otlp/endpoint"
)

// scope is the name of the instrumentation scope.
const scope = "pullcause"

// Config says where the numbers go.
type Config struct {
	// Endpoint is the OTLP receiver of metrics; none if its address is empty.
	Endpoint endpoint.Config
	// Interval is how often they are sent there.
	Interval time.Duration
	// Resource describes the node, Version the program.
	Resource []attribute.KeyValue
	Version  string
	Log      *slog.Logger
}

// Provider holds the instruments and shows or sends what they count.
type Provider struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	metrics  *Metrics
	log      *slog.Logger
	sent     *told // nil without a receiver
	closers  []func() error
}

// New makes the instruments. An error says which setting of the receiver is
// wrong; that it cannot be reached is none.
func New(cfg Config) (*Provider, error) {
	p := &Provider{registry: prometheus.NewRegistry(), log: cfg.Log}
	exporter, err := promexporter.New(
		promexporter.WithRegisterer(p.registry),
		// The names are Prometheus names already, so that they are the same in
		// OTLP, where nobody would change them.
		promexporter.WithTranslationStrategy(otlptranslator.NoTranslation),
		promexporter.WithoutScopeInfo(),
		promexporter.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	options := []sdkmetric.Option{
		sdkmetric.WithReader(exporter),
		sdkmetric.WithResource(resource.NewSchemaless(cfg.Resource...)),
	}
	if cfg.Endpoint.Endpoint != "" {
		reader, err := p.otlpReader(cfg)
		if err != nil {
			return nil, fmt.Errorf("otlp metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	p.provider = sdkmetric.NewMeterProvider(options...)
	p.metrics, err = newMetrics(p.provider.Meter(scope), cfg.Version)
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p, nil
}

// otlpReader sends the metrics at an interval. Numbers are cumulative, so one
// that could not be sent is made good by the next.
func (p *Provider) otlpReader(cfg Config) (sdkmetric.Reader, error) {
	e, err := endpoint.New(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := p.otlpExporter(e)
	if err != nil {
		return nil, err
	}
	p.sent = &told{Exporter: exporter, log: p.log, endpoint: e}
	return sdkmetric.NewPeriodicReader(
		p.sent,
		sdkmetric.WithInterval(cfg.Interval), sdkmetric.WithTimeout(e.Timeout()),
	), nil
}

func (p *Provider) otlpExporter(e *endpoint.Endpoint) (sdkmetric.Exporter, error) {
	ctx := context.Background() // not kept by the exporters
	if e.Protocol() == endpoint.ProtocolHTTP {
		client := e.Client()
		p.closers = append(p.closers, func() error { client.CloseIdleConnections(); return nil })
		return otlpmetrichttp.New(ctx,
			otlpmetrichttp.WithEndpointURL(endpoint.Placeholder),
			otlpmetrichttp.WithHTTPClient(client),
			otlpmetrichttp.WithCompression(otlpmetrichttp.NoCompression), // the client's
			otlpmetrichttp.WithHeaders(map[string]string{}),
			otlpmetrichttp.WithTimeout(e.Timeout()),
		)
	}
	conn, err := e.Conn()
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, conn.Close)
	return otlpmetricgrpc.New(ctx,
		otlpmetricgrpc.WithGRPCConn(conn),
		otlpmetricgrpc.WithHeaders(map[string]string{}),
		otlpmetricgrpc.WithTimeout(e.Timeout()),
	)
}

// Metrics are the instruments.
func (p *Provider) Metrics() *Metrics { return p.metrics }

// Ready reports whether the receiver is not known to be misconfigured; if it is, the
// sentence says what to change.
func (p *Provider) Ready() (bool, string) {
	if p.sent == nil {
		return true, ""
	}
	return p.sent.ready()
}

// Handler serves the numbers in the Prometheus text format.
func (p *Provider) Handler() http.Handler {
	return promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, // nobody needs more, and each takes memory
	})
}

// Shutdown sends the last numbers and ends.
func (p *Provider) Shutdown(ctx context.Context) error {
	if err := p.provider.Shutdown(ctx); err != nil {
		// No reason to call a run failed: counters say it again next time.
		p.log.Warn("last metrics were not sent", slog.Any("error", err))
	}
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}
