package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pullcause/agent"
	"pullcause/agent/detect"
)

// A line about more containers than are read from one line: the others are counted.
func TestFailuresBeyondTheBoundOfALineAreCounted(t *testing.T) {
	n := newNode(t)
	n.cfg.Pulls.JoinWindow = agent.Duration(20 * time.Millisecond)
	a, stop := n.run()
	defer stop()
	const more = 7
	var errs []string
	for i := range detect.MaxFailures + more {
		errs = append(errs, fmt.Sprintf(`failed to \"StartContainer\" for \"c%d\" with ErrImagePull: \"EOF\"`, i))
	}
	n.write(n.kubelet, fmt.Sprintf("E1124 10:00:00.203000   21023 pod_workers.go:1338] \"Error syncing pod, skipping\" err=\"[%s]\" pod=\"shop/web\" podUID=\"0d2a6b0e\"\n", strings.Join(errs, ", ")))
	want := fmt.Sprintf("pullcause_lost_total{reason=\"failures_in_line\"} %d\n", more)
	waitFor(t, want, func() bool { return strings.Contains(get(t, "http://"+a.PublicAddr()+"/metrics"), want) })
}
