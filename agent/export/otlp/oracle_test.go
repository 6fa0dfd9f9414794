package otlp_test

import (
	"context"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

// TestSameAsTheSDK holds what we send against what the OpenTelemetry logs SDK
// sends of the same records.
func TestSameAsTheSDK(t *testing.T) {
	records := []export.Record{record(1), record(2)}
	records[1].Severity = export.SeverityError
	records[1].Attributes = append(records[1].Attributes,
		export.Attribute{Key: "x.bool", Value: true}, export.Attribute{Key: "x.float", Value: 0.25},
		export.Attribute{Key: "x.negative", Value: int64(-1)}, export.Attribute{Key: "x.empty", Value: ""})

	r := listen(t, endpoint.ProtocolHTTP, otlptest.Config{})
	if v := newSink(t, endpoint.Config{Endpoint: r.URL()}).Export(t.Context(), records); v.Outcome != export.Acknowledged {
		t.Fatalf("verdict: %+v", v)
	}
	sendWithSDK(t, r.URL(), records)
	got, err := r.Wait(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(got[2:], got[:2], cmpopts.IgnoreFields(otlptest.Record{}, "Received")); diff != "" {
		t.Errorf("records (-SDK +ours):\n%s", diff)
	}
}

func sendWithSDK(t *testing.T, url string, records []export.Record) {
	t.Helper()
	exporter, err := otlploghttp.New(t.Context(), otlploghttp.WithEndpointURL(url))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(sdkresource.NewSchemaless(resource...)),
		sdklog.WithProcessor(sdklog.NewSimpleProcessor(exporter)),
	)
	logger := provider.Logger("pullcause", log.WithInstrumentationVersion("1.2.3"))
	severities := map[string]log.Severity{"WARN": log.SeverityWarn, "ERROR": log.SeverityError}
	for _, r := range records {
		var out log.Record
		out.SetEventName(r.Name)
		out.SetTimestamp(r.Time)
		out.SetObservedTimestamp(r.Observed)
		out.SetSeverity(severities[r.Severity])
		out.SetSeverityText(r.Severity)
		out.SetBody(attribute.StringValue(r.Body))
		for _, a := range r.Attributes {
			out.AddAttributes(keyValue(a))
		}
		logger.Emit(t.Context(), out)
	}
	if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func keyValue(a export.Attribute) attribute.KeyValue {
	key := attribute.Key(a.Key)
	switch v := a.Value.(type) {
	case int64:
		return key.Int64(v)
	case float64:
		return key.Float64(v)
	case bool:
		return key.Bool(v)
	case []string:
		return key.StringSlice(v)
	default:
		return key.String(v.(string))
	}
}
