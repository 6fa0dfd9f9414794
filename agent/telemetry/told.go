package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/redact"
)

// told logs when metrics can no longer be sent, and when they can again, instead
// of handing each error to the SDK's global handler.
type told struct {
	sdkmetric.Exporter

	log      *slog.Logger
	endpoint *endpoint.Endpoint
	failing  atomic.Bool
}

// Export implements [sdkmetric.Exporter].
func (t *told) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	err := t.Exporter.Export(ctx, data)
	if failing := err != nil; t.failing.Swap(failing) != failing {
		if failing {
			t.log.Warn("metrics are not taken by their receiver", "receiver", t.endpoint.Name(), "error", t.text(err))
		} else {
			t.log.Info("metrics are taken again", "receiver", t.endpoint.Name())
		}
	}
	return nil
}

// maxError bounds the text of an error, in bytes: the SDK puts the whole answer in it.
const maxError = 512

// text is an error without what the receiver was told in confidence, which it may
// repeat, and with the receiver's address in place of the one that the SDK was given.
func (t *told) text(err error) string {
	text := strings.ReplaceAll(err.Error(), endpoint.Placeholder, t.endpoint.Name())
	text = redact.Text(t.endpoint.Hide(text))
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}
