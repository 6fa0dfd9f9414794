package tally

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
)

func record(tag, uid, cause string) otlptest.Record {
	return otlptest.Record{Name: export.EventFailed, Received: time.Unix(1, 0), Attributes: map[string]any{
		export.ImageTagKey: tag, export.LogRecordUIDKey: uid, export.ErrorTypeKey: cause,
	}}
}

func TestCheck(t *testing.T) {
	tally := New()
	for _, r := range []otlptest.Record{
		record("good", "1", "dns"),
		record("twice", "2", "dns"), record("twice", "2", "dns"),
		record("split", "3", "dns"), record("split", "4", "dns"),
		record("wrong", "5", "tls"),
		record("v1", "6", "dns"),
		{Name: export.EventAbandoned},
	} {
		tally.Add(r)
	}
	got := tally.Check(map[string]string{"good": "dns", "twice": "dns", "split": "dns", "wrong": "dns", "missing": "dns"})
	if got.Good() {
		t.Error("this is not good")
	}
	if len(got.Samples) != 3 {
		t.Errorf("got samples %q, want three", got.Samples)
	}
	got.Samples = nil
	want := Check{Wanted: 5, Arrived: 4, Missing: []string{"missing"}, Twice: 1, Split: 1, False: 1, Misjudged: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWait(t *testing.T) {
	tally := New()
	go tally.Add(record("a", "1", "dns"))
	if err := tally.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tally.Wait(ctx, 2); err == nil {
		t.Error("waited for two and got one, without an error")
	}
	if a, ok := tally.Get("a"); !ok || a.Records != 1 || a.Cause != "dns" {
		t.Errorf("got %+v, %v", a, ok)
	}
}
