//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// pullState is a pull in flight, as /debug/pulls shows it.
type pullState struct {
	Image, Phase, Host string
	Bytes              int64 `json:"bytes"`
	Size               int64 `json:"size_bytes"`
	Stalled            bool
	Layers             []struct {
		Digest, State string
		Bytes         int64
		Size          int64 `json:"size_bytes"`
	}
}

type pullList struct{ Pulls []pullState }

func pullsOf(t *testing.T, agent *process) []pullState {
	t.Helper()
	return ask[pullList](t, agent, "/debug/pulls").Pulls
}

// callsOf are the calls that the agent has made to the runtime, by method.
func callsOf(t *testing.T, agent *process) map[string]int64 {
	t.Helper()
	return ask[struct {
		Runtime struct{ Calls map[string]int64 } `json:"runtime"`
	}](t, agent, "/debug/node").Runtime.Calls
}

const ingests = "/containerd.services.content.v1.Content/ListStatuses"

func stalls(r *otlptest.Receiver) (events []otlptest.Record) {
	for _, rec := range r.Records() {
		if rec.Name == export.EventStalled {
			events = append(events, rec)
		}
	}
	return events
}

// TestStalledPull has a registry send 3 MiB of a layer of 30 and then nothing, while
// another pull goes on and one only asks for its manifest.
func TestStalledPull(t *testing.T) {
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		const stallAfter = 10 * time.Second
		receiver := listen(t)
		// A timeout of containerd's own ends the pull after 4s in the lab, but for 1.6.
		agent := startAgent(t, insideOf(node, fmt.Sprintf("pulls: {stall_after: %s, slow_after: 12s}", stallAfter)), receiver)
		until(t, 10*time.Second, "the agent to be there", func() bool { return len(cacheEvents(receiver)) > 0 })
		stuck, slow := appRegistry+"/large/stuck", appRegistry+"/large/slow"
		must(t, node.SetFault(stuck, lab.StalledEarly))
		must(t, node.SetFault(slow, lab.Slow))
		began := time.Now()
		cancelStuck, stuckEnded := pulling(t, node, stuck+":1.0")
		cancelSlow, slowEnded := pulling(t, node, slow+":1.0")
		until(t, 20*time.Second, "both downloads to show", func() bool {
			return arrived(t, agent, stuck) >= 3<<20 && arrived(t, agent, slow) > 1<<20
		})
		until(t, 30*time.Second, "the stalled and the slow one", func() bool { return len(stalls(receiver)) == 2 })
		select {
		case err := <-stuckEnded:
			t.Fatalf("containerd has given up before: %v", err)
		default:
		}
		for _, e := range stalls(receiver) {
			t.Log(e.Body)
			checkStall(t, e, began, stallAfter)
		}
		cancelStuck()
		cancelSlow()
		<-stuckEnded
		<-slowEnded
		until(t, 30*time.Second, "no pull in flight", func() bool { return len(pullsOf(t, agent)) == 0 })
		time.Sleep(6 * time.Second) // the look after the last pull
		before := callsOf(t, agent)[ingests]
		time.Sleep(12 * time.Second)
		if after := callsOf(t, agent)[ingests]; before == 0 || after != before {
			t.Errorf("%d calls of ListStatuses while pulls were in flight, %d more while none was", before, after-before)
		}
	})
}

// arrived is how many bytes of an image are there.
func arrived(t *testing.T, agent *process, repository string) int64 {
	t.Helper()
	for _, p := range pullsOf(t, agent) {
		if strings.HasPrefix(p.Image, repository) {
			return p.Bytes
		}
	}
	return 0
}

func checkStall(t *testing.T, e otlptest.Record, began time.Time, stallAfter time.Duration) {
	t.Helper()
	bytes, _ := e.Attributes[export.LayerBytesKey].(int64)
	size, _ := e.Attributes[export.LayerSizeKey].(int64)
	if text(e, export.ErrorTypeKey) != "stalled" || text(e, export.ServerAddressKey) != appRegistry ||
		!strings.HasPrefix(text(e, export.LayerDigestKey), "sha256:") || size < 30<<20 {
		t.Errorf("got %v", e.Attributes)
	}
	took := e.Received.Sub(began)
	switch detail := text(e, export.CauseDetailKey); {
	case strings.Contains(text(e, export.ImageRefKey), "stuck"):
		// The layer begins up to a second after the pull, looks are 5 s apart, and the machine may be busy.
		if detail != "no_progress" || bytes != 3<<20 || took < stallAfter || took > stallAfter+10*time.Second {
			t.Errorf("stuck: got %s with %d bytes after %s", detail, bytes, took)
		}
	default:
		if detail != "slow" || bytes < 5<<20 {
			t.Errorf("slow: got %s with %d bytes after %s", detail, bytes, took)
		}
	}
}

// TestRestarts restarts containerd 20 times, half of them with -9 and while it pulls.
func TestRestarts(t *testing.T) {
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		receiver := listen(t)
		agent := startAgent(t, logsOf(node), receiver)
		connected := func() bool { return ask[nodeState](t, agent, "/debug/node").Runtime.State == "connected" }
		until(t, 10*time.Second, "the agent to be there", func() bool { return len(cacheEvents(receiver)) > 0 && connected() })
		must(t, node.Restart(t.Context(), true)) // so that all that is made once has been made
		within(t, 5*time.Second, connected)
		files, routines := descriptors(t, agent), goroutines(t, agent)
		var slowest time.Duration
		var interrupted []string
		for i := range 20 {
			kill := i%2 == 0
			if kill {
				repository := fmt.Sprintf("%s/app/interrupted-%d", appRegistry, i)
				interrupted = append(interrupted, repository)
				interrupt(t, node, agent, repository)
			} else {
				must(t, node.Restart(t.Context(), false))
			}
			slowest = max(slowest, within(t, 5*time.Second, connected))
		}
		t.Logf("connected again after %s at most", slowest.Round(time.Millisecond))
		for _, repository := range interrupted {
			must(t, node.SetFault(repository, lab.OK))
			must(t, node.Pull(t.Context(), repository+":1.0"))
		}
		want := []string{export.EventFailed + " runtime_unavailable", export.EventRecovered + " runtime_unavailable"}
		for _, repository := range interrupted {
			within(t, 10*time.Second, func() bool { return len(told(receiver, repository+":1.0")) >= len(want) })
			if diff := cmp.Diff(want, told(receiver, repository+":1.0")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", repository, diff)
			}
		}
		if n := len(failures(receiver.Records())); n != len(interrupted) {
			t.Errorf("got %d records of failures, want %d", n, len(interrupted))
		}
		within(t, 5*time.Second, func() bool { return descriptors(t, agent) <= files && goroutines(t, agent) <= routines })
		t.Logf("%d descriptors and %d goroutines, %d and %d before", descriptors(t, agent), goroutines(t, agent), files, routines)
	})
}

// interrupt kills containerd while it waits for the rest of a layer.
func interrupt(t *testing.T, node *lab.Node, agent *process, repository string) {
	t.Helper()
	must(t, node.SetFault(repository, lab.Stalled))
	_, ended := pulling(t, node, repository+":1.0")
	blob := "/v2" + strings.TrimPrefix(repository, appRegistry) + "/blobs/"
	within(t, 10*time.Second, func() bool {
		asked := slices.ContainsFunc(node.Requests(), func(r lab.Request) bool { return strings.HasPrefix(r.Path, blob) })
		return asked && len(pullsOf(t, agent)) == 1
	})
	must(t, node.Restart(t.Context(), true))
	if err := <-ended; err == nil {
		t.Fatal("the pull did not end")
	}
}

// within waits until is holds and returns how long that took.
func within(t *testing.T, patience time.Duration, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > patience {
			t.Fatalf("waited %s in vain", patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

// oneRequest leaves no connection open.
var oneRequest = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// descriptors counts the open files of an agent.
func descriptors(t *testing.T, agent *process) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", agent.cmd.Process.Pid))
	must(t, err)
	return len(open)
}

// goroutines counts those of an agent.
func goroutines(t *testing.T, agent *process) int {
	t.Helper()
	metrics := metricsOf(t, agent)
	var n int
	_, rest, ok := strings.Cut(metrics, "\ngo_goroutines ")
	if _, err := fmt.Sscan(rest, &n); err != nil || !ok {
		t.Fatalf("no number of goroutines in:\n%s", metrics)
	}
	return n
}

// metricsOf are the numbers of an agent, in the Prometheus text format.
func metricsOf(t *testing.T, agent *process) string {
	t.Helper()
	r, err := oneRequest.Get("http://" + agent.public + "/metrics")
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	return string(text)
}
