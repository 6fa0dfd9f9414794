package agent

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/debug"
)

func uids(attempts []debug.Attempt) (uids []string) {
	for _, a := range attempts {
		uids = append(uids, a.UID)
	}
	return uids
}

func TestRingFindsPages(t *testing.T) {
	var r ring
	for n := 1; n <= maxAttempts+5; n++ {
		r.add(debug.Attempt{UID: fmt.Sprint(n), Incident: fmt.Sprint("incident-", n%2), BackOff: n%5 == 0})
	}
	for _, tt := range []struct {
		query debug.AttemptQuery
		want  []string
	}{
		{debug.AttemptQuery{Limit: 3}, []string{"1005", "1004", "1003"}},
		{debug.AttemptQuery{Limit: 3, Before: 1003}, []string{"1002", "1001", "1000"}},
		{debug.AttemptQuery{Limit: 3, Before: 8}, []string{"7", "6"}}, // 5 was overwritten
		{debug.AttemptQuery{Limit: 3, Before: 6}, nil},
		{debug.AttemptQuery{Limit: 1, Before: 99_999}, []string{"1005"}}, // of an earlier life
		{debug.AttemptQuery{Limit: 3, Incident: "incident-1"}, []string{"1005", "1003", "1001"}},
		{debug.AttemptQuery{Limit: 3, NoBackOffs: true}, []string{"1004", "1003", "1002"}},
		{debug.AttemptQuery{}, nil},
	} {
		if diff := cmp.Diff(tt.want, uids(r.find(tt.query))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.query, diff)
		}
	}
}

// The status of an incident is that of its newest attempt: not of a back-off, which has
// none, nor of the next incident of the same image.
func TestStatusBelongsToItsIncident(t *testing.T) {
	var r ring
	r.add(debug.Attempt{Incident: "old", HTTPStatus: 401})
	r.add(debug.Attempt{Incident: "new", HTTPStatus: 429})
	r.add(debug.Attempt{Incident: "new", BackOff: true})
	r.add(debug.Attempt{HTTPStatus: 500})
	for id, want := range map[string]int{"old": 401, "new": 429, "": 0, "none": 0} {
		if got := r.status(id); got != want {
			t.Errorf("%q: got %d, want %d", id, got, want)
		}
	}
	for range maxAttempts {
		r.add(debug.Attempt{Incident: "newer", HTTPStatus: 503})
	}
	if got := r.status("old"); got != 0 || len(r.newest) != 1 {
		t.Errorf("got %d of an attempt that is no longer kept, and %d numbers", got, len(r.newest))
	}
}
