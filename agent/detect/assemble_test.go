package detect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/detect"
	"pullcause/logtail"
)

// What kubelet v1.37.2 writes about one failed pull, and journald stores as three
// entries of its process.
var failedPull = []string{
	`E1124 05:02:23.217665   21023 remote_image.go:334] "PullImage from image service failed" err=<`,
	"\trpc error: code = Unknown desc = failed to pull and unpack image \"r.test/x:1\": 403 Forbidden",
	` > image="r.test/x:1"`,
}

const noise = `I1124 05:02:23.217700       7 kubelet.go:2493] "SyncLoop (PLEG): event for pod"`

// assembled feeds lines, as "writer: line", one second apart, and notes what comes
// out: "writer: record", with "(cut)" behind one that lacks its end.
type assembled struct {
	detect.Assembler

	at  int
	out []string
}

var epoch = time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)

func (a *assembled) emit(rec logtail.Record, cut bool) {
	text := rec.Writer + ": " + string(rec.Body)
	if cut {
		text += " (cut)"
	}
	a.out = append(a.out, text)
}

func (a *assembled) add(broken bool, line string) (more bool) {
	writer, body, _ := strings.Cut(line, ": ")
	rec := logtail.Record{
		Writer: writer, Body: []byte(body), Broken: broken, Time: epoch.Add(time.Duration(a.at) * time.Second),
		Pos: logtail.Position{Offset: int64(a.at)}, End: logtail.Position{Offset: int64(a.at + 1)},
	}
	a.at++
	return a.Add(rec, a.emit)
}

// Two kubelets (or a kubelet and a runtime) write at once: each record keeps its lines.
func TestAssemblerKeepsWritersApart(t *testing.T) {
	t.Parallel()
	var a assembled
	for i, line := range failedPull {
		for _, writer := range []string{"7", "8"} {
			if more := a.add(false, writer+": "+line); more != (i < 2) {
				t.Errorf("line %d of %s: got more %v", i, writer, more)
			}
		}
		a.add(false, "9: "+noise)
	}
	whole := strings.Join(failedPull, "\n")
	want := []string{"9: " + noise, "9: " + noise, "7: " + whole, "8: " + whole, "9: " + noise}
	if diff := cmp.Diff(want, a.out); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A place that is stored must not lie within a record: after a restart its end alone
// would say nothing.
func TestAssemblerHoldsThePlace(t *testing.T) {
	t.Parallel()
	var a assembled
	if _, ok := a.Begin(); ok {
		t.Error("got a place of nothing")
	}
	a.add(false, "9: "+noise)
	a.add(false, "7: "+failedPull[0])
	a.add(false, "8: "+failedPull[0])
	a.add(false, "7: "+failedPull[1])
	if pos, ok := a.Begin(); !ok || pos.Offset != 1 {
		t.Errorf("got %v, %v, want the place of the first line of 7", pos, ok)
	}
	a.add(false, "7: "+failedPull[2])
	if pos, ok := a.Begin(); !ok || pos.Offset != 2 {
		t.Errorf("got %v, %v, want the place of the first line of 8", pos, ok)
	}
}

// journald breaks lines that are longer than its LineMax (48 KiB).
func TestAssemblerJoinsBrokenLines(t *testing.T) {
	t.Parallel()
	var a assembled
	a.add(true, "7: "+noise[:20])
	a.add(false, "8: other")
	a.add(true, "7: "+noise[20:30])
	a.add(false, "7: "+noise[30:])
	a.add(true, "7: "+failedPull[0][:50])
	a.add(false, "7: "+failedPull[0][50:])
	a.add(false, "7: "+failedPull[1])
	a.add(false, "7: "+failedPull[2])
	want := []string{"8: other", "7: " + noise, "7: " + strings.Join(failedPull, "\n")}
	if diff := cmp.Diff(want, a.out); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// The kubelet is killed in the middle of a record: what there is must be told, and
// must not hold the place for ever.
func TestAssemblerGivesUp(t *testing.T) {
	t.Parallel()
	var a assembled
	a.add(false, "7: "+failedPull[0]) // second 0
	a.add(false, "8: "+failedPull[0])
	a.add(false, "7: "+failedPull[1]) // 2
	a.Expire(epoch.Add(6500*time.Millisecond), a.emit)
	a.Expire(epoch.Add(7*time.Second), a.emit)
	want := []string{"8: " + failedPull[0] + " (cut)"}
	if diff := cmp.Diff(want, a.out); diff != "" {
		t.Errorf("after 5 s (-want +got):\n%s", diff)
	}
	a.Flush(a.emit)
	want = append(want, "7: "+failedPull[0]+"\n"+failedPull[1]+" (cut)")
	if diff := cmp.Diff(want, a.out); diff != "" {
		t.Errorf("after all (-want +got):\n%s", diff)
	}
}

// Anyone can make any number of processes write half records.
func TestAssemblerIsBounded(t *testing.T) {
	t.Parallel()
	var a assembled
	for i := range 100 {
		a.add(false, fmt.Sprintf("%d: %s", i, failedPull[0]))
	}
	if len(a.out) != 36 || !strings.HasPrefix(a.out[0], "0: ") {
		t.Errorf("got %d records, want the 36 begun first to be given up", len(a.out))
	}
	var b assembled
	piece := strings.Repeat("x", 48<<10)
	for range 30 {
		b.add(true, "7: "+piece)
	}
	if len(b.out) == 0 || len(b.out[0]) > logtail.MaxLine+len("7:  (cut)") || !strings.HasSuffix(b.out[0], "(cut)") {
		t.Errorf("got %d records, want one cut at %d bytes", len(b.out), logtail.MaxLine)
	}
}
