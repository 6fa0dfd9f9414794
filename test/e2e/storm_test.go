//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// stormPods are as many as a kubelet takes (110), with room for others.
const stormPods = 100

// TestStorm has a hundred pods wait for one image, then for a hundred: what is told
// must stay readable, and stand for every attempt.
func TestStorm(t *testing.T) {
	requireRoot(t)
	for name, imageOf := range map[string]func(int) string{
		"one image":        func(int) string { return appRegistry + "/app/storm:1.0" },
		"a hundred images": func(i int) string { return fmt.Sprintf("%s/app/storm-%d:1.0", appRegistry, i) },
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			storm(t, imageOf)
			t.Logf("%s took %s", name, time.Since(began).Round(time.Second))
		})
	}
}

func storm(t *testing.T, imageOf func(int) string) {
	node := startNode(t, lab.KubeletVersions()[0], lab.Options{MaxParallelPulls: 10})
	receiver := listen(t)
	agent := startAgent(t, logsOf(node), receiver)
	images := map[string]bool{}
	for i := range stormPods {
		image := imageOf(i)
		if !images[image] {
			images[image] = true
			must(t, node.SetFault(image[:len(image)-len(":1.0")], lab.NotFound))
		}
		_, err := node.AddPod(lab.Manifest{Namespace: "shop", Name: fmt.Sprint("storm-", i), Containers: []lab.Container{{Name: "app", Image: image}}})
		must(t, err)
	}
	until(t, 3*time.Minute, "two attempts of each pod", func() bool {
		counts := attempts(kubeletLog(t, node))
		n := 0
		for _, c := range counts {
			if c >= 2 {
				n++
			}
		}
		return n == stormPods
	})
	time.Sleep(3 * time.Second)
	agent.stop(t)
	must(t, receiver.Problems())
	made := 0
	for _, n := range attempts(kubeletLog(t, node)) {
		made += n
	}
	records := failures(receiver.Records())
	numbers := numbersOf(records)
	t.Logf("%d attempts of %d pods for %d images: %d records", made, stormPods, len(images), len(records))
	for image := range images {
		checkStorm(t, image, numbers[image], made/len(images))
	}
}

// number is which attempt a record tells of, and how many it stands for.
type number struct{ attempt, since int64 }

func numbersOf(records []otlptest.Record) map[string][]number {
	numbers := map[string][]number{}
	for _, r := range records {
		image := text(r, export.ImageRefKey)
		attempt, _ := r.Attributes[export.AttemptKey].(int64)         // absent is 0
		since, _ := r.Attributes[export.AttemptsSinceLastKey].(int64) // absent is 1
		numbers[image] = append(numbers[image], number{attempt, max(since, 1)})
	}
	return numbers
}

// checkStorm checks the rule: every attempt up to the tenth, then one record for each
// doubling of their count.
func checkStorm(t *testing.T, image string, got []number, about int) {
	t.Helper()
	var want []number
	for n := int64(1); n <= int64(about); n++ {
		switch {
		case n <= 10:
			want = append(want, number{n, 1})
		case n%10 == 0 && n/10&(n/10-1) == 0:
			want = append(want, number{n, n / 2})
		}
	}
	if len(got) > len(want) && about < 10 {
		got = got[:len(want)] // this one was tried once more often than the others
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: attempts and what they stand for: got %v, want %v", image, got, want)
	}
}
