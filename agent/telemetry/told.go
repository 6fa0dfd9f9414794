package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"pullcause/agent/redact"
)

// told logs when metrics can no longer be sent, and when they can again, instead
// of handing each error to the SDK's global handler.
type told struct {
	sdkmetric.Exporter

	log     *slog.Logger
	name    string
	failing atomic.Bool
}

// Export implements [sdkmetric.Exporter].
func (t *told) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	err := t.Exporter.Export(ctx, data)
	if failing := err != nil; t.failing.Swap(failing) != failing {
		if failing {
			t.log.Warn("metrics are not taken by their receiver", "receiver", t.name, "error", redact.Text(err.Error()))
		} else {
			t.log.Info("metrics are taken again", "receiver", t.name)
		}
	}
	return nil
}
