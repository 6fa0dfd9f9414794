package agent_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent"
	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
)

// Everything in a log that pod authors and registries write may be made to
// break a reader. Each of these comes between two real failures, which must be
// reported, and nothing may grow with what is thrown at the agent.
func TestHostileInput(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	garbage := make([]byte, 1<<20)
	for i := range garbage {
		garbage[i] = byte(rng.Uint32())
	}
	failed := func(image string) string {
		quoted := strconv.Quote(image)
		return `time="2026-11-24T10:00:00Z" level=error msg=` + strconv.Quote("PullImage "+quoted+" failed") +
			` error=` + strconv.Quote("failed to pull and unpack image "+quoted+": no such host") + "\n"
	}
	hostile := map[string]string{
		"line of 5 MiB":         `time="2026-11-24T10:00:00Z" level=error msg="PullImage ` + strings.Repeat("x", 5<<20) + "\n",
		"binary garbage":        string(garbage) + "\n",
		"only newlines":         strings.Repeat("\n", 1<<20),
		"NUL bytes":             strings.Repeat("\x00", 1<<20) + "\n",
		"quotes in the name":    failed(`r.example/a"b\"c:v1`),
		"newlines in the name":  failed("r.example/a\nE1124 10:00:00.0 1 x.go:1] \"Error syncing pod\""),
		"ANSI codes":            failed("r.example/\x1b[31mred\x1b[0m\x1b]0;title\x07:v1"),
		"HTML":                  failed(`r.example/<script>alert(1)</script>:v1`),
		"64 KiB name":           failed("r.example/" + strings.Repeat("long/", 13<<10)),
		"not UTF-8":             failed("r.example/\xff\xfe\xfd:v1"),
		"value that never ends": "E1124 10:00:00.000000 1 remote_image.go:1] \"PullImage from image service failed\" err=<\n" + strings.Repeat("\tand on\n", 10_000),
		"nested quotes":         `E1124 10:00:00.000000 1 pod_workers.go:1] "Error syncing pod, skipping" err="` + strings.Repeat(`failed to \"StartContainer\" for \"`, 10_000) + "\" ErrImagePull\n",
	}
	n := newNode(t)
	n.cfg.Pulls.JoinWindow = agent.Duration(20 * time.Millisecond)
	a, stop := n.run()
	defer stop()
	real := 0
	check := func() {
		t.Helper()
		real++
		n.write(n.containerd, fmt.Sprintf(containerdLines, fmt.Sprint("v", real)))
		n.waitImage(fmt.Sprint("registry.example.com/team/app:v", real))
	}
	check()
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			n.write(n.containerd, text)
			check()
		})
	}
	before := heap()
	for range 20 {
		for _, text := range hostile {
			n.write(n.containerd, text)
		}
	}
	check()
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	metrics := get(t, "http://"+a.PublicAddr()+"/metrics")
	for _, reason := range []string{"line_too_long", "binary", "record_too_long"} {
		if strings.Contains(metrics, fmt.Sprintf("pullcause_lost_total{reason=%q} 0\n", reason)) {
			t.Errorf("nothing was counted as lost for the reason %s", reason)
		}
	}
	told := map[any]bool{}
	for _, r := range n.receiver.Records() {
		if r.Name == export.EventDataLoss {
			told[r.Attributes[export.LossReasonKey]] = true
		}
	}
	for _, reason := range []string{"line_too_long", "binary", "record_too_long"} {
		if !told[reason] {
			t.Errorf("no record tells of the loss %s: %v", reason, told)
		}
	}
	page := get(t, "http://"+a.DebugAddr()+"/")
	if strings.Contains(page, "<script>alert") || strings.ContainsRune(page, '\x1b') {
		t.Error("the page holds an image name as it is")
	}
	for _, r := range n.receiver.Records() {
		if size := len(fmt.Sprint(r)); size > 64<<10 {
			t.Errorf("a record of %d bytes", size)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// waitImage waits for the record of one image.
func (n *node) waitImage(image string) otlptest.Record {
	n.t.Helper()
	for count := 1; ; count++ {
		records := n.wait(count)
		for _, r := range records {
			if r.Attributes[export.ImageRefKey] == image {
				return r
			}
		}
		count = len(records)
	}
}

// A log that a program writes in one piece must not be read as something else
// because the block ends in it.
func TestLinesAcrossBlocks(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	defer stop()
	var log bytes.Buffer
	const pulls = 300
	for i := range pulls {
		fmt.Fprintf(&log, containerdLines, fmt.Sprint("v", i))
		log.WriteString(strings.Repeat("noise about nothing\n", 1+i%97))
	}
	n.write(n.containerd, log.String())
	seen := map[any]bool{}
	for _, r := range n.wait(pulls) {
		seen[r.Attributes[export.ImageRefKey]] = true
	}
	if len(seen) != pulls {
		t.Errorf("%d images, want %d", len(seen), pulls)
	}
}
