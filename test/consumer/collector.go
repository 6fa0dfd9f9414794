package consumer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CollectorConfig says how a [Collector] runs.
type CollectorConfig struct {
	// Program is the Collector, see [BuildCollector].
	Program string
	// LogsURL is where records go on to, StreamFields the header Cube-Stream-Fields
	// that they get.
	LogsURL, StreamFields string
}

// Collector is a running OpenTelemetry Collector.
type Collector struct {
	dir, http, grpc string
	process         *process
}

// collectorYAML has no queue between receiver and exporter: what the Collector
// acknowledges, the receiver behind it has acknowledged.
const collectorYAML = `
receivers:
  otlp:
    protocols:
      http: {endpoint: %q}
      grpc: {endpoint: %q}
exporters:
  otlp_http:
    logs_endpoint: %q
    headers: {Cube-Stream-Fields: %q}
    sending_queue: {enabled: false}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], exporters: [otlp_http]}
`

// StartCollector runs a Collector that receives OTLP on free loopback ports. The
// caller closes it.
func StartCollector(ctx context.Context, cfg CollectorConfig) (*Collector, error) {
	c := &Collector{}
	if err := c.start(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start collector: %w", err), c.Close())
	}
	return c, nil
}

func (c *Collector) start(ctx context.Context, cfg CollectorConfig) (err error) {
	if c.dir, err = os.MkdirTemp("", "pullcause-collector-"); err != nil {
		return err
	}
	for _, address := range []*string{&c.http, &c.grpc} {
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	file := filepath.Join(c.dir, "config.yaml")
	text := fmt.Sprintf(collectorYAML, c.http, c.grpc, cfg.LogsURL, cfg.StreamFields)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if c.process, err = startProcess(cfg.Program, c.dir, "--config", "file:"+file); err != nil {
		return err
	}
	if err := c.process.ready(ctx, c.HTTP()); err != nil {
		return err
	}
	return c.process.listening(ctx, c.grpc)
}

// HTTP is the endpoint of logs over HTTP.
func (c *Collector) HTTP() string { return "http://" + c.http + "/v1/logs" }

// GRPC is the endpoint over gRPC.
func (c *Collector) GRPC() string { return "http://" + c.grpc }

// Close ends it.
func (c *Collector) Close() error {
	var errs []error
	if c.process != nil {
		errs = append(errs, c.process.stop())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}
