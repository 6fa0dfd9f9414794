package detect

import (
	"bytes"
	"testing"
	"time"

	"pullcause/logtail"
)

// tempting are lines that Find lets through and that say little or nothing.
var tempting = []struct{ name, line string }{
	{"start", `time="2026-11-23T22:48:47.623221596Z" level=info msg="PullImage \"registry.example.com/team/app:v1\""`},
	{"success", `time="2026-11-23T22:48:47.623221596Z" level=info msg="PullImage \"registry.example.com/team/app:v1\" returns image reference \"sha256:a84ab439f234a75858a4a9faaceafd5605c7ae7fb0e3d6b6661713e6f35f2dbc\""`},
	{"snapshotter", `time="2026-11-23T22:48:47.623221596Z" level=debug msg="PullImage \"registry.example.com/team/app:v1\" with snapshotter overlayfs"`},
	{"sandbox", `time="2026-11-23T22:48:47.623221596Z" level=info msg="RunPodSandbox for &PodSandboxMetadata{Name:web-0,Uid:69a2a79f-61f5-7abb-6ae1-04b021f8e84a,Namespace:default,Attempt:0,} returns sandbox id \"a84ab439f234a75858a4a9faaceafd5605c7ae7fb0e3d6b6661713e6f35f2dbc\""`},
	{"crashloop", `E1123 22:48:47.626250   21023 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with CrashLoopBackOff: \"back-off 5m0s restarting failed container=app pod=web-0_default(69a2a79f-61f5-7abb-6ae1-04b021f8e84a)\"" pod="default/web-0" podUID="69a2a79f-61f5-7abb-6ae1-04b021f8e84a"`},
	{"image update", `time="2026-11-23T22:48:47.623221596Z" level=info msg="ImageUpdate event name:\"registry.example.com/team/app:v1\" labels:{key:\"io.cri-containerd.image\" value:\"managed\"}"`},
	{"pleg", `I1123 22:48:47.626250   21023 kubelet.go:2493] "SyncLoop (PLEG): event for pod" pod="default/web-0" event={"ID":"69a2a79f-61f5-7abb-6ae1-04b021f8e84a","Type":"ContainerDied","Data":"a84ab439f234a75858a4a9faaceafd5605c7ae7fb0e3d6b6661713e6f35f2dbc"}`},
}

func BenchmarkTempting(b *testing.B) {
	for _, c := range tempting {
		b.Run(c.name, func(b *testing.B) {
			rec := logtail.Record{Body: []byte(c.line), Observed: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
			b.ReportAllocs()
			for b.Loop() {
				Detect(rec, time.UTC, func(Signal) {})
			}
		})
	}
}

func BenchmarkFailure(b *testing.B) {
	for _, c := range []struct{ name, line string }{
		{"containerd", containerdFailed}, {"kubelet", kubeletFailed}, {"sync", syncingFailed}, {"host", hostLine},
	} {
		b.Run(c.name, func(b *testing.B) {
			rec := logtail.Record{Body: []byte(c.line), Observed: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
			b.ReportAllocs()
			for b.Loop() {
				Detect(rec, time.UTC, func(Signal) {})
			}
		})
	}
}

// BenchmarkFind searches noise: a block of what a busy node writes.
func BenchmarkFind(b *testing.B) {
	var block []byte
	for i := 0; len(block) < 256<<10; i++ {
		block = append(append(block, noise[i%len(noise)]...), '\n')
	}
	if i := Find(block); i >= 0 {
		b.Fatalf("Find stops in noise: %q", block[max(0, i-40):i+40])
	}
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		Find(block)
	}
}

// BenchmarkFindIndex is what Find is measured against: a search for each of
// only three of its phrases.
func BenchmarkFindIndex(b *testing.B) {
	var block []byte
	for i := 0; len(block) < 256<<10; i++ {
		block = append(append(block, noise[i%len(noise)]...), '\n')
	}
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		for _, phrase := range [...]string{"PullImage", "ErrImagePull", "trying next host"} {
			bytes.Index(block, []byte(phrase))
		}
	}
}

// noise are lines of a busy node that Find must not stop at.
var noise = []string{
	tempting[3].line, tempting[4].line, tempting[5].line, tempting[6].line,
	`time="2026-11-23T22:48:47.623221596Z" level=error msg="ContainerStatus for \"0be4ef8a1e54359757bacd3f3fc40736980ea8e55a0a1a5573c75034c68b4fe0\" failed" error="rpc error: code = NotFound desc = an error occurred when try to find container \"0be4ef8a1e54359757bacd3f3fc40736980ea8e55a0a1a5573c75034c68b4fe0\": not found"`,
	`time="2026-11-23T22:48:47.623221596Z" level=warning msg="cleaning up after shim disconnected" id=a759c4000e7cfd485d47dab1a3c8d28ca34b8560c6be30f5b0f0db1a96ffb9b4 namespace=k8s.io`,
	`I1123 22:48:47.626250    3224 reconciler_common.go:172] "operationExecutor.UnmountVolume started for volume \"pdc-certs\" (UniqueName: \"kubernetes.io/secret/c4d58b82-e80b-10bc-df55-fe3599c5390f-pdc-certs\") pod \"c4d58b82-e80b-10bc-df55-fe3599c5390f\" (UID: \"c4d58b82-e80b-10bc-df55-fe3599c5390f\") "`,
	`I1123 22:48:47.626250    3782 prober.go:107] "Probe failed" probeType="Readiness" pod="default/web-0" podUID="9838ac0a-43a3-a345-6a3d-23977eacc835" containerName="rollout-operator" probeResult="failure" output="HTTP probe failed with statuscode: 500"`,
	`I1123 22:48:47.626250    1334 kubelet.go:1318] "Image garbage collection succeeded"`,
}

const (
	containerdFailed = `time="2026-11-23T22:48:47.623221596Z" level=error msg="PullImage \"registry.example.com/team/app:v1\" failed" error="failed to pull and unpack image \"registry.example.com/team/app:v1\": failed to resolve reference \"registry.example.com/team/app:v1\": unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: 403 Forbidden"`
	kubeletFailed    = `E1123 22:48:47.626362   21023 remote_image.go:334] "PullImage from image service failed" err="failed to pull and unpack image \"registry.example.com/team/app:v1\": failed to resolve reference \"registry.example.com/team/app:v1\": unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: 403 Forbidden" image="registry.example.com/team/app:v1"`
	syncingFailed    = `E1123 22:48:47.626250   21023 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"failed to pull and unpack image \\\"registry.example.com/team/app:v1\\\": failed to resolve reference \\\"registry.example.com/team/app:v1\\\": unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: 403 Forbidden\"" pod="default/web-0" podUID="69a2a79f-61f5-7abb-6ae1-04b021f8e84a"`
	hostLine         = `time="2026-11-23T22:48:47.600000000Z" level=info msg="trying next host after status: 404 Not Found" host=mirror.example.com method=HEAD url="https://mirror.example.com/v2/team/app/manifests/v1?ns=registry.example.com"`
)
