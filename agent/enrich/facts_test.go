package enrich_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/enrich"
	"pullcause/cri"
	"pullcause/cri/critest"
)

// failed is an attempt to pull an image that failed just now.
func failed(i cri.Image) attempt.Attempt {
	return attempt.Attempt{UID: "uid-" + i.ID, Ref: i.Tags[0], End: time.Now(), Failure: &detect.Failure{Text: "no such host"}}
}

func succeeded(i cri.Image) attempt.Attempt {
	return attempt.Attempt{UID: "uid-" + i.ID, Ref: i.Tags[0], End: time.Now(), Succeeded: true}
}

// listed runs an enricher that knows the runtime's images.
func listed(t *testing.T, cfg critest.Config, change func(*enrich.Config)) (*critest.Server, *enrich.Enricher, *told) {
	t.Helper()
	path := socket(t)
	s := serve(t, path, cfg)
	e, w, _ := enricher(t, func(cfg *enrich.Config) { cfg.Socket = path; change(cfg) })
	until(t, "the first list", func() bool { return has(e, cfg.Images...) })
	return s, e, w
}

func unchanged(*enrich.Config) {}

// Who may have waited is looked for where the kubelet does not say.
func TestCandidates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sandbox := func(name string, age time.Duration, containers int) cri.Sandbox {
		return cri.Sandbox{Namespace: "shop", Name: name, UID: "uid-" + name, Created: now.Add(-age), Containers: containers}
	}
	cfg := containerd(nginx)
	cfg.Sandboxes = []cri.Sandbox{
		sandbox("waits", time.Minute, 0), sandbox("runs", time.Minute, 1), sandbox("later", -time.Hour, 0), {UID: "not ready", Created: now.Add(-time.Hour)},
	}
	named := failed(redis)
	named.Pods = []attempt.Pod{{Pod: detect.Pod{Namespace: "shop", Name: "named"}}}
	named.Attribution = attempt.ByKubelet
	late := failed(redis)
	late.Late = true
	waits := detect.Pod{Namespace: "shop", Name: "waits", UID: "uid-waits"}
	tests := map[string]struct {
		kubelet     bool
		attempt     attempt.Attempt
		want        []attempt.Pod
		attribution attempt.Attribution
		asked       bool
	}{
		"no kubelet log":        {false, failed(redis), []attempt.Pod{{Pod: waits}}, attempt.ByCandidate, true},
		"the kubelet will say":  {true, failed(redis), nil, "", false},
		"somebody said already": {false, named, named.Pods, attempt.ByKubelet, false},
		"only a late line":      {false, late, nil, "", false},
		"a pull that succeeded": {false, succeeded(nginx), nil, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e, _ := listed(t, cfg, func(cfg *enrich.Config) { cfg.KubeletRead = func() bool { return tt.kubelet } })
			// The first answer may come too late on a busy machine, and a good while
			// nothing is asked then.
			var a attempt.Attempt
			until(t, "the pods", func() bool {
				a, _ = e.Facts(t.Context(), tt.attempt)
				return len(a.Pods) == len(tt.want)
			})
			if diff := cmp.Diff(tt.want, a.Pods); diff != "" || a.Attribution != tt.attribution {
				t.Errorf("attributed by %q, want %q; pods (-want +got):\n%s", a.Attribution, tt.attribution, diff)
			}
			if asked := s.Calls()[listPods] > 0; asked != tt.asked {
				t.Errorf("the sandboxes were asked for: %v, want %v", asked, tt.asked)
			}
		})
	}
}

func TestCacheOfFailure(t *testing.T) {
	t.Parallel()
	other := cri.Image{ID: "sha256:9", Tags: []string{"docker.io/library/arm:2"}}
	s, e, _ := listed(t, containerd(forArm, other), unchanged)
	var c *diagnose.Cache
	until(t, "the platform", func() bool {
		_, facts := e.Facts(t.Context(), failed(forArm))
		c = facts.Cache
		return len(c.Platforms) > 0
	})
	if !c.Present || c.AvailableBytes == 0 || c.UsedRatio <= 0 || c.UsedRatio > 1 {
		t.Errorf("got the cache %+v", c)
	}
	if diff := cmp.Diff([][]string{{"linux/arm64/v8"}, {"docker.io/library/arm:2"}}, [][]string{c.Platforms, c.OtherTags}); diff != "" {
		t.Errorf("platforms and other tags (-want +got):\n%s", diff)
	}
	asked := s.Calls()[imageStatus]
	e.Facts(t.Context(), failed(forArm)) // its platform is known
	e.Facts(t.Context(), failed(redis))  // not on the node
	if again := s.Calls()[imageStatus]; again != asked {
		t.Errorf("asked for the platform %d times more", again-asked)
	}
}

// An image that was pulled and cannot run here is a failure, always the same one.
func TestForeignPlatform(t *testing.T) {
	t.Parallel()
	unsaid := cri.Image{ID: "sha256:8", Tags: []string{"docker.io/library/unsaid:1"}}
	tests := map[string]struct {
		image cri.Image
		unfit string // platform
	}{
		"own":                  {nginx, ""},
		"32 bits of one's own": {for386, ""},
		"foreign":              {forArm, "linux/arm64/v8"},
		"unsaid":               {unsaid, ""},
		"not on the node":      {redis, ""},
	}
	s, e, w := listed(t, containerd(nginx, forArm, for386, unsaid), unchanged)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var uids []string
			for range 2 {
				_, before, _ := w.all()
				asked := s.Calls()[imageStatus]
				a, facts := e.Facts(t.Context(), succeeded(tt.image))
				until(t, "the question", func() bool { return s.Calls()[imageStatus] > asked })
				if a.Succeeded && tt.unfit != "" { // on a busy machine it is told late
					var unfit []attempt.Attempt
					until(t, "the late answer", func() bool { _, unfit, _ = w.all(); return len(unfit) > len(before) })
					a, facts.ImagePlatform = unfit[len(before)], tt.unfit
				}
				if a.Succeeded != (tt.unfit == "") || facts.ImagePlatform != tt.unfit {
					t.Fatalf("got %+v and %+v", a, facts)
				}
				if !a.Succeeded && (a.Failure == nil || !a.Whole || a.UID == succeeded(tt.image).UID) {
					t.Errorf("got %+v", a)
				}
				uids = append(uids, a.UID)
			}
			if uids[0] != uids[1] {
				t.Errorf("got the uids %v of one failure", uids)
			}
		})
	}
}

// A slow runtime is not waited for, and what it says in the end is not lost.
func TestSlowRuntime(t *testing.T) {
	t.Parallel()
	const delay = 4 * time.Second
	s, e, w := listed(t, containerd(nginx, forArm), unchanged)
	s.Set(func(cfg *critest.Config) { cfg.Delay = delay })
	facts := func(a attempt.Attempt) attempt.Attempt {
		t.Helper()
		began := time.Now()
		a, _ = e.Facts(t.Context(), a)
		// The bound is 100 ms; the rest is for the machine.
		if took := time.Since(began); took > delay/2 {
			t.Errorf("facts took %s", took)
		}
		return a
	}
	slow := time.Now()
	if a := facts(succeeded(forArm)); !a.Succeeded {
		t.Error("the answer was waited for")
	}
	s.Set(func(cfg *critest.Config) { cfg.Delay = 0 })
	asked := s.Calls()
	for range 20 {
		facts(failed(nginx))
	}
	calls := s.Calls()
	if time.Since(slow) < 10*time.Second && (calls[listPods] != asked[listPods] || calls[imageStatus] > asked[imageStatus]+1) {
		t.Errorf("a slow runtime was asked on: calls were %v, are %v", asked, calls)
	}
	until(t, "the late answer", func() bool { _, unfit, _ := w.all(); return len(unfit) > 0 })
	_, unfit, _ := w.all()
	if a := unfit[0]; a.Succeeded || a.Failure == nil || a.Ref != forArm.Tags[0] {
		t.Errorf("got %+v", a)
	}
	// Once it is fast again it is asked again, also where images are pulled all the time.
	until(t, "a question", func() bool {
		facts(succeeded(nginx))
		facts(failed(nginx))
		time.Sleep(50 * time.Millisecond)
		return s.Calls()[listPods] > calls[listPods]
	})
	if !slices.ContainsFunc(e.State(t.Context()).Runtime.Features, func(f cri.Feature) bool { return f.Name == "sandboxes" && f.State == cri.StateOK }) {
		t.Error("sandboxes are not told")
	}
}
