package agent

import (
	"fmt"
	"strings"
	"testing"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
)

// The attempts that are kept are bounded by number and by size, and those that are kept are
// found by their incident.
func TestAttemptsAreBoundedBySize(t *testing.T) {
	for _, c := range []struct {
		size, pods int
		kept       int // at least
	}{
		{size: 100, kept: maxAttempts},
		{size: 24 << 10, kept: 100},
		{size: 100, pods: 1000, kept: 15},
		{size: 2 * maxAttemptBytes, kept: 1},
	} {
		var r ring
		const all = 3000
		for i := range all {
			a := debug.Attempt{UID: fmt.Sprint(i), Incident: fmt.Sprint("i", i), HTTPStatus: i, Error: strings.Repeat("x", min(c.size, 8<<10)), Lines: strings.Repeat("y", max(c.size-8<<10, 0))}
			for range c.pods {
				a.Pods = append(a.Pods, attempt.Pod{Pod: detect.Pod{Name: "web-0", Namespace: "shop"}})
			}
			r.add(a)
		}
		sum := 0
		found := r.find(debug.AttemptQuery{Limit: all})
		for i, a := range found {
			sum += len(a.Error) + len(a.Lines) + 100*len(a.Pods)
			if a.UID != fmt.Sprint(all-1-i) || a.Number != int64(all-i) || r.status(a.Incident) != all-1-i {
				t.Fatalf("size %d: attempt %d is %s with number %d", c.size, i, a.UID, a.Number)
			}
		}
		if len(found) < c.kept || len(found) > maxAttempts || sum > maxAttemptBytes && len(found) > 1 {
			t.Errorf("size %d: got %d attempts of %d bytes, want at least %d of at most %d", c.size, len(found), sum, c.kept, maxAttemptBytes)
		}
		if got := r.status("i0"); got != 0 || len(r.newest) != len(found) {
			t.Errorf("size %d: %d incidents are remembered, want %d", c.size, len(r.newest), len(found))
		}
	}
}
