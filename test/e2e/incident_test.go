//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// TestIncidents has outages end in each way there is, with a real kubelet: a
// registry is repaired, one fails in another way, and a pod is deleted. The agent is
// killed with -9 in the middle of all of them.
func TestIncidents(t *testing.T) {
	eachKubelet(t, lab.Options{MaxParallelPulls: 5}, func(t *testing.T, node *lab.Node) {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprintf("killed %v", kill), func(t *testing.T) { outages(t, node, kill) })
		}
	})
}

// outage is an image that cannot be pulled, and how that ends.
type outage struct {
	image string
	pod   lab.Pod
	want  []string // "event cause", in order, each once
}

func outages(t *testing.T, node *lab.Node, kill bool) {
	receiver := listen(t)
	agent := startAgent(t, logsOf(node), receiver)
	prefix := fmt.Sprintf("%s/app/%v-", appRegistry, kill)
	repaired := begin(t, node, prefix+"repaired", lab.Forbidden)
	changed := begin(t, node, prefix+"changed", lab.Forbidden)
	deleted := begin(t, node, prefix+"deleted", lab.NotFound)
	all := []*outage{repaired, changed, deleted}
	until(t, time.Minute, "a record of each outage", func() bool {
		return !slices.ContainsFunc(all, func(o *outage) bool { return len(told(receiver, o.image)) == 0 })
	})
	time.Sleep(5 * time.Second) // positions and incidents are stored
	if kill {
		agent = agent.killed(t)
	}
	must(t, node.SetFault(prefix+"repaired", lab.OK))
	must(t, node.SetFault(prefix+"changed", lab.Unavailable))
	must(t, node.RemovePod(deleted.pod))
	repaired.want = []string{export.EventFailed + " forbidden", export.EventRecovered + " forbidden"}
	changed.want = []string{export.EventFailed + " forbidden", export.EventCauseChanged + " registry_unavailable", export.EventFailed + " registry_unavailable"}
	deleted.want = []string{export.EventFailed + " manifest_not_found", export.EventAbandoned + " manifest_not_found"}
	until(t, 2*time.Minute, "the end of each outage", func() bool {
		return !slices.ContainsFunc(all, func(o *outage) bool { return len(told(receiver, o.image)) < len(o.want) })
	})
	must(t, node.RemovePod(repaired.pod))
	must(t, node.RemovePod(changed.pod))
	time.Sleep(3 * time.Second)
	agent.stop(t)
	for _, o := range all {
		got := told(receiver, o.image)
		if o == changed { // ends with its pod
			o.want = append(o.want, export.EventAbandoned+" registry_unavailable")
		}
		if diff := cmp.Diff(o.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", o.image, diff)
		}
	}
	for _, r := range receiver.Records() {
		if r.Name == export.EventRecovered {
			attempts, _ := r.Attributes[export.IncidentAttemptsKey].(int64) // absent is 0
			lasted, _ := r.Attributes[export.IncidentDurationKey].(int64)   // absent is 0
			if attempts < 1 || lasted < 1000 || text(r, export.IncidentWhatChangedKey) != "new_credentials" {
				t.Errorf("recovered after %d attempts and %d ms, %q", attempts, lasted, text(r, export.IncidentWhatChangedKey))
			}
		}
	}
}

// begin has a pod fail to pull an image.
func begin(t *testing.T, node *lab.Node, repository string, f lab.Fault) *outage {
	t.Helper()
	must(t, node.SetFault(repository, f))
	o := &outage{image: repository + ":1.0"}
	name := repository[len(appRegistry)+len("/app/"):]
	var err error
	o.pod, err = node.AddPod(lab.Manifest{Namespace: "shop", Name: name, Containers: []lab.Container{{Name: "app", Image: o.image}}})
	must(t, err)
	return o
}

// told are the events about an image, in order, each with its cause and once: what
// comes again has the same uid, and further attempts that fail alike are left out.
func told(r *otlptest.Receiver, image string) []string {
	seen := map[string]bool{}
	var events []string
	for _, rec := range r.Records() {
		uid := text(rec, export.LogRecordUIDKey)
		if text(rec, export.ImageRefKey) != image || seen[uid] {
			continue
		}
		seen[uid] = true
		event := rec.Name + " " + text(rec, export.ErrorTypeKey)
		if rec.Name == export.EventFailed && len(events) > 0 && events[len(events)-1] == event {
			continue
		}
		events = append(events, event)
	}
	return events
}

// killed kills the agent and starts it again.
func (p *process) killed(t *testing.T) *process {
	t.Helper()
	p.once.Do(func() {
		must(t, p.cmd.Process.Signal(syscall.SIGKILL))
		<-p.ended
	})
	return p.again(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneLog reads containerd's log alone, and the kubelet's alone: each yields
// records with what it knows, and they say how it is known whose pull it was.
func TestOneLog(t *testing.T) {
	requireRoot(t)
	node := startNode(t, lab.KubeletVersions()[0], lab.Options{})
	receivers := map[string]*otlptest.Receiver{}
	for name, log := range map[string]string{"containerd": "containerd:" + node.LogFile, "kubelet": "kubelet:" + node.KubeletLog} {
		receivers[name] = listen(t)
		startAgent(t, filesOf(node, log), receivers[name])
	}
	o := begin(t, node, appRegistry+"/app/one-log", lab.NotFound)
	type known struct {
		Pod, Attribution, Source string
		Hosts                    bool
	}
	want := map[string]known{
		"containerd": {o.pod.Name, "candidate", "containerd", true},
		"kubelet":    {o.pod.Name, "kubelet", "kubelet", false},
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		until(t, time.Minute, "a record from "+name, func() bool { return len(told(receivers[name], o.image)) > 0 })
		r := failures(receivers[name].Records())[0]
		got := known{text(r, export.PodNameKey), text(r, export.PodAttributionKey), text(r, export.SourceKey), text(r, export.HostsKey) != ""}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("from %s alone (-want +got):\n%s", name, diff)
		}
		if cause := text(r, export.ErrorTypeKey); cause != "manifest_not_found" {
			t.Errorf("from %s alone: got cause %q", name, cause)
		}
	}
}

// TestStartsLate starts an agent in the middle of an outage, that may not look back:
// the kubelet only says that it backs off, with the cause from 1.32 on.
func TestStartsLate(t *testing.T) {
	eachKubelet(t, lab.Options{}, func(t *testing.T, node *lab.Node) {
		o := begin(t, node, appRegistry+"/app/late", lab.Forbidden)
		until(t, time.Minute, "the kubelet's back-off", func() bool {
			return strings.Contains(kubeletLog(t, node), "ImagePullBackOff")
		})
		late := logsOf(node)
		late.config = strings.ReplaceAll(late.config, "lookback: all", "lookback: 0s")
		receiver := listen(t)
		agent := startAgent(t, late, receiver)
		until(t, time.Minute, "a record", func() bool { return len(told(receiver, o.image)) > 0 })
		first := failures(receiver.Records())[0]
		if cause := text(first, export.ErrorTypeKey); cause != "forbidden" {
			t.Errorf("got cause %q, want the one that the back-off repeats", cause)
		}
		if w := waiterOf(first); w.UID != o.pod.UID {
			t.Errorf("got pod %+v, want %+v", w, o.pod)
		}
		must(t, node.SetFault(appRegistry+"/app/late", lab.OK))
		until(t, time.Minute, "the recovery", func() bool {
			events := told(receiver, o.image)
			return events[len(events)-1] == export.EventRecovered+" forbidden"
		})
		agent.stop(t)
	})
}
