package nodelog

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// write makes n records, a millisecond apart.
func write(cfg Config, n int) (text []byte, pulls []*Pull, log *Log) {
	log = New(cfg)
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for range n {
		var p *Pull
		var last bool
		text, p, last = log.Next(text, at)
		if last {
			pulls = append(pulls, p)
		}
		at = at.Add(time.Millisecond)
	}
	return text, pulls, log
}

func TestLog(t *testing.T) {
	cfg := Config{Seed: 7, Failing: 0.1, Quiet: 0.2, Zone: time.UTC}
	text, pulls, log := write(cfg, 100_000)
	again, _, _ := write(cfg, 100_000)
	if !bytes.Equal(text, again) {
		t.Error("the same seed made another text")
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines = lines[:len(lines)-1]
	if int64(len(lines)) != log.Lines() {
		t.Errorf("counted %d lines, have %d", log.Lines(), len(lines))
	}
	if average := len(text) / len(lines); average < Average-10 || average > Average+30 {
		t.Errorf("a line has %d bytes on average, want about %d", average, Average)
	}
	t.Logf("%d lines of %d bytes on average", len(lines), len(text)/len(lines))
	failing, containerd, word := 0, 0, 0
	for _, l := range lines {
		switch {
		case strings.Contains(l, "bench-"):
			failing++
		case strings.HasPrefix(l, "time="):
			containerd++
			if strings.Contains(l, "PullImage") {
				word++
			}
		}
	}
	if share := float64(failing) / float64(len(lines)); share < 0.07 || share > 0.11 {
		t.Errorf("%.3f of the lines name a failing image, want about 0.1", share)
	}
	if share := float64(word) / float64(containerd); share < 0.11 || share > 0.14 {
		t.Errorf("%.3f of containerd's noise holds PullImage, want an eighth", share)
	}
	checkPulls(t, string(text), pulls)
}

func checkPulls(t *testing.T, text string, pulls []*Pull) {
	t.Helper()
	failed := make(map[string]int) // by image
	for l := range strings.Lines(text) {
		if _, after, ok := strings.Cut(l, `msg="PullImage \"`); ok && strings.Contains(l, `\" failed" error=`) {
			image, _, _ := strings.Cut(after, `\"`)
			failed[image]++
		}
	}
	tags, quiet, seen := map[string]bool{}, 0, map[string]bool{}
	for _, p := range pulls {
		if tags[p.Tag] {
			t.Errorf("tag %s twice", p.Tag)
		}
		tags[p.Tag], seen[p.Cause] = true, true
		if p.Quiet {
			quiet++
		}
		if failed[p.Image] != 1 {
			t.Errorf("%s: containerd tells %d times that it failed", p.Tag, failed[p.Image])
		}
	}
	if len(pulls) < 500 || len(seen) < 12 {
		t.Errorf("%d pulls with %d causes, want more of both", len(pulls), len(seen))
	}
	if share := float64(quiet) / float64(len(pulls)); share < 0.15 || share > 0.25 {
		t.Errorf("%.2f of the pulls are quiet, want 0.2", share)
	}
}

func TestDrain(t *testing.T) {
	_, _, log := write(Config{Seed: 1, Failing: 0.5}, 5000)
	log.Stop()
	at, pulls := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), log.Pulls()
	for n := 0; log.Pending() > 0; n++ {
		if n > 5000 {
			t.Fatal("the pulls under way never end")
		}
		log.Next(nil, at)
		at = at.Add(10 * time.Millisecond)
	}
	if log.Pulls() != pulls {
		t.Error("a pull began after Stop")
	}
}

func BenchmarkNext(b *testing.B) {
	log := New(Config{Seed: 1, Failing: 0.001})
	at := time.Now()
	var buf []byte
	for b.Loop() {
		buf, _, _ = log.Next(buf[:0], at)
		at = at.Add(time.Millisecond)
		b.SetBytes(int64(len(buf)))
	}
}
