package attempt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/logtail"
)

// crioLog writes lines as CRI-O 1.36.3 does, 10 ms apart.
type crioLog struct {
	at    time.Time
	lines []string
}

func (l *crioLog) line(level, msg, id string) {
	l.at = l.at.Add(10 * time.Millisecond)
	l.lines = append(l.lines, fmt.Sprintf("time=%q level=%s msg=%q id=%s name=/runtime.v1.ImageService/PullImage",
		l.at.Format(time.RFC3339Nano), level, msg, id))
}

// requestID is the id of the nth request.
func requestID(n int) string { return fmt.Sprintf("bd4388fa-00d0-7144-85c0-%012x", n) }

// imageID is the id of an image, which is all that "Pulled image: " names since 2026.
func imageID(n int) string { return fmt.Sprintf("%064x", n) }

// read joins the lines as an agent that reads them live, and reports what came of
// them and how many pulls are in flight at the end.
func (l *crioLog) read(t *testing.T) (got []attempt.Attempt, inFlight int) {
	t.Helper()
	emit := func(a attempt.Attempt) { got = append(got, a) }
	j := newJoiner(time.Second)
	for i, line := range l.lines {
		rec := logtail.Record{
			Body: []byte(line), Observed: l.at,
			Pos: logtail.Position{Source: "file:crio", Offset: int64(i) * 300},
			End: logtail.Position{Source: "file:crio", Offset: int64(i+1) * 300},
		}
		detect.Detect(rec, time.UTC, func(s detect.Signal) {
			j.Expire(s.Time, emit)
			j.Add(s, s.Time, emit)
		})
	}
	j.Expire(l.at.Add(2*time.Second), emit)
	return got, j.InFlight()
}

// Two hundred pulls overlap and succeed, one fails. The lines about an end have no image in
// common with the line about the start: only the id joins them.
func TestCRIOPullsAreJoinedByRequest(t *testing.T) {
	l := &crioLog{at: start}
	const pulls, overlap = 200, 7
	image := func(n int) string { return fmt.Sprintf("registry.example.com/team/app%d:v1", n%20) }
	succeeded := func(n int) {
		if n%2 == 0 {
			l.line("info", "Pulled image: "+imageID(n), requestID(n))
		} else { // v1.30.5
			l.line("info", fmt.Sprintf("Pulled image: registry.example.com/team/app%d@sha256:%s", n%20, imageID(n)), requestID(n))
		}
	}
	const failing = "registry.example.com/team/app3:v1"
	for n := range pulls {
		l.line("info", "Pulling image: "+image(n), requestID(n))
		if n == 100 {
			l.line("info", "Pulling image: "+failing, requestID(1000))
		}
		if n == 104 {
			l.line("debug", "Error pulling image "+failing+": initializing source docker://"+failing+": reading manifest v1 in registry.example.com/team/app3: unauthorized: authentication required", requestID(1000))
			l.line("debug", "Response error: unable to pull image or OCI artifact: pull image err: initializing source docker://"+failing+": reading manifest v1 in registry.example.com/team/app3: unauthorized: authentication required; artifact err: fetching image manifest: unauthorized: authentication required", requestID(1000))
		}
		if n >= overlap {
			succeeded(n - overlap)
		}
	}
	for n := pulls - overlap; n < pulls; n++ {
		succeeded(n)
	}
	got, inFlight := l.read(t)
	if inFlight != 0 {
		t.Errorf("%d pulls in flight at the end, want none", inFlight)
	}
	images := map[string]int{}
	var failed []string
	for _, a := range got {
		if a.Succeeded {
			images[a.Image]++
			if a.Duration < 10*time.Millisecond || a.Duration > 300*time.Millisecond {
				t.Errorf("%s took %s, want some 10 ms for each line between its start and its end", a.Image, a.Duration)
			}
			continue
		}
		failed = append(failed, a.Image+" "+a.Failure.Leaf)
		if a.Stalled {
			t.Errorf("%s is reported as stalled", a.Image)
		}
	}
	if diff := cmp.Diff([]string{failing + " unauthorized: authentication required"}, failed); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	for n := range 20 {
		if images[image(n)] != pulls/20 {
			t.Errorf("%d successes of %s, want %d", images[image(n)], image(n), pulls/20)
		}
	}
}

// What CRI-O says of one pull, and the attempts that are made of it.
func TestCRIO(t *testing.T) {
	const app = "registry.example.com/team/app:v1"
	const refused = "initializing source docker://" + app + ": reading manifest v1 in registry.example.com/team/app: unauthorized: authentication required"
	for _, tt := range []struct {
		name string
		say  func(*crioLog)
		want []string
		open int
	}{
		{"an image id ends the pull of its request", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("info", "Pulling image: "+app, "b")
			l.line("info", "Pulled image: "+imageID(1), "b")
		}, []string{"ok crio app:v1"}, 1},
		{"a success whose start was not read ends no other pull", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("info", "Pulled image: "+imageID(1), "b")
		}, []string{"ok crio "}, 1},
		{"an error without the image ends the pull of its request", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("debug", "Response error: context canceled", "a")
		}, []string{"failed crio app:v1"}, 0},
		{"two error lines of a request are one failure, however late the second", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("debug", "Error pulling image "+app+": "+refused, "a")
			l.at = l.at.Add(3 * time.Second)
			l.line("debug", "Response error: "+refused, "a")
		}, []string{"failed crio app:v1"}, 0},
		{"nor where the start was not read", func(l *crioLog) {
			l.line("debug", "Error pulling image "+app+": "+refused, "a")
			l.line("debug", "Response error: "+refused, "a")
		}, []string{"failed crio app:v1"}, 0},
		{"error lines of two requests are two failures", func(l *crioLog) {
			l.line("debug", "Error pulling image "+app+": "+refused, "a")
			l.line("debug", "Error pulling image "+app+": "+refused, "b")
		}, []string{"failed crio app:v1", "failed crio app:v1"}, 0},
		{"an error of one request leaves the other in flight", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("info", "Pulling image: "+app, "b")
			l.line("debug", "Error pulling image "+app+": "+refused, "b")
		}, []string{"failed crio app:v1"}, 1},
		{ // it cancels the pull and writes no more about it at this level
			"a pull without progress ends, with its image", func(l *crioLog) {
				l.line("info", "Pulling image: "+app, "a")
				l.line("warning", "Timed out on waiting up to 10s for image pull progress updates", "a")
			},
			[]string{"stalled crio app:v1"},
			0,
		},
		{"a host that failed belongs to its request", func(l *crioLog) {
			l.line("info", "Pulling image: "+app, "a")
			l.line("info", "Pulling image: "+app, "b")
			l.line("debug", `Ping https://registry.example.com/v2/ err Get "https://registry.example.com/v2/": dial tcp 10.1.2.3:443: i/o timeout (&url.Error{Op:"Get"})`, "b")
			l.line("info", "Pulled image: "+imageID(1), "a")
			l.line("debug", "Error pulling image "+app+": "+refused, "b")
		}, []string{"ok crio app:v1", "failed crio app:v1 registry.example.com"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &crioLog{at: start}
			tt.say(l)
			attempts, open := l.read(t)
			var got []string
			for _, a := range attempts {
				line := "failed"
				if a.Succeeded {
					line = "ok"
				}
				if a.Stalled {
					line = "stalled"
				}
				line += " " + a.Program + " " + a.Image[strings.LastIndex(a.Image, "/")+1:]
				for _, h := range a.Hosts {
					line += " " + h.Host
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || open != tt.open {
				t.Errorf("%d in flight, want %d; attempts (-want +got):\n%s", open, tt.open, diff)
			}
		})
	}
}
