package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail"
)

// A storm of losses is told in a few records, and none of it is left out.
func TestLossesAreSummedUp(t *testing.T) {
	var l losses
	now := time.Now()
	cut := logtail.Loss{Source: "file:/x", Reason: logtail.LostLineTooLong, Count: 1, Bytes: 10}
	full := logtail.Loss{Reason: "queue_full", Count: 5}
	for range 3 {
		l.add(cut)
	}
	expect := func(step string, away bool, want ...logtail.Loss) {
		t.Helper()
		if diff := cmp.Diff(want, l.due(now, away)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}
	sum := cut
	sum.Count, sum.Bytes = 3, 30
	expect("at once", false, sum)
	l.add(cut)
	now = now.Add(lossEvery - time.Second)
	expect("too soon", false)
	l.add(cut)
	l.add(full)
	now = now.Add(time.Second)
	sum.Count, sum.Bytes = 2, 20
	expect("a minute later, while the receiver is away", true, sum)
	expect("when it is back", false, full)
	expect("nothing is left", false)
	l.add(full)
	expect("too soon, and the receiver is away", true)
	if diff := cmp.Diff([]logtail.Loss{full}, l.rest(now)); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}
