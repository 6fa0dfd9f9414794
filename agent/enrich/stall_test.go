package enrich

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/cri"
)

// watched looks at one pull and notes what is told, as "seconds: what".
type watched struct {
	*node

	t    *testing.T
	pull *pull
	said []string
}

func watch(t *testing.T, p *pull) *watched {
	t.Helper()
	return &watched{node: newNode(t, nil), t: t, pull: p}
}

// look is one look some seconds after noon.
func (w *watched) look(seconds int64) {
	now := noon.Add(time.Duration(seconds) * time.Second)
	w.pull.advance(now)
	before := len(w.told)
	w.tellStall(w.t.Context(), w.pull, now)
	for _, a := range w.told[before:] {
		what := "slow"
		if a.Stalled {
			what = "stalled"
		}
		w.said = append(w.said, fmt.Sprint(seconds, ": ", what))
	}
}

func (w *watched) arrives(offset, seconds int64) {
	w.pull.ingests["l2"] = on("l2", offset, 10*mib, seconds)
}

// When a pull is told of: after a minute without a byte, and after ten in any case.
func TestTellStall(t *testing.T) {
	for _, tt := range []struct {
		name string
		pull *pull
		play func(*watched)
		want string
	}{
		{"not before its time", downloading(mib, 0), func(w *watched) { w.look(1); w.look(59) }, ""},
		{"once", downloading(mib, 0), func(w *watched) { w.look(1); w.look(60); w.look(65); w.look(300) }, "60: stalled"},
		{"again only after something came", downloading(mib, 0), func(w *watched) {
			w.look(60)
			w.arrives(2*mib, 62)
			w.look(65)
			w.look(124)
			w.look(125)
			w.look(130)
		}, "60: stalled, 125: stalled"},
		{"the manifest is waited for", &pull{InFlight: inFlight("a", "a"), progress: noon}, func(w *watched) { w.look(60) }, "60: stalled"},
		{"an agent that starts later waits its own minute", func() *pull {
			p := downloading(mib, 0)
			p.progress = noon.Add(100 * time.Second) // when it was seen
			return p
		}(), func(w *watched) { w.look(101); w.look(159); w.look(160) }, "160: stalled"},
		{"unpacking makes no progress that can be seen", downloading(mib, 0), func(w *watched) {
			w.look(1)
			w.pull.done["l2"] = true
			w.pull.ingests = nil
			w.look(5)
			w.look(500)
		}, ""},
		{"a runtime that does not tell", func() *pull { p := downloading(mib, 0); p.blind = true; return p }(), func(w *watched) { w.look(60); w.look(500) }, ""},
		{ // it is as stalled as before: that was told
			"a runtime that does not answer for a while", downloading(mib, 0), func(w *watched) {
				w.look(60)
				w.pull.blind = true
				w.look(65)
				w.pull.blind = false
				w.look(70)
			}, "60: stalled",
		},
		{"slow, once", downloading(mib, 0), func(w *watched) {
			for at := int64(30); at <= 900; at += 30 {
				w.arrives(at, at)
				w.look(at)
			}
		}, "600: slow"},
		{"slow and blind", func() *pull { p := downloading(mib, 0); p.blind = true; return p }(), func(w *watched) { w.look(599); w.look(600); w.look(900) }, "600: slow"},
		{"stalled is not told to be slow too", downloading(mib, 0), func(w *watched) { w.look(60); w.look(600); w.look(700) }, "60: stalled"},
		{"slow and then stalled", downloading(mib, 590), func(w *watched) { w.look(595); w.look(600); w.look(655) }, "600: slow, 655: stalled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, tt.pull)
			tt.play(w)
			if got := strings.Join(w.said, ", "); got != tt.want {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

// A pull whose beginning was read in a backlog may have ended while nobody looked. It is
// reported only once the runtime shows that it downloads.
func TestTellStallOfBacklog(t *testing.T) {
	const day = 24 * 3600
	backlog := func(p *pull) *pull {
		p.Backlog, p.Seen, p.progress = true, noon.Add(day*time.Second), noon.Add(day*time.Second)
		return p
	}
	for _, tt := range []struct {
		name string
		pull *pull
		play func(*watched)
		want string
	}{
		{"nothing is on its way", backlog(&pull{InFlight: inFlight("a", "a")}), func(w *watched) { w.look(day + 60); w.look(day + 900) }, ""},
		{"the runtime does not tell", backlog(&pull{InFlight: inFlight("a", "a"), blind: true}), func(w *watched) { w.look(day + 60); w.look(day + 900) }, ""},
		{"what it left behind does not move", backlog(downloading(mib, 30)), func(w *watched) { w.look(day + 60); w.look(day + 900) }, ""},
		{"it moved shortly before", backlog(downloading(mib, day-30)), func(w *watched) { w.look(day + 1); w.look(day + 61) }, "86401: slow, 86461: stalled"},
		{"it moves again", backlog(downloading(mib, 30)), func(w *watched) {
			w.look(day + 1)
			w.arrives(2*mib, day+5)
			w.look(day + 6)
			w.look(day + 70)
		}, "86406: slow, 86470: stalled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, tt.pull)
			tt.play(w)
			if got := strings.Join(w.said, ", "); got != tt.want {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

// The flag that the page and the gauge show goes when something comes.
func TestStalledFlag(t *testing.T) {
	w := watch(t, downloading(mib, 0))
	w.look(60)
	if !w.view(w.pull).Stalled {
		t.Error("not shown as stalled")
	}
	w.pull.blind = true
	w.look(65)
	if w.view(w.pull).Stalled {
		t.Error("shown as stalled while nobody knows")
	}
	w.pull.blind = false
	w.look(70)
	if !w.view(w.pull).Stalled {
		t.Error("no longer shown as stalled, though nothing came")
	}
	w.arrives(2*mib, 72)
	w.look(75)
	if w.view(w.pull).Stalled {
		t.Error("shown as stalled, though something came")
	}
}

// What is told is a whole attempt, that of the pull in flight.
func TestUnfinishedAttempt(t *testing.T) {
	p := downloading(mib, 0)
	p.ingests["l0"] = on("l0", 3*mib, 9*mib, 30) // something came later
	p.ingests["c"] = cri.Ingest{Kind: "config", Digest: "c"}
	w := watch(t, p)
	w.look(100)
	at := noon.Add(100 * time.Second)
	want := []attempt.Attempt{{
		UID: "a", Image: "r.test/team/app:v1", Ref: "r.test/team/app:v1", Registry: "r.test", Program: detect.Containerd,
		Start: noon, End: at, Observed: at, Duration: 100 * time.Second, Unfinished: true, Stalled: true,
		Bytes: 14 * mib, Layer: attempt.Layer{Digest: "l2", Bytes: mib, Size: 10 * mib}, Attribution: attempt.ByNobody,
		Hosts: []detect.Host{{Host: "r.test", Role: detect.RoleOrigin}},
	}}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The gauge counts those that are in flight still.
func TestStalledCount(t *testing.T) {
	n := newNode(t, nil)
	n.begun = []attempt.InFlight{inFlight("a", "a"), inFlight("b", "b"), inFlight("c", "c")}
	n.progress.shown = []Pull{{uid: "a", Stalled: true}, {uid: "b"}, {uid: "gone", Stalled: true}}
	if got := n.Stalled(); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}
