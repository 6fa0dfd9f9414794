package attempt_test

import (
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/logtail"
)

// What containerd v2.4.2 and kubelet v1.37.2 write when the image of a volume cannot be
// pulled: the line on the pod names the container that would mount it.
var volumeLines = []string{
	`time="2026-11-25T08:39:33.666019515Z" level=error msg="PullImage \"registry.lab.test/app/model:1.0\" failed" error="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.lab.test/app/model:1.0\": failed to resolve image: registry.lab.test/app/model:1.0: not found"`,
	`E1125 08:39:33.666187      50 remote_image.go:334] "PullImage from image service failed" err="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.lab.test/app/model:1.0\": failed to resolve image: registry.lab.test/app/model:1.0: not found" image="registry.lab.test/app/model:1.0"`,
	`E1125 08:39:33.666225      50 kuberuntime_image.go:43] "Failed to pull image" err="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.lab.test/app/model:1.0\": failed to resolve image: registry.lab.test/app/model:1.0: not found" image="registry.lab.test/app/model:1.0"`,
	`E1125 08:39:33.666306      50 kuberuntime_manager.go:2058] "Failed to ensure image" err="ErrImagePull" pod="shop/volume-node-a"`,
	`E1125 08:39:33.666351      50 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"rpc error: code = NotFound desc = failed to pull and unpack image \\\"registry.lab.test/app/model:1.0\\\": failed to resolve image: registry.lab.test/app/model:1.0: not found\"" pod="shop/volume-node-a" podUID="3e711e6d-2105-b8a1-ace3-5ef65a1c00b2"`,
}

var volumeBackOff = []string{
	`E1125 08:39:57.738472      50 kuberuntime_manager.go:2058] "Failed to ensure image" err="ImagePullBackOff" pod="shop/volume-node-a"`,
	`E1125 08:39:57.738505      50 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ImagePullBackOff: \"Back-off pulling image \\\"registry.lab.test/app/model:1.0\\\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \\\"registry.lab.test/app/model:1.0\\\": failed to resolve image: registry.lab.test/app/model:1.0: not found\"" pod="shop/volume-node-a" podUID="3e711e6d-2105-b8a1-ace3-5ef65a1c00b2"`,
}

func TestImageVolume(t *testing.T) {
	at := time.Date(2026, 11, 25, 8, 40, 0, 0, time.UTC)
	for name, lines := range map[string][]string{
		"both": volumeLines, "kubelet alone": volumeLines[1:], "back-off": volumeBackOff,
	} {
		t.Run(name, func(t *testing.T) {
			j := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: time.Second, Forget: time.Hour, MaxOpen: 10})
			var got []attempt.Attempt
			emit := func(a attempt.Attempt) { got = append(got, a) }
			for i, line := range lines {
				rec := logtail.Record{Source: "x", Body: []byte(line), Observed: at}
				rec.Pos = logtail.Position{Source: "x", Offset: int64(i)}
				rec.End = logtail.Position{Source: "x", Offset: int64(i + 1)}
				detect.Detect(rec, time.UTC, func(s detect.Signal) { j.Add(s, at, emit) })
			}
			if name == "both" && len(got) != 1 {
				t.Errorf("got %d attempts before the window closed, want 1: nothing more is to come", len(got))
			}
			j.Flush(emit)
			if len(got) != 1 {
				t.Fatalf("got %d attempts, want 1: %+v", len(got), got)
			}
			a := got[0]
			if len(a.Pods) != 1 || a.Pods[0].Kind != detect.KindImageVolume || a.Pods[0].UID != "3e711e6d-2105-b8a1-ace3-5ef65a1c00b2" {
				t.Errorf("got pods %+v, want the one with the volume", a.Pods)
			}
			if a.Image != "registry.lab.test/app/model:1.0" || a.BackOff != (name == "back-off") {
				t.Errorf("got image %q, back-off %v", a.Image, a.BackOff)
			}
		})
	}
}
