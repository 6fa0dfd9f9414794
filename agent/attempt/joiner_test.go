package attempt_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/logtail"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

const image = "registry.example.com/team/app:v1"

// script writes signals as their programs would: each line one place further.
type script struct {
	at      time.Time
	lag     time.Duration // how late lines are read
	offsets map[string]int64
	signals []detect.Signal
}

func newScript() *script {
	return &script{at: start, offsets: map[string]int64{}}
}

func (c *script) say(s detect.Signal) *script {
	if s.Program == "" {
		s.Program = detect.Containerd
	}
	source := "file:/var/log/" + s.Program + ".log"
	s.Pos = logtail.Position{Source: source, Offset: c.offsets[source]}
	c.offsets[source] += 100
	s.End = logtail.Position{Source: source, Offset: c.offsets[source]}
	s.Time, s.Observed = c.at, c.at.Add(c.lag)
	s.Raw = fmt.Sprintf("%s %s %s %s", s.Program, s.Kind, s.Image, s.Pod.Name)
	c.signals = append(c.signals, s)
	c.at = c.at.Add(time.Millisecond)
	return c
}

func (c *script) wait(d time.Duration) *script {
	c.at = c.at.Add(d)
	return c
}

// heldBack has the lines that follow read later than they are written, as after a
// rotation.
func (c *script) heldBack(d time.Duration) *script {
	c.lag = d
	return c
}

func (c *script) starts(image string) *script {
	return c.say(detect.Signal{Kind: detect.PullStarted, Image: image})
}

func (c *script) fails(image string, status int) *script {
	return c.say(detect.Signal{Kind: detect.PullFailed, Image: image, Failure: failure(status)})
}

func (c *script) succeeds(image string) *script {
	return c.say(detect.Signal{Kind: detect.PullSucceeded, Image: image})
}

func (c *script) host(url string, status int) *script {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "/")
	return c.say(detect.Signal{Kind: detect.HostFailed, Host: detect.Host{Host: host, Method: "HEAD", URL: url, Status: status}})
}

// imageLine is "PullImage from image service failed": image, no pod.
func (c *script) imageLine(image string, status int) *script {
	return c.say(detect.Signal{Kind: detect.PullFailed, Program: detect.Kubelet, Image: image, Failure: failure(status)})
}

// podLines are "container … start failed in pod" and "Error syncing pod":
// no image but in the error.
func (c *script) podLines(pod, reference string, status int) *script {
	f := failure(status)
	f.Reference = reference
	for range 2 {
		c.say(detect.Signal{
			Kind: detect.PullFailed, Program: detect.Kubelet, Failure: f, Reason: "ErrImagePull",
			Pod: podNamed(pod), Container: "app", ContainerKind: detect.KindContainer,
		})
	}
	return c
}

// sandboxLines are "Failed to create sandbox for pod", "CreatePodSandbox for pod
// failed" and "Error syncing pod"; the first two do not tell the uid.
func (c *script) sandboxLines(pod string) *script {
	f := failure(0)
	f.Reference = image
	for i := range 3 {
		p := podNamed(pod)
		if i < 2 {
			p.UID = ""
		}
		c.say(detect.Signal{Kind: detect.PullFailed, Program: detect.Kubelet, Failure: f, Pod: p, ContainerKind: detect.KindSandbox})
	}
	return c
}

// sandboxFails is containerd's "RunPodSandbox for … failed".
func (c *script) sandboxFails(pod string) *script {
	f := failure(0)
	f.Reference = image
	return c.say(detect.Signal{Kind: detect.PullFailed, Failure: f, Pod: podNamed(pod), ContainerKind: detect.KindSandbox})
}

func (c *script) backsOff(pod, image string) *script {
	return c.say(detect.Signal{
		Kind: detect.BackOff, Program: detect.Kubelet, Image: image, Reason: "ImagePullBackOff",
		Pod: podNamed(pod), Container: "app", ContainerKind: detect.KindContainer,
	})
}

func podNamed(name string) detect.Pod {
	return detect.Pod{Namespace: "shop", Name: name, UID: "uid-" + name}
}

func failure(status int) *detect.Failure {
	text := fmt.Sprintf("unexpected status from HEAD request: %d", status)
	return &detect.Failure{Text: text, Leaf: text, Status: status}
}

// outline is an attempt in one line.
func outline(a attempt.Attempt) string {
	var b strings.Builder
	switch {
	case a.Late:
		b.WriteString("late")
	case a.BackOff:
		b.WriteString("back-off")
	case a.Succeeded:
		b.WriteString("ok")
	default:
		b.WriteString("failed")
	}
	if a.Failure != nil {
		fmt.Fprintf(&b, " %d", a.Failure.Status)
	}
	if a.Stalled {
		b.WriteString(" stalled")
	}
	fmt.Fprintf(&b, " %s", a.Program)
	for _, p := range a.Pods {
		fmt.Fprintf(&b, " %s/%s", p.Name, p.Container)
	}
	for _, h := range a.Hosts {
		fmt.Fprintf(&b, " %s=%s:%d", h.Role, h.Host, h.Status)
	}
	return b.String()
}

// join plays signals as they were read and lets the window close at the end.
func join(signals []detect.Signal) []string {
	var got []string
	emit := func(a attempt.Attempt) { got = append(got, outline(a)) }
	j := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: time.Second, Forget: time.Hour, MaxOpen: 100})
	now := start
	for _, s := range signals {
		if s.Observed.After(now) {
			now = s.Observed
		}
		j.Expire(now, emit)
		j.Add(s, now, emit)
	}
	j.Expire(now.Add(2*time.Second), emit)
	if n := len(j.Open()); n > 0 {
		got = append(got, fmt.Sprint("still open: ", n))
	}
	return got
}

const manifest = "/v2/team/app/manifests/v1"

// What the logs tell, and the attempts that are made of it.
var joinTests = []struct {
	name string
	in   *script
	want []string
}{
	{
		name: "runtime alone",
		in:   newScript().starts(image).fails(image, 403),
		want: []string{"failed 403 containerd"},
	},
	{
		name: "runtime and kubelet are one attempt",
		in:   newScript().starts(image).fails(image, 403).imageLine(image, 403).imageLine(image, 403).podLines("web-0", image, 403),
		want: []string{"failed 403 containerd web-0/app"},
	},
	{
		name: "kubelet alone",
		in:   newScript().imageLine(image, 0).imageLine(image, 0).podLines("web-0", image, 0),
		want: []string{"failed 0 kubelet web-0/app"},
	},
	{
		name: "the kubelet's log was read first",
		in: newScript().imageLine(image, 403).podLines("web-0", image, 403).starts(image).
			host("https://registry.example.com"+manifest, 403).fails(image, 403),
		want: []string{"failed 403 containerd web-0/app origin=registry.example.com:403"},
	},
	{
		name: "two pods pull one image at once",
		in: newScript().starts(image).starts(image).fails(image, 403).fails(image, 403).
			imageLine(image, 403).imageLine(image, 403).podLines("web-0", image, 403).podLines("web-1", image, 403),
		want: []string{"failed 403 containerd web-0/app", "failed 403 containerd web-1/app"},
	},
	{
		name: "two pods, kubelet alone",
		in:   newScript().imageLine(image, 0).imageLine(image, 0).podLines("web-0", image, 0).podLines("web-1", image, 0),
		want: []string{"failed 0 kubelet web-0/app", "failed 0 kubelet web-1/app"},
	},
	{
		name: "short name and normalised name meet",
		in:   newScript().starts("nginx").fails("nginx", 429).podLines("web-0", "docker.io/library/nginx:latest", 429),
		want: []string{"failed 429 containerd web-0/app"},
	},
	{
		name: "attempts five minutes apart are two",
		in:   newScript().fails(image, 503).wait(5*time.Minute).fails(image, 401),
		want: []string{"failed 503 containerd", "failed 401 containerd"},
	},
	{
		name: "mirrors and origin in order",
		in: newScript().starts(image).host("https://mirror-a"+manifest+"?ns=registry.example.com", 500).
			host("https://mirror-b"+manifest+"?ns=registry.example.com", 403).
			host("https://registry.example.com"+manifest, 404).fails(image, 404),
		want: []string{"failed 404 containerd mirror=mirror-a:500 mirror=mirror-b:403 origin=registry.example.com:404"},
	},
	{
		name: "hosts of two pulls do not mix",
		in: newScript().starts(image).starts("registry.example.com/team/db:v1").
			host("https://registry.example.com/v2/team/db/manifests/v1", 500).
			host("https://registry.example.com"+manifest, 404).
			fails(image, 404).fails("registry.example.com/team/db:v1", 500),
		want: []string{"failed 404 containerd origin=registry.example.com:404", "failed 500 containerd origin=registry.example.com:500"},
	},
	{
		name: "a host fails and the pull succeeds",
		in:   newScript().starts(image).host("https://mirror-a"+manifest+"?ns=registry.example.com", 500).succeeds(image),
		want: []string{"ok containerd mirror=mirror-a:500"},
	},
	{
		name: "the runtime cancels for lack of progress",
		in:   newScript().starts(image).say(detect.Signal{Kind: detect.PullStalled, Image: image}).fails(image, 0),
		want: []string{"failed 0 stalled containerd"},
	},
	{
		name: "the kubelet's lines on a stalled pull were read first",
		in: newScript().starts(image).imageLine(image, 0).podLines("web-0", image, 0).
			say(detect.Signal{Kind: detect.PullStalled, Image: image}).fails(image, 0),
		want: []string{"failed 0 stalled containerd web-0/app"},
	},
	{
		name: "back-off waits for the failure it follows",
		in:   newScript().backsOff("web-0", image).fails(image, 401),
		want: []string{"back-off kubelet web-0/app", "failed 401 containerd"},
	},
	{
		name: "the kubelet's three lines on a sandbox were read first",
		in:   newScript().imageLine(image, 0).sandboxLines("web-0").sandboxFails("web-0"),
		want: []string{"failed 0 containerd web-0/"},
	},
	{
		name: "a pod line without image finds it by its error",
		in:   newScript().fails(image, 401).podLines("web-0", "", 401),
		want: []string{"failed 401 containerd web-0/app"},
	},
	{
		name: "an image that does not parse",
		in:   newScript().podLines("web-0", "Nope//:", 0),
		want: []string{"failed 0 kubelet web-0/app"},
	},
}

func TestJoin(t *testing.T) {
	for _, tt := range joinTests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, join(tt.in.signals)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// The kubelet's text log has no zone: it may be read as hours away.
func TestJoinAcrossZones(t *testing.T) {
	in := newScript().starts(image).fails(image, 403).podLines("web-0", image, 403).signals
	for i := range in {
		if in[i].Program == detect.Kubelet {
			in[i].Time = in[i].Time.Add(-5*time.Hour - 30*time.Minute)
		}
	}
	want := []string{"failed 403 containerd web-0/app"}
	if diff := cmp.Diff(want, join(in)); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// However the runtime's and the kubelet's lines interleave, there is one
// attempt for each failure of the runtime, and every pod is in exactly one.
func TestJoinAnyInterleaving(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		pods := 1 + rng.IntN(5)
		runtime, kubelet := newScript(), newScript()
		for range pods {
			runtime.starts(image)
		}
		for i := range pods {
			runtime.fails(image, 500)
			kubelet.imageLine(image, 500).podLines(fmt.Sprint("web-", i), image, 500)
		}
		var in []detect.Signal
		for a, b := runtime.signals, kubelet.signals; len(a)+len(b) > 0; {
			if len(b) == 0 || len(a) > 0 && rng.IntN(2) == 0 {
				in, a = append(in, a[0]), a[1:]
			} else {
				in, b = append(in, b[0]), b[1:]
			}
		}
		got := join(in)
		seen := map[string]int{}
		for _, line := range got {
			seen[line]++
		}
		for i := range pods {
			if want := fmt.Sprintf("failed 500 containerd web-%d/app", i); seen[want] != 1 {
				t.Fatalf("seed %d: %d attempts of web-%d, want 1:\n%s", seed, seen[want], i, strings.Join(got, "\n"))
			}
		}
		if len(got) != pods {
			t.Fatalf("seed %d: %d attempts for %d pulls:\n%s", seed, len(got), pods, strings.Join(got, "\n"))
		}
	}
}

func TestUIDIsTheSameForTheSameLines(t *testing.T) {
	uids := func(window time.Duration) map[string]bool {
		got := map[string]bool{}
		emit := func(a attempt.Attempt) { got[a.UID] = true }
		j := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: window, Forget: time.Hour, MaxOpen: 100})
		in := newScript()
		for i := range 20 {
			in.starts(image).fails(image, 500+i).podLines("web-0", image, 500+i).wait(time.Minute)
		}
		for _, s := range in.signals {
			j.Expire(s.Time, emit)
			j.Add(s, s.Time, emit)
		}
		j.Flush(emit)
		return got
	}
	first, again := uids(time.Second), uids(10*time.Second)
	if len(first) != 20 {
		t.Errorf("%d uids for 20 attempts", len(first))
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("a replay has other uids (-first +again):\n%s", diff)
	}
}

// A success is known by where it was read: at the same place of two files are two.
func TestUIDOfSuccessesOfTwoFiles(t *testing.T) {
	uids := map[string]bool{}
	j := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: time.Second, Forget: time.Hour, MaxOpen: 100})
	for _, stream := range []string{"118-5d41402abc4b2a76", "118-7d793037a0760186"} {
		s := newScript().succeeds(image).signals[0]
		s.Pos.Stream, s.End.Stream = stream, stream
		j.Add(s, start, func(a attempt.Attempt) { uids[a.UID] = true })
	}
	if len(uids) != 2 {
		t.Errorf("got uids %v, want two", uids)
	}
}
