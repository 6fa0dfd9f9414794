package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pullcause/agent/diagnose"
)

// Text that is no program's own form may be anybody's: explain diagnoses it and says so.
// What has no time gets none.
func TestExplainOfText(t *testing.T) {
	for _, c := range []struct {
		line, source string
		confidence   diagnose.Confidence
		dated        bool
	}{
		{`Dec  1 00:10:00 host sshd[123]: Failed to pull image "r.example/x:1": rpc error: code = Unknown desc = unauthorized: authentication required`, "text", diagnose.Possible, true},
		{`somebody wrote that it failed to pull image "r.example/x:1": 403 Forbidden`, "text", diagnose.Possible, false},
		{`  Warning  Failed  15m (x4 over 17m)  kubelet  Failed to pull image "r.example/x:1": unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 403 Forbidden`, "event", diagnose.Certain, false},
		{`time="2026-11-23T22:48:47Z" level=error msg="PullImage \"r.example/x:1\" failed" error="unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 403 Forbidden"`, "containerd", diagnose.Certain, true},
	} {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		x := &explainer{out: w, print: newPrinter("json", w, false), zone: time.UTC, ref: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}
		if err := x.explain(t.Context(), bytes.NewBufferString(c.line+"\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var got explanation
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v: %q of %s", err, out.String(), c.line)
		}
		if got.Source != c.source || got.Confidence != c.confidence || got.Time.IsZero() == c.dated {
			t.Errorf("got source %s, confidence %s, time %s; want %s, %s, dated %v: %s", got.Source, got.Confidence, got.Time, c.source, c.confidence, c.dated, c.line)
		}
	}
}
