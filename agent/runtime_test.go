package agent_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/agent"
	"pullcause/agent/export"
	"pullcause/cri"
	"pullcause/cri/critest"
)

// manyImages is a full node, as its runtime tells of it.
func manyImages() critest.Config {
	cfg := containerd()
	for i := range 10_000 {
		repository := fmt.Sprintf("registry.example.com/some/team/of/many/application-%d", i)
		cfg.Images = append(cfg.Images, cri.Image{
			ID: fmt.Sprintf("sha256:%064d", i), Tags: []string{repository + ":v1.2.3"},
			Digests: []string{fmt.Sprintf("%s@sha256:%064d", repository, i)}, Size: 100_000_000,
		})
	}
	return cfg
}

func containerd() critest.Config {
	return critest.Config{
		Version:    cri.Version{Name: "containerd", Version: "v2.4.2"},
		Filesystem: cri.Filesystem{Mountpoint: "/", UsedBytes: 5},
	}
}

func with(cfg critest.Config, change func(*critest.Config)) *critest.Config {
	change(&cfg)
	return &cfg
}

// A runtime that misbehaves does not delay what is told of failed pulls.
func TestRuntimeDelaysNothing(t *testing.T) {
	images := manyImages()
	runtimes := []struct {
		name string
		cfg  *critest.Config // nil: there is none
	}{
		{"none", nil}, // what the others are held against
		{"good", with(containerd(), func(*critest.Config) {})},
		{"1.9 s for each call", with(containerd(), func(c *critest.Config) { c.Delay = 1900 * time.Millisecond })},
		{"garbage", with(containerd(), func(c *critest.Config) { c.Garbage = true })},
		{"unimplemented", with(containerd(), func(c *critest.Config) {
			c.Refuse = map[string]codes.Code{critest.Every: codes.Unimplemented}
		})},
		{"10,000 images", &images},
		{"never an answer", with(containerd(), func(c *critest.Config) { c.Delay = time.Hour })},
		{"mute connections", &critest.Config{Instead: critest.Mute}},
		{"noise", &critest.Config{Instead: critest.Noise}},
	}
	// Generous: what is to be seen is a wait for the runtime, which would be seconds.
	const slack = 300 * time.Millisecond
	var table strings.Builder
	medians := map[bool]time.Duration{} // without a runtime, by whether the kubelet's log is read
	for _, kubelet := range []bool{true, false} {
		for _, runtime := range runtimes {
			t.Run(fmt.Sprintf("kubelet log %v/%s", kubelet, runtime.name), func(t *testing.T) {
				took := latencies(t, runtime.cfg, kubelet)
				median, worst := took[len(took)/2], took[len(took)-1]
				fmt.Fprintf(&table, "kubelet log %-5v  %-20s  median %6s  worst %6s\n",
					kubelet, runtime.name, median.Round(time.Millisecond), worst.Round(time.Millisecond))
				if runtime.cfg == nil {
					medians[kubelet] = median
				}
				if without, known := medians[kubelet]; known && median > without+slack {
					t.Errorf("a record took %s, and %s without a runtime", median, without)
				}
			})
		}
	}
	t.Logf("from the line to the record:\n%s", table.String())
}

// latencies are how long records of failed pulls took, sorted.
func latencies(t *testing.T, cfg *critest.Config, kubelet bool) []time.Duration {
	t.Helper()
	const pulls = 30
	n := newNode(t)
	if cfg != nil {
		socket := filepath.Join(t.TempDir(), "s")
		s, err := critest.Start(socket, *cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		n.cfg.CRI.Socket = socket
	}
	if !kubelet { // then the runtime is asked who waits, after nobody else has said
		n.cfg.Sources.Files = n.cfg.Sources.Files[:1]
		n.cfg.Pulls.JoinWindow = agent.Duration(50 * time.Millisecond)
	}
	_, stop := n.run()
	defer stop()
	took := make([]time.Duration, 0, pulls)
	for i := range pulls {
		tag := fmt.Sprint("v", i)
		written := time.Now()
		n.write(n.containerd, fmt.Sprintf(containerdLines, tag))
		if kubelet {
			n.write(n.kubelet, fmt.Sprintf(kubeletLines, tag))
		}
		n.waitImage("registry.example.com/team/app:" + tag)
		for _, r := range n.receiver.Records() {
			if r.Attributes[export.ImageRefKey] == "registry.example.com/team/app:"+tag {
				took = append(took, r.Received.Sub(written))
				break
			}
		}
	}
	slices.Sort(took)
	return took
}

// What is kept of 10,000 images is bounded.
func TestManyImagesFitInMemory(t *testing.T) {
	const bound = 16 << 20
	socket := filepath.Join(t.TempDir(), "s")
	s, err := critest.Start(socket, manyImages())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := newNode(t)
	before := heap()
	n.cfg.CRI.Socket = socket
	a, stop := n.run()
	defer stop()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(get(t, "http://"+a.DebugAddr()+"/debug/images?limit=10000"), "application-9999"); {
		if time.Now().After(end) {
			t.Fatal("the images were not listed")
		}
		time.Sleep(50 * time.Millisecond)
	}
	after := heap()
	t.Logf("the heap grew from %d to %d KiB", before>>10, after>>10)
	if after > before+bound {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// What is left out of a list that is too long is counted.
func TestLongAnswersAreCounted(t *testing.T) {
	cfg := manyImages()
	cfg.Images = append(cfg.Images, cri.Image{ID: "one too many"})
	socket := filepath.Join(t.TempDir(), "s")
	s, err := critest.Start(socket, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := newNode(t)
	n.cfg.CRI.Socket = socket
	a, stop := n.run()
	defer stop()
	const want = "pullcause_lost_total{reason=\"runtime_answer\"} 1\n"
	for end := time.Now().Add(20 * time.Second); !strings.Contains(get(t, "http://"+a.PublicAddr()+"/metrics"), want); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the metrics never say %s", want)
		}
	}
}
