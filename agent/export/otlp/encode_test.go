package otlp

import (
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export"
)

func TestEncodingAllocatesNothing(t *testing.T) {
	e := newEncoder(described(attribute.String("service.name", "pullcause")), scope, "1")
	batch := []export.Record{{
		Name: export.EventFailed, Body: "body", Time: time.Unix(1, 0), Severity: export.SeverityWarn,
		Attributes: []export.Attribute{{Key: "a", Value: "b"}, {Key: "n", Value: int64(1)}},
	}}
	batch = append(batch, batch[0], batch[0])
	if n := testing.AllocsPerRun(100, func() { e.request(batch) }); n > 0 {
		t.Errorf("allocations: got %v, want none", n)
	}
}

// FuzzEncode: whatever the strings are, the message can be decoded, and what
// was valid in them is there again.
func FuzzEncode(f *testing.F) {
	f.Add("event", "body", "key", "value", int64(1), 1.5, int64(1_000))
	f.Add("\xff", "\x00\xfe", "", "é\xe9", int64(-1), math.Copysign(0, -1), int64(-5))
	f.Fuzz(func(t *testing.T, name, body, key, value string, number int64, float float64, nanos int64) {
		e := newEncoder(described(attribute.String(key, value)), name, body)
		batch := []export.Record{{
			Name: name, Body: body, Time: time.Unix(0, nanos), Severity: value,
			Attributes: []export.Attribute{
				{Key: key, Value: value},
				{Key: key, Value: number},
				{Key: key, Value: float},
				{Key: key, Value: []string{value, body}},
				{Key: key, Value: number > 0},
				{Key: key, Value: struct{}{}},
			},
		}, {}}
		var msg collogpb.ExportLogsServiceRequest
		if err := proto.Unmarshal(e.request(batch), &msg); err != nil {
			t.Fatal(err)
		}
		records := msg.GetResourceLogs()[0].GetScopeLogs()[0].GetLogRecords()
		if len(records) != 2 || len(records[0].GetAttributes()) != 6 {
			t.Fatalf("got %v", &msg)
		}
		if got := records[0].GetAttributes()[1].GetValue().GetIntValue(); got != number {
			t.Errorf("number: got %d, want %d", got, number)
		}
		if again, err := proto.Marshal(&msg); err != nil || len(again) == 0 {
			t.Errorf("marshal again: %v", err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := newEncoder(described(), scope, "1")
	r := export.Record{Name: export.EventFailed, Body: "shop/web-0 app: cannot pull nginx:1.27", Time: time.Unix(1, 0), Severity: export.SeverityWarn}
	for range 35 {
		r.Attributes = append(r.Attributes, export.Attribute{Key: "k8s.container.status.reason", Value: "a value of the length that most of them have"})
	}
	batch := make([]export.Record, 256)
	for i := range batch {
		batch[i] = r
	}
	b.ReportAllocs()
	for b.Loop() {
		e.request(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(256*b.N), "ns/record")
}

func described(resource ...attribute.KeyValue) func() []attribute.KeyValue {
	return func() []attribute.KeyValue { return resource }
}
