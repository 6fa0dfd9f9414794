package detect

import (
	"strings"
	"testing"
)

// startLines are the first lines of programs, as those of the version that they tell wrote
// them.
var startLines = []struct {
	name, line string
	kind       Kind
	program    string
	version    string
}{
	{
		"containerd 2.4.2",
		`time="2026-11-25T22:02:20.231894401Z" level=info msg="starting containerd" revision= version=v2.4.2`,
		RuntimeStarted, Containerd, "v2.4.2",
	},
	{
		"containerd 2.4.2, JSON",
		`{"level":"info","msg":"starting containerd","revision":"","time":"2026-11-25T22:02:23.280013628Z","version":"v2.4.2"}`,
		RuntimeStarted, Containerd, "v2.4.2",
	},
	{
		"containerd 1.6.20 of Debian",
		`time="2026-11-25T22:02:26.297722144Z" level=info msg="starting containerd" revision="1.6.20~ds1-1+deb12u3" version="1.6.20~ds1"`,
		RuntimeStarted, Containerd, "1.6.20~ds1",
	},
	{
		"containerd 1.6.20 of Debian, JSON",
		`{"level":"info","msg":"starting containerd","revision":"1.6.20~ds1-1+deb12u3","time":"2026-11-25T22:02:29.302465801Z","version":"1.6.20~ds1"}`,
		RuntimeStarted, Containerd, "1.6.20~ds1",
	},
	{
		"CRI-O 1.20.3",
		`time="2021-06-29T18:16:10+02:00" level=info msg="Starting CRI-O, version: 1.20.3, git: d5a999ad0a35d895ded554e1e18c142075501a98(clean)"`,
		RuntimeStarted, CRIO, "1.20.3",
	},
	{ // its time is the only one with a space
		"CRI-O 1.29.1",
		`time="2024-01-22 09:22:19.340284678Z" level=info msg="Starting CRI-O, version: 1.29.1, git: 78e179ba8dd3ce462382a17049e8d1f770246af1(clean)"`,
		RuntimeStarted, CRIO, "1.29.1",
	},
	{
		"kubelet 1.37.2",
		`I1125 22:05:21.914297   23994 server.go:545] "Kubelet version" kubeletVersion="v1.37.2"`,
		KubeletStarted, Kubelet, "v1.37.2",
	},
	{
		"kubelet 1.37.2, JSON",
		`{"ts":1795644322068.5894,"caller":"app/server.go:545","msg":"Kubelet version","v":0,"kubeletVersion":"v1.37.2"}`,
		KubeletStarted, Kubelet, "v1.37.2",
	},
	{
		"kubelet 1.34.4",
		`I1125 22:02:42.335374   15736 server.go:529] "Kubelet version" kubeletVersion="v1.34.4"`,
		KubeletStarted, Kubelet, "v1.34.4",
	},
	{
		"kubelet within a line of k0s",
		`time="2026-11-25 22:05:21" level=info msg="I1125 22:05:21.914297   23994 server.go:545] \"Kubelet version\" kubeletVersion=\"v1.37.2\"" component=kubelet stream=stderr`,
		KubeletStarted, Kubelet, "v1.37.2",
	},
	{
		"containerd within a line of k0s",
		`time="2026-11-25 22:02:20" level=info msg="time=\"2026-11-25T22:02:20.231894401Z\" level=info msg=\"starting containerd\" revision= version=v2.4.2" component=containerd stream=stderr`,
		RuntimeStarted, Containerd, "v2.4.2",
	},
	{
		"containerd within journald's JSON",
		`{"MESSAGE":"time=\"2026-11-25T22:02:20.231894401Z\" level=info msg=\"starting containerd\" revision= version=v2.4.2","_PID":"7"}`,
		RuntimeStarted, Containerd, "v2.4.2",
	},
}

func TestStarts(t *testing.T) {
	for _, tt := range startLines {
		t.Run(tt.name, func(t *testing.T) {
			got := signals(tt.line)
			if len(got) != 1 || got[0].Kind != tt.kind || got[0].Program != tt.program || got[0].Version != tt.version {
				t.Errorf("got %+v, want %s of %s %s", got, tt.kind, tt.program, tt.version)
			}
			if len(got) == 1 && got[0].Time.IsZero() && tt.kind == RuntimeStarted {
				t.Error("it has no time: no pull would be older than it")
			}
		})
	}
}

// What Detect reads is of no use if the filter leaves it out: also in a block, between
// lines that say nothing.
func TestStartsAreFound(t *testing.T) {
	const noise = `time="2026-11-25T22:02:20.231977915Z" level=info msg="loading plugin" id=io.containerd.content.v1.content type=io.containerd.content.v1` + "\n"
	for _, tt := range startLines {
		for _, block := range []string{tt.line, tt.line + "\n", noise + tt.line + "\n" + noise} {
			n, first := Find([]byte(block)), strings.Index(block, tt.line)
			if n < first || n >= first+len(tt.line) {
				t.Errorf("%s: found at %d, the line is at %d", tt.name, n, first)
			}
		}
	}
	if n := Find([]byte(noise)); n >= 0 {
		t.Errorf("noise is found at %d", n)
	}
}

// A start ends all pulls in flight: no line may be mistaken for one, whoever chose its
// words.
func TestStartsOnlyLookAlike(t *testing.T) {
	for _, line := range []string{
		`time="2026-11-25T22:02:20Z" level=info msg="starting containerd-shim" version=v2.4.2`,
		`time="2026-11-25T22:02:20Z" level=info msg="starting containerd-shim-runc-v2" namespace=k8s.io version=2`,
		`time="2026-11-25T22:02:20Z" level=info msg="starting containerd plugins" version=v2.4.2`,
		`time="2026-11-25T22:02:20Z" level=info msg="containerd successfully booted in 0.044s"`,
		`time="2026-11-25T22:02:20Z" level=info msg="not starting containerd" version=v2.4.2`,
		`time="2026-11-25T22:02:20Z" level=info msg="Starting CRI-O, please wait"`,
		`time="2026-11-25T22:02:20Z" level=info msg="loading plugin" id="starting containerd" version=v2.4.2`,
		`time="2026-11-25T22:02:20Z" level=info msg="RunPodSandbox for name:\"starting containerd\" uid:\"1\" namespace:\"shop\" returns sandbox id \"7\""`,
		`time="2026-11-25T22:02:20Z" level=info msg="Container to stop \"starting containerd\" must be in running or unknown state"`,
		`I1125 22:05:21.914297   23994 kubelet.go:2493] "SyncLoop ADD" source="api" pods=["shop/starting containerd"]`,
		`I1125 22:05:21.914297   23994 kubelet.go:2493] "SyncLoop ADD" source="api" pods=["shop/Kubelet version"]`,
		`I1125 22:05:21.914297   23994 server.go:545] "Kubelet version skew" kubeletVersion="v1.37.2"`,
		`{"ts":1795644322068.5894,"caller":"app/server.go:545","msg":"Kubelet version skew","v":0,"kubeletVersion":"v1.37.2"}`,
		`{"level":"info","msg":"loading plugin","id":"starting containerd","version":"v2.4.2"}`,
	} {
		if got := signals(line); len(got) > 0 {
			t.Errorf("%s\ngot %s %s", line, got[0].Kind, got[0].Version)
		}
	}
	// A pull of such an image is a pull, not a start.
	line := `time="2026-11-25T22:02:20Z" level=info msg="PullImage \"starting containerd\"" version=v2.4.2`
	if got := signals(line); len(got) != 1 || got[0].Kind != PullStarted {
		t.Errorf("got %+v", got)
	}
}

// The version is shown on pages and sent on: it has a bound like every name.
func TestStartVersionIsBounded(t *testing.T) {
	long := strings.Repeat("1", 4096)
	got := signals(`time="2026-11-25T22:02:20Z" level=info msg="starting containerd" version=` + long)
	if len(got) != 1 || len(got[0].Version) > maxName {
		t.Errorf("got a version of %d bytes", len(got[0].Version))
	}
}
