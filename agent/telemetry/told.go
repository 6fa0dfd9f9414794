package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

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

	mu            sync.Mutex
	failing       bool
	misconfigured string // what to change; empty if nothing is known to be wrong
}

// Export implements [sdkmetric.Exporter].
func (t *told) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	t.note(t.Exporter.Export(ctx, data))
	return nil
}

// note logs a result that differs from the one before.
func (t *told) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	failed, advice := t.failing, t.misconfigured
	t.failing, t.misconfigured = err != nil, ""
	if m, ok := errors.AsType[*endpoint.MismatchError](err); ok {
		t.misconfigured = m.Advice
	}
	switch {
	case t.misconfigured != "" && t.misconfigured != advice:
		t.log.Error("metrics receiver is misconfigured; nothing is delivered until the configuration is changed",
			"receiver", t.endpoint.Name(), "error", t.text(err))
	case err != nil && !failed:
		t.log.Warn("metrics are not taken by their receiver", "receiver", t.endpoint.Name(), "error", t.text(err))
	case err == nil && failed:
		t.log.Info("metrics are taken again", "receiver", t.endpoint.Name())
	}
}

// ready reports whether the receiver is not known to be misconfigured; if it is, the
// sentence says what to change.
func (t *told) ready() (bool, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.misconfigured != "" {
		return false, "metrics receiver " + t.endpoint.Name() + ": " + t.misconfigured
	}
	return true, ""
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
