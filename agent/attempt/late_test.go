package attempt_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/detect"
)

// What is said of an attempt that has been handed on.
var lateTests = []struct {
	name string
	in   *script
	want []string
}{
	{
		name: "a pod line after the window is late, not new",
		in:   newScript().fails(image, 401).wait(1500*time.Millisecond).podLines("web-0", image, 401),
		want: []string{"failed 401 containerd", "late 401 kubelet web-0/app", "late 401 kubelet web-0/app"},
	},
	{
		name: "the runtime's last line after the window is late, not new",
		in: newScript().starts(image).imageLine(image, 403).podLines("web-0", image, 403).
			heldBack(2*time.Second).fails(image, 403),
		want: []string{"failed 403 kubelet web-0/app", "late 403 containerd"},
	},
	{
		name: "all of the runtime's lines after the window are late",
		in: newScript().wait(time.Second).imageLine(image, 403).podLines("web-0", image, 403).
			wait(-time.Second).heldBack(3*time.Second).starts(image).fails(image, 403),
		want: []string{"failed 403 kubelet web-0/app", "late 403 containerd"},
	},
	{
		name: "the runtime's word on a stalled pull after the window is late",
		in: newScript().starts(image).imageLine(image, 0).podLines("web-0", image, 0).heldBack(2*time.Second).
			say(detect.Signal{Kind: detect.PullStalled, Image: image}).fails(image, 0),
		want: []string{"failed 0 kubelet web-0/app", "late stalled containerd", "late 0 containerd"},
	},
	{
		name: "the runtime's last line is late for one attempt only",
		in: newScript().imageLine(image, 403).podLines("web-0", image, 403).
			heldBack(2*time.Second).fails(image, 403).fails(image, 500),
		want: []string{"failed 403 kubelet web-0/app", "late 403 containerd", "failed 500 containerd"},
	},
	{
		name: "a pull that began after an attempt had ended is another",
		in: newScript().imageLine(image, 403).podLines("web-0", image, 403).
			wait(1500*time.Millisecond).starts(image).fails(image, 403),
		want: []string{"failed 403 kubelet web-0/app", "failed 403 containerd"},
	},
	{
		name: "the runtime's word on one of two pulls leaves the other one in flight",
		in: newScript().starts(image).starts(image).imageLine(image, 403).podLines("web-0", image, 403).
			heldBack(2*time.Second).fails(image, 403).
			heldBack(0).wait(time.Minute).host("https://registry.example.com"+manifest, 500).fails(image, 500),
		want: []string{"failed 403 kubelet web-0/app", "late 403 containerd", "failed 500 containerd origin=registry.example.com:500"},
	},
	{
		name: "of what the kubelet refused alone the runtime's next failure is none",
		in: newScript().starts(image).wait(5*time.Second).podLines("web-2", image, 0).
			wait(1500*time.Millisecond).fails(image, 500).imageLine(image, 500).podLines("web-1", image, 500),
		want: []string{"failed 0 kubelet web-2/app", "failed 500 containerd web-1/app"},
	},
	{
		name: "nor is one of two failures",
		in: newScript().starts(image).starts(image).wait(5*time.Second).podLines("web-2", image, 0).
			wait(1500*time.Millisecond).fails(image, 500).wait(20*time.Second).fails(image, 500),
		want: []string{"failed 0 kubelet web-2/app", "failed 500 containerd", "failed 500 containerd"},
	},
	{
		name: "a late pod line does not end the pull that is in flight by then",
		in: newScript().starts(image).fails(image, 403).wait(1500*time.Millisecond).starts(image).
			wait(-1500*time.Millisecond).heldBack(2*time.Second).podLines("web-0", image, 403).
			heldBack(0).wait(5 * time.Second).succeeds(image),
		want: []string{"failed 403 containerd", "late 403 kubelet web-0/app", "late 403 kubelet web-0/app", "ok containerd"},
	},
	{
		name: "a pod line after one that is whole ends the pull in flight",
		in: newScript().starts(image).fails(image, 403).podLines("web-0", image, 403).
			starts(image).imageLine(image, 403).podLines("web-0", image, 403).fails(image, 403),
		want: []string{"failed 403 containerd web-0/app", "failed 403 containerd web-0/app"},
	},
}

func TestLate(t *testing.T) {
	for _, tt := range lateTests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, join(tt.in.signals)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// The kubelet's text log has no zone. What it says late may be read as hours away, but
// what is read long after is another attempt.
func TestJoinLateAcrossZones(t *testing.T) {
	for name, c := range map[string]struct {
		in     *script
		shift  time.Duration
		atOnce bool // all is read after a downtime
		want   []string
	}{
		"late": {
			in:    newScript().fails(image, 403).wait(1500*time.Millisecond).podLines("web-0", image, 403),
			shift: -5*time.Hour - 30*time.Minute,
			want:  []string{"failed 403 containerd", "late 403 kubelet web-0/app", "late 403 kubelet web-0/app"},
		},
		"the runtime's lines are": {
			in: newScript().wait(time.Second).imageLine(image, 403).podLines("web-0", image, 403).
				wait(-time.Second).heldBack(3*time.Second).starts(image).fails(image, 403),
			shift: -5 * time.Hour,
			want:  []string{"failed 403 kubelet web-0/app", "late 403 containerd"},
		},
		"another attempt, a quarter of an hour later": {
			in:   newScript().fails(image, 403).wait(15*time.Minute).podLines("web-0", image, 403),
			want: []string{"failed 403 containerd", "failed 403 kubelet web-0/app"},
		},
		"another attempt, after one that is whole": {
			in: newScript().starts(image).fails(image, 500).imageLine(image, 500).podLines("web-0", image, 500).
				wait(15*time.Minute).podLines("web-0", image, 0),
			atOnce: true,
			want:   []string{"failed 500 containerd web-0/app", "failed 0 kubelet web-0/app"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.in.signals {
				if c.in.signals[i].Program == detect.Kubelet {
					c.in.signals[i].Time = c.in.signals[i].Time.Add(c.shift)
				}
				if c.atOnce {
					c.in.signals[i].Observed = start.Add(time.Hour)
				}
			}
			if diff := cmp.Diff(c.want, join(c.in.signals)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}
