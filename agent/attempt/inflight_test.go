package attempt_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

const database = "registry.example.com/team/db:v1"

// restarts is "starting containerd".
func (c *script) restarts() *script {
	return c.say(detect.Signal{Kind: detect.RuntimeStarted, Version: "v2.4.2"})
}

// outlines tells what a restart has to do with attempts, each in one line.
func outlines(in *script) []string {
	var got []string
	for _, a := range played(in.signals, time.Second) {
		line := outline(a)
		if a.Failure != nil && a.Failure.Found.Has(detect.RuntimeGone) {
			line += " lost at " + a.End.Sub(start).String()
		}
		got = append(got, line)
	}
	return got
}

// played is join with the attempts themselves.
func played(signals []detect.Signal, window time.Duration) []attempt.Attempt {
	var got []attempt.Attempt
	emit := func(a attempt.Attempt) { got = append(got, a) }
	j := newJoiner(window)
	for _, s := range signals {
		j.Expire(s.Time, emit)
		j.Add(s, s.Time, emit)
	}
	j.Expire(signals[len(signals)-1].Time.Add(2*window), emit)
	return got
}

func newJoiner(window time.Duration) *attempt.Joiner {
	return attempt.NewJoiner(attempt.Config{Node: "node-a", Window: window, Forget: time.Hour, MaxOpen: 100})
}

// A runtime that ends takes its pulls with it, and writes nothing about them.
var restartTests = []struct {
	name string
	in   *script
	want []string
}{
	{
		name: "all pulls that it had begun end with it, at its restart",
		in:   newScript().starts(image).starts(database).wait(10 * time.Second).restarts(),
		want: []string{"failed 0 containerd lost at 10.002s", "failed 0 containerd lost at 10.002s"},
	},
	{
		name: "a pull that begins after it goes on",
		in:   newScript().starts(image).restarts().starts(database).wait(time.Minute).fails(database, 403),
		want: []string{"failed 0 containerd lost at 1ms", "failed 403 containerd"},
	},
	{
		name: "a start of another runtime ends nothing",
		in: newScript().starts(image).say(detect.Signal{Kind: detect.RuntimeStarted, Program: detect.CRIO, Version: "1.34.0"}).
			succeeds(image),
		want: []string{"ok containerd"},
	},
	{
		name: "the same image pulled again is another attempt",
		in:   newScript().starts(image).restarts().starts(image).wait(time.Minute).succeeds(image),
		want: []string{"failed 0 containerd lost at 1ms", "ok containerd"},
	},
	{
		name: "the kubelet's lines about it belong to it, not to an attempt of their own",
		in:   newScript().starts(image).restarts().imageLine(image, 0).podLines("web-0", image, 0),
		want: []string{"failed 0 containerd web-0/app lost at 1ms"},
	},
	{
		name: "the kubelet has told of the end before: nothing is told twice",
		in:   newScript().starts(image).imageLine(image, 0).podLines("web-0", image, 0).restarts(),
		want: []string{"failed 0 kubelet web-0/app"},
	},
	{
		name: "hosts that had failed are not forgotten",
		in:   newScript().starts(image).host("https://mirror-a"+manifest+"?ns=registry.example.com", 500).restarts(),
		want: []string{"failed 0 containerd mirror=mirror-a:500 lost at 2ms"},
	},
	{
		name: "a restart while nothing is pulled",
		in:   newScript().fails(image, 403).restarts(),
		want: []string{"failed 403 containerd"},
	},
	{
		name: "two restarts",
		in:   newScript().starts(image).restarts().wait(time.Minute).restarts(),
		want: []string{"failed 0 containerd lost at 1ms"},
	},
	{ // or the success would end a failure that is told of later
		name: "a success within the window of a failure comes after it",
		in:   newScript().starts(image).fails(image, 503).starts(image).succeeds(image),
		want: []string{"failed 503 containerd", "ok containerd"},
	},
	{
		name: "a success after a restart comes after what the restart ended",
		in:   newScript().starts(image).restarts().starts(image).succeeds(image),
		want: []string{"failed 0 containerd lost at 1ms", "ok containerd"},
	},
	{
		name: "a success of another image changes nothing of the order",
		in:   newScript().starts(image).fails(image, 503).starts(database).succeeds(database),
		want: []string{"ok containerd", "failed 503 containerd"},
	},
	{ // the back-off of a pod waits for the failure that it follows
		name: "a success does not hand on a back-off early",
		in:   newScript().starts(image).backsOff("web-0", image).succeeds(image),
		want: []string{"ok containerd", "back-off kubelet web-0/app"},
	},
}

func TestRestartEndsPulls(t *testing.T) {
	for _, tt := range restartTests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, outlines(tt.in)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// That the connection to the runtime was lost is told some seconds later, when its
// successor may be pulling already.
func TestRuntimeGoneSparesWhatBeganLater(t *testing.T) {
	j := newJoiner(time.Second)
	for _, s := range newScript().starts(image).wait(10 * time.Second).starts(database).signals {
		j.Add(s, s.Time, func(attempt.Attempt) {})
	}
	j.RuntimeGone(start.Add(5*time.Second), start.Add(13*time.Second))
	want := []string{database + " " + database + " registry.example.com team/db +10.001s []"}
	if diff := cmp.Diff(want, begun(j)); diff != "" {
		t.Errorf("in flight (-want +got):\n%s", diff)
	}
}

// The kubelet's lines may still come: what the restart ended waits for its window, and no
// longer.
func TestLostPullWaitsForItsWindow(t *testing.T) {
	var got []attempt.Attempt
	emit := func(a attempt.Attempt) { got = append(got, a) }
	j := newJoiner(time.Second)
	in := newScript().starts(image).restarts()
	for _, s := range in.signals {
		j.Add(s, s.Time, emit)
	}
	if j.InFlight() != 0 {
		t.Errorf("%d in flight after the restart, want 0", j.InFlight())
	}
	at := in.signals[1].Time
	if due, ok := j.Deadline(); !ok || !due.Equal(at.Add(time.Second)) {
		t.Errorf("due at %s, %v; want a second after %s", due, ok, at)
	}
	j.Expire(at.Add(999*time.Millisecond), emit)
	if len(got) != 0 {
		t.Errorf("emitted before its window has ended: %+v", got)
	}
	j.Expire(at.Add(time.Second), emit)
	if len(got) != 1 || got[0].Failure == nil || got[0].Failure.Text != detect.RuntimeLost().Text || !got[0].End.Equal(at) {
		t.Errorf("got %+v, want one that ends at %s", got, at)
	}
}

// A receiver knows a record by its uid: told once more after a restart of the agent it
// must be the same, and two pulls that one restart ends must differ.
func TestLostPullHasOneUID(t *testing.T) {
	uids := func(window time.Duration) (uids []string) {
		in := newScript().starts(image).starts(image).starts(database).restarts().podLines("web-0", image, 0)
		for _, a := range played(in.signals, window) {
			uids = append(uids, a.UID)
		}
		return uids
	}
	first, again := uids(time.Second), uids(5*time.Second)
	if len(first) != 3 || first[0] == first[1] || first[1] == first[2] || first[0] == first[2] {
		t.Errorf("got uids %v, want three", first)
	}
	seen := map[string]bool{}
	for _, uid := range first {
		seen[uid] = true
	}
	for _, uid := range again {
		if !seen[uid] {
			t.Errorf("a replay has the uid %s, before %v", uid, first)
		}
	}
}

func begun(j *attempt.Joiner) []string {
	var got []string
	for _, f := range j.Begun() {
		got = append(got, fmt.Sprintf("%s %s %s %s +%s %v", f.Image, f.Ref, f.Registry, f.Repository, f.Start.Sub(start), f.Failed))
	}
	return got
}

func TestBegun(t *testing.T) {
	j := newJoiner(time.Second)
	in := newScript().starts("nginx:1.27").starts(image).starts(database).
		host("https://mirror-a/v2/library/nginx/manifests/1.27?ns=docker.io", 500).
		host("https://mirror-b"+manifest+"?ns=registry.example.com", 403).
		host("https://mirror-c"+manifest+"?ns=registry.example.com", 404).
		fails(database, 500)
	for _, s := range in.signals {
		j.Add(s, s.Time, func(attempt.Attempt) {})
	}
	want := []string{
		"nginx:1.27 docker.io/library/nginx:1.27 docker.io library/nginx +0s [mirror-a]",
		image + " " + image + " registry.example.com team/app +1ms [mirror-b mirror-c]",
	}
	if diff := cmp.Diff(want, begun(j)); diff != "" {
		t.Errorf("in flight (-want +got):\n%s", diff)
	}
	pulls := j.Begun()
	if pulls[0].UID == "" || pulls[0].UID == pulls[1].UID || pulls[0].Program != detect.Containerd || !pulls[0].Seen.Equal(start) {
		t.Errorf("got %+v", pulls)
	}
	if again := j.Begun(); again[1].UID != pulls[1].UID {
		t.Errorf("uid was %s, is %s", pulls[1].UID, again[1].UID)
	}
}

// Up to containerd 2.2 a host's line names neither image nor repository: with one pull in
// flight it is that one's, with two nobody's.
func TestBegunTakesNoHostOfAnother(t *testing.T) {
	failed := func(in *script) (failed []string) {
		j := newJoiner(time.Second)
		in.say(detect.Signal{Kind: detect.HostFailed, Host: detect.Host{Host: "mirror-a", Error: "EOF"}})
		for _, s := range in.signals {
			j.Add(s, s.Time, func(attempt.Attempt) {})
		}
		for _, f := range j.Begun() {
			failed = append(failed, f.Failed...)
		}
		return failed
	}
	if got := failed(newScript().starts(image)); len(got) != 1 {
		t.Errorf("alone: got %v, want mirror-a", got)
	}
	if got := failed(newScript().starts(image).starts(database)); len(got) != 0 {
		t.Errorf("of two: got %v, want none", got)
	}
}

// A pull that began before the agent did, or whose beginning was read late, may have ended
// without a line.
func TestBegunInBacklog(t *testing.T) {
	for name, tt := range map[string]struct {
		written, read time.Duration // since the agent started
		want          bool
	}{
		"as it is written":                 {time.Minute, time.Minute, false},
		"a moment later":                   {time.Minute, time.Minute + 3*time.Second, false},
		"yesterday":                        {-24 * time.Hour, time.Second, true},
		"just before the start":            {-time.Second, time.Second, true},
		"after a source was held for long": {time.Minute, 5 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			j := attempt.NewJoiner(attempt.Config{Started: start, Window: time.Second, Forget: time.Hour, MaxOpen: 100})
			s := newScript().wait(tt.written).starts(image).signals[0]
			j.Add(s, start.Add(tt.read), func(attempt.Attempt) {})
			if got := j.Begun()[0].Backlog; got != tt.want {
				t.Errorf("backlog is %t, want %t", got, tt.want)
			}
		})
	}
}
