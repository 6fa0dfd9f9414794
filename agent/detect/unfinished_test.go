package detect

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
)

const blockHeader = `E1123 22:48:47.626362   21023 remote_image.go:334] "PullImage from image service failed" err=<`

func TestUnfinished(t *testing.T) {
	for _, c := range []struct {
		name, record string
		want         bool
	}{
		{"single line", `E1123 22:48:47.626362   21023 a.go:1] "x" err="y"`, false},
		{"opened", blockHeader, true},
		{"opened, carriage return", blockHeader + "\r", true},
		{"one line", blockHeader + "\n\tone", true},
		{"closed", blockHeader + "\n\tone\n > image=\"r/x:1\"", false},
		{"closed and opened again", blockHeader + "\n\tone\n > other=<", true},
		{"closed twice", blockHeader + "\n\tone\n > other=<\n\ttwo\n >", false},
		{"empty line in it", blockHeader + "\n\tone\n\t\n\n", true},
		{"a stranger", blockHeader + "\n\tone\nI1123 22:48:47.626362   21023 a.go:1] \"x\"", false},
		{"a stranger that opens", blockHeader + "\nW1\n" + blockHeader, false},
		{"another that opens", blockHeader + "\n" + blockHeader, true},
		{"no klog", `  output=<`, false},
		{"behind journal short", "Nov 23 22:48:47 n kubelet[1]: " + blockHeader + "\nNov 23 22:48:47 n kubelet[1]: \tone", true},
		{"closed behind journal short", "Nov 23 22:48:47 n kubelet[1]: " + blockHeader + "\nNov 23 22:48:47 n kubelet[1]: \tone\nNov 23 22:48:47 n kubelet[1]:  > image=\"r\"", false},
		{"too many lines", blockHeader + strings.Repeat("\n\tone", maxRecordLines), false},
		{"too many bytes", blockHeader + "\n\t" + strings.Repeat("x", maxRecordBytes), false},
	} {
		if got := Unfinished([]byte(c.record)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestStrangerIsRead checks that a line that cut into a value is not lost.
func TestStrangerIsRead(t *testing.T) {
	record := blockHeader + "\n\tfailed to pull and unpack image \"registry.example.com/a:1\"\n" + containerdFailed
	var images []string
	Detect(logtail.Record{Body: []byte(record)}, nil, func(s Signal) { images = append(images, s.Program+" "+s.Image) })
	if got := strings.Join(images, ", "); got != "kubelet , containerd registry.example.com/team/app:v1" {
		t.Errorf("got %q", got)
	}
}

func TestContinues(t *testing.T) {
	event := `  Warning  Failed  15m  kubelet  Failed to pull image "r/x:1": … 403 Forbidden`
	for _, c := range []struct {
		record, next string
		want         bool
	}{
		{event, "denied: requested access to the resource is denied", true},
		{event + "\ndenied: no", "unauthorized: authentication required", true},
		{event, "toomanyrequests: You have reached your pull rate limit.", true},
		{event, "denied by the admission webhook", false},
		{event, "unknownhost: x", false},
		{event, `  Normal  BackOff  1m  kubelet  Back-off pulling image "r/x:1"`, false},
		{event, "", false},
		{`E1123 22:48:47.626362   21023 m.go:1] container &Container{} start failed in pod a_b(c): ErrImagePull: 403 Forbidden`, "denied: no", true},
		{containerdFailed, "denied: no", false},
		{kubeletFailed, "denied: no", false},
		{"hello", "denied: no", false},
		{blockHeader, "\tone", true},
		{blockHeader, "one", false},
		{blockHeader + "\n\tone", ` > image="r/x:1"`, true},
	} {
		if got := Continues([]byte(c.record), []byte(c.next)); got != c.want {
			t.Errorf("Continues(%.60q, %q) = %v", c.record, c.next, got)
		}
		if c.want && !MayContinue([]byte(c.record)) {
			t.Errorf("MayContinue(%.60q) = false", c.record)
		}
	}
}

func TestFind(t *testing.T) {
	for _, line := range noise {
		if i := Find([]byte(line)); i >= 0 {
			t.Errorf("noise is found at %q: %s", line[i:], line)
		}
	}
	block := []byte(strings.Join(noise, "\n") + "\n" + hostLine + "\n" + noise[0] + "\n")
	i := Find(block)
	if i < 0 {
		t.Fatal("nothing found")
	}
	begin := bytes.LastIndexByte(block[:i], '\n') + 1
	if line, _, _ := bytes.Cut(block[begin:], []byte("\n")); string(line) != hostLine {
		t.Errorf("found %q", line)
	}
	if n := testing.AllocsPerRun(100, func() { Find(block) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNoiseIsFree checks that lines that tempt are dismissed without an
// allocation.
func TestNoiseIsFree(t *testing.T) {
	var detector Detector
	for _, line := range noise {
		rec := logtail.Record{Body: []byte(line), Observed: time.Unix(0, 0)}
		if n := testing.AllocsPerRun(100, func() { detector.Detect(rec, func(Signal) {}) }); n != 0 {
			t.Errorf("%v allocations for %s", n, line)
		}
	}
}
