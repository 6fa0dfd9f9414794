package attempt_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// uidsOf plays signals, each read at the time that at tells, and collects the uids.
func uidsOf(signals []detect.Signal, at func(detect.Signal) time.Time) map[string]bool {
	uids := map[string]bool{}
	emit := func(a attempt.Attempt) { uids[a.UID] = true }
	j := newJoiner(time.Second)
	for _, s := range signals {
		now := at(s)
		j.Expire(now, emit)
		j.Add(s, now, emit)
	}
	j.Flush(emit)
	return uids
}

// of are the signals of one log, in its order.
func (c *script) of(program string) (signals []detect.Signal) {
	for _, s := range c.signals {
		if s.Program == program {
			signals = append(signals, s)
		}
	}
	return signals
}

// A pull whose beginning was read has one uid, in whatever order the logs are read again
// and however late a line is.
func TestUIDInAnyOrderOfReading(t *testing.T) {
	for name, c := range map[string]*script{
		"the runtime's end is late": newScript().starts(image).imageLine(image, 403).podLines("web-0", image, 403).
			heldBack(2*time.Second).fails(image, 403),
		"the kubelet is late": newScript().starts(image).fails(image, 403).
			heldBack(2*time.Second).imageLine(image, 403).podLines("web-0", image, 403),
		"nothing is late":   newScript().starts(image).fails(image, 403).imageLine(image, 403).podLines("web-0", image, 403),
		"the kubelet alone": newScript().starts(image).imageLine(image, 403).podLines("web-0", image, 403),
		"two pulls of an image": newScript().starts(image).starts(image).fails(image, 403).imageLine(image, 403).podLines("web-0", image, 403).
			wait(3*time.Second).fails(image, 500).imageLine(image, 500).podLines("web-1", image, 500),
	} {
		t.Run(name, func(t *testing.T) {
			live := uidsOf(c.signals, func(s detect.Signal) time.Time { return s.Observed })
			again := func(detect.Signal) time.Time { return start.Add(time.Hour) }
			runtime, kubelet := c.of(detect.Containerd), c.of(detect.Kubelet)
			for order, signals := range map[string][]detect.Signal{
				"as written":    c.signals,
				"runtime first": append(append([]detect.Signal{}, runtime...), kubelet...),
				"kubelet first": append(append([]detect.Signal{}, kubelet...), runtime...),
			} {
				if diff := cmp.Diff(live, uidsOf(signals, again)); diff != "" {
					t.Errorf("%s (-live +replay):\n%s", order, diff)
				}
			}
		})
	}
}

// After a rotation a line of another pull may stand at the same place of the log.
func TestUIDOfTwoPullsAtOnePlace(t *testing.T) {
	uids := map[string]bool{}
	for n := range 2 {
		c := newScript().wait(time.Duration(n)*time.Hour).starts(image).fails(image, 403)
		c.signals[0].Raw = "" // the text of a line about a beginning is not kept
		for uid := range uidsOf(c.signals, func(s detect.Signal) time.Time { return s.Observed }) {
			uids[uid] = true
		}
	}
	if len(uids) != 2 {
		t.Errorf("got uids %v, want two", uids)
	}
}

// Several pods pull one image at once: whichever log is read first, the attempts have the
// same uids, and each pod is in exactly one.
func TestUIDOfPullsAtOnce(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := newScript()
		for n := range 1 + rng.IntN(4) {
			c.starts(image).wait(time.Duration(rng.IntN(50)) * time.Millisecond)
			if rng.IntN(2) == 0 {
				c.starts(image).fails(image, 500+n).imageLine(image, 500+n).podLines(fmt.Sprint("db-", n), image, 500+n)
			}
			c.fails(image, 500+n).imageLine(image, 500+n).podLines(fmt.Sprint("web-", n), image, 500+n)
			c.wait(time.Duration(rng.IntN(20)) * time.Second)
		}
		again := func(detect.Signal) time.Time { return start.Add(time.Hour) }
		runtime, kubelet := c.of(detect.Containerd), c.of(detect.Kubelet)
		want := uidsOf(c.signals, func(s detect.Signal) time.Time { return s.Observed })
		for order, signals := range map[string][]detect.Signal{
			"as written":    c.signals,
			"runtime first": append(append([]detect.Signal{}, runtime...), kubelet...),
			"kubelet first": append(append([]detect.Signal{}, kubelet...), runtime...),
		} {
			if diff := cmp.Diff(want, uidsOf(signals, again)); diff != "" {
				t.Fatalf("seed %d, %s (-live +replay):\n%s", seed, order, diff)
			}
		}
	}
}
