package debug_test

import (
	"strings"
	"testing"

	"pullcause/agent/export"
)

// The page knows the exporter's status by its names in JSON; this holds both
// to them.
func TestDeliveryOfTheExporter(t *testing.T) {
	w := outage()
	w.delivery = export.Status{
		Endpoint: "http://cubeapm:3130", Outcome: export.Retry, Answer: "503 Service Unavailable", Queued: 2, QueuedBytes: 512,
		Delivered: 7, Lost: map[export.Result]int64{export.QueueFull: 1}, LastSuccess: now, NextTry: now,
	}
	got := text(t, show(t, w, "/"))
	const want = `
## Delivery
Receiver: http://cubeapm:3130
State: The receiver does not answer, records wait 503 Service Unavailable
Next try: in 0 s
Delivered: 7 records, last 0 s ago
Waiting: 2 records, 512 B
Lost: 1 queue full
`
	if !strings.Contains(got, want) {
		t.Errorf("got:\n%s", got)
	}
	for outcome, words := range map[export.Outcome]string{
		"":                   "Nothing has been sent yet",
		export.Acknowledged:  "The receiver takes records",
		export.Misconfigured: "The receiver refuses every record",
		export.Rejected:      "The receiver refused a record",
	} {
		w.delivery = export.Status{Outcome: outcome}
		if got := text(t, show(t, w, "/")); !strings.Contains(got, words) {
			t.Errorf("%q: got:\n%s", outcome, got)
		}
	}
}
