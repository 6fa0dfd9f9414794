//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

const appRegistry = "registry.lab.test"

// crowd are 20 pods of three namespaces, and who of them waits for which image.
type crowd struct {
	pods    []lab.Manifest
	faults  map[string]lab.Fault // by repository
	waiters map[string][]waiter  // by image
}

func newCrowd() *crowd {
	c := &crowd{faults: map[string]lab.Fault{}, waiters: map[string][]waiter{}}
	for i := range 8 {
		c.add(fmt.Sprint("web-", i), []string{c.image("web", i, lab.NotFound)}, nil)
	}
	for i := range 3 {
		c.add(fmt.Sprint("init-", i), []string{c.image("after", i, lab.OK)}, []string{c.image("init", i, lab.Forbidden)})
	}
	for i := range 4 {
		c.add(fmt.Sprint("two-", i), []string{c.image("left", i, lab.Unauthorized), c.image("right", i, lab.NotFound)}, nil)
	}
	shared := c.image("shared", 0, lab.NotFound)
	for i := range 5 {
		c.add(fmt.Sprint("shared-", i), []string{shared}, nil)
	}
	return c
}

// image names an image of a repository of its own.
func (c *crowd) image(name string, i int, f lab.Fault) string {
	repository := fmt.Sprintf("%s/app/%s-%d", appRegistry, name, i)
	c.faults[repository] = f
	return repository + ":1.0"
}

func (c *crowd) add(name string, images, initImages []string) {
	m := lab.Manifest{Namespace: []string{"shop", "pay", "ops"}[len(c.pods)%3], Name: name}
	pod := m.Pod()
	for i, image := range initImages {
		container := fmt.Sprint("setup-", i)
		m.InitContainers = append(m.InitContainers, lab.Container{Name: container, Image: image})
		c.waiters[image] = append(c.waiters[image], waiter{pod.Namespace, pod.Name, pod.UID, container, "init"})
	}
	for i, image := range images {
		container := fmt.Sprint("app-", i)
		m.Containers = append(m.Containers, lab.Container{Name: container, Image: image})
		if len(initImages) == 0 { // else it is not pulled before the init container has ended
			c.waiters[image] = append(c.waiters[image], waiter{pod.Namespace, pod.Name, pod.UID, container, "container"})
		}
	}
	c.pods = append(c.pods, m)
}

// TestAttribution has 20 pods fail to pull, several times each and many at once: every
// record must name the one container whose pull it was, and there must be as many
// records as attempts, by the kubelet's count and by the registry's.
func TestAttribution(t *testing.T) {
	eachKubelet(t, lab.Options{MaxParallelPulls: 10}, func(t *testing.T, node *lab.Node) {
		c := newCrowd()
		for repository, f := range c.faults {
			if err := node.SetFault(repository, f); err != nil {
				t.Fatal(err)
			}
		}
		receiver := listen(t)
		all := logsOf(node)
		all.config += "\nincidents: {report: all}"
		agent := startAgent(t, all, receiver)
		for _, m := range c.pods {
			if _, err := node.AddPod(m); err != nil {
				t.Fatal(err)
			}
		}
		// The kubelet tries again after 10, 20 and 40 s.
		until(t, 3*time.Minute, "four attempts of each container", func() bool {
			counts := attempts(kubeletLog(t, node))
			for _, waiters := range c.waiters {
				for _, w := range waiters {
					if counts[who(w)] < 4 {
						return false
					}
				}
			}
			return true
		})
		for _, m := range c.pods {
			if err := node.RemovePod(m.Pod()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second) // what was under way ends, and is told
		agent.stop(t)
		if err := receiver.Problems(); err != nil {
			t.Error(err)
		}
		c.check(t, failures(receiver.Records()), kubeletLog(t, node), node.Requests())
		latency(t, receiver.Records(), kubeletLog(t, node))
	})
}

// failures are the records of failed attempts.
func failures(records []otlptest.Record) (failed []otlptest.Record) {
	for _, r := range records {
		if r.Name == export.EventFailed {
			failed = append(failed, r)
		}
	}
	return failed
}

func who(w waiter) string { return w.UID + " " + w.Container }

// syncError is the kubelet's line about a pod: what failed, and of which pod.
var syncError = regexp.MustCompile(`(?m)"Error syncing pod, skipping" err=(.*) pod="[^"]*" podUID="([^"]*)"`)

// attempts counts failed pulls by container as the kubelet tells them.
func attempts(log string) map[string]int {
	counts := map[string]int{}
	for _, m := range syncError.FindAllStringSubmatch(log, -1) {
		for _, f := range failedStart.FindAllStringSubmatch(m[1], -1) {
			counts[m[2]+" "+f[1]]++
		}
	}
	return counts
}

func (c *crowd) check(t *testing.T, records []otlptest.Record, log string, requests []lab.Request) {
	t.Helper()
	told, byImage := map[string]int{}, map[string]int{}
	for _, r := range records {
		image := text(r, export.ImageRefKey)
		byImage[image]++
		w := waiterOf(r)
		told[who(w)]++
		if !slices.Contains(c.waiters[image], w) {
			t.Errorf("a record about %s names %+v, want one of %+v\n%s", image, w, c.waiters[image], text(r, export.LogRecordOriginalKey))
		}
		for _, p := range podsOf(t, r) { // who else waits for the image
			if p.Kind == "" || !slices.Contains(c.waiters[image], p) {
				t.Errorf("a record about %s names %+v too, want only of %+v", image, p, c.waiters[image])
			}
		}
		if by := text(r, export.PodAttributionKey); by != "kubelet" {
			t.Errorf("a record about %s: got attribution %q, want kubelet", image, by)
		}
		if n := strings.Count(text(r, export.LogRecordOriginalKey), "level=error"); n != 1 {
			t.Errorf("a record about %s has %d lines of the runtime's failure, want 1", image, n)
		}
	}
	counted := attempts(log)
	if diff := cmp.Diff(counted, told); diff != "" {
		t.Errorf("records by container (-kubelet +told):\n%s", diff)
	}
	asked := c.asked(requests)
	if diff := cmp.Diff(asked, byImage); diff != "" {
		t.Errorf("records by image (-registry +told):\n%s", diff)
	}
	for image, n := range byImage {
		if asked[image] != n {
			show(t, records, image)
		}
	}
	t.Logf("%d failed pulls of %d containers in %d pods: each has one record, of its container", len(records), len(told), len(c.pods))
	if len(records) < 60 {
		t.Errorf("only %d failed pulls, want 60 at least", len(records))
	}
}

// asked counts the attempts by image as the registry has seen them. Each begins with a
// request for the tag.
func (c *crowd) asked(requests []lab.Request) map[string]int {
	counts := map[string]int{}
	for _, r := range requests {
		image := fmt.Sprintf("%s/%s:%s", r.Host, r.Repository, r.Reference)
		if len(c.waiters[image]) > 0 && r.Method == http.MethodHead && strings.Contains(r.Path, "/manifests/") {
			counts[image]++
		}
	}
	return counts
}

// latency is from the kubelet's last line about an attempt to the received record.
func latency(t *testing.T, records []otlptest.Record, log string) {
	t.Helper()
	var all, read, sent []time.Duration
	for _, r := range failures(records) {
		var last time.Time
		for line := range strings.Lines(text(r, export.LogRecordOriginalKey)) {
			if at, ok := klogTime(line, r.Received); ok && at.After(last) {
				last = at
			}
		}
		if !last.IsZero() {
			all = append(all, r.Received.Sub(last))
			read, sent = append(read, r.Observed.Sub(r.Time)), append(sent, r.Received.Sub(r.Observed))
		}
	}
	if len(all) == 0 {
		t.Error("no record has a line of the kubelet's")
		return
	}
	slices.Sort(all)
	slices.Sort(read)
	slices.Sort(sent)
	t.Logf("half of the runtime's lines were read after %s, half of the records received %s after that", read[len(read)/2], sent[len(sent)/2])
	p50, p99 := all[len(all)/2], all[len(all)*99/100]
	t.Logf("from the kubelet's last line to the received record, of %d: p50 %s, p99 %s, longest %s", len(all),
		p50.Round(time.Millisecond), p99.Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	if p50 > 300*time.Millisecond || p99 > 1500*time.Millisecond {
		t.Errorf("p50 %s, p99 %s, want 300 ms and 1.5 s at most", p50, p99)
	}
}

// klogTime reads the header of a kubelet's line, which is in UTC here.
func klogTime(line string, near time.Time) (time.Time, bool) {
	const layout = "0102 15:04:05.000000"
	if len(line) < 1+len(layout) || strings.IndexByte("IWEF", line[0]) < 0 {
		return time.Time{}, false
	}
	at, err := time.Parse(layout, line[1:1+len(layout)])
	if err != nil {
		return time.Time{}, false
	}
	return at.AddDate(near.UTC().Year(), 0, 0), true
}

// podsOf are all containers that a record names.
func podsOf(t *testing.T, r otlptest.Record) []waiter {
	t.Helper()
	list := text(r, export.PodsKey)
	if list == "" {
		return []waiter{waiterOf(r)}
	}
	var pods []struct{ Namespace, Name, UID, Container, Kind string }
	if err := json.Unmarshal([]byte(list), &pods); err != nil {
		t.Fatalf("%s is no JSON array: %v: %s", export.PodsKey, err, list)
	}
	var all []waiter
	for _, p := range pods {
		all = append(all, waiter{p.Namespace, p.Name, p.UID, p.Container, p.Kind})
	}
	return all
}

// show logs all records about an image.
func show(t *testing.T, records []otlptest.Record, image string) {
	t.Helper()
	for _, r := range records {
		if text(r, export.ImageRefKey) == image {
			t.Logf("a record about %s of %+v: ended %s, read after %s, received after %s\n%s", image, waiterOf(r), r.Time.Format("05.000"),
				r.Observed.Sub(r.Time).Round(time.Millisecond), r.Received.Sub(r.Time).Round(time.Millisecond), text(r, export.LogRecordOriginalKey))
		}
	}
}
