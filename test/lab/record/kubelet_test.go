//go:build linux

package record

import (
	"bufio"
	"bytes"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pullcause/test/lab"
)

// The lines are those of kubelet v1.37.2 but for the time.
func TestKubelet(t *testing.T) {
	t.Parallel()
	denied := status.Error(codes.Unknown, "failed to pull and unpack image \"r.test/x:1\": 403 Forbidden\ndenied")
	missing := status.Error(codes.NotFound, `failed to pull and unpack image "r.test/x:1": not found`)
	tests := []struct {
		name string
		tell func(*kubelet)
		want string
	}{
		{
			name: "a pull without credentials, several lines",
			tell: func(k *kubelet) { k.failed(lab.Scenario{Name: "X", Image: "r.test/x:1"}, denied) },
			want: `E    1184 remote_image.go:334] "PullImage from image service failed" err=<
	rpc error: code = Unknown desc = failed to pull and unpack image "r.test/x:1": 403 Forbidden
	denied
 > image="r.test/x:1"
E    1184 kuberuntime_image.go:43] "Failed to pull image" err=<
	failed to pull and unpack image "r.test/x:1": 403 Forbidden
	denied
 > image="r.test/x:1"
E    1184 kuberuntime_manager.go:1854] "Unhandled Error" err=<
	container app start failed in pod x-0_shop(4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3): ErrImagePull: failed to pull and unpack image "r.test/x:1": 403 Forbidden
	denied
 > logger="UnhandledError"
E    1184 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"failed to pull and unpack image \\\"r.test/x:1\\\": 403 Forbidden\\ndenied\"" pod="shop/x-0" podUID="4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3"
`,
		},
		{
			name: "a pull with credentials keeps a status that says something",
			tell: func(k *kubelet) {
				k.failed(lab.Scenario{Name: "X", Image: "r.test/x:1", Login: &lab.Login{}}, missing)
			},
			want: `E    1184 remote_image.go:334] "PullImage from image service failed" err="rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/x:1\": not found" image="r.test/x:1"
E    1184 kuberuntime_manager.go:1854] "Unhandled Error" err="container app start failed in pod x-0_shop(4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3): ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/x:1\": not found" logger="UnhandledError"
E    1184 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"rpc error: code = NotFound desc = failed to pull and unpack image \\\"r.test/x:1\\\": not found\"" pod="shop/x-0" podUID="4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3"
`,
		},
		{
			name: "a sandbox",
			tell: func(k *kubelet) { k.failed(lab.Scenario{Name: "X", Image: "r.test/x:1", Sandbox: true}, missing) },
			want: `E    1184 remote_runtime.go:325] "RunPodSandbox from runtime service failed" err="rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/x:1\": not found"
E    1184 kuberuntime_sandbox.go:74] "Failed to create sandbox for pod" err="rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/x:1\": not found" pod="shop/x-0"
E    1184 kuberuntime_manager.go:1747] "CreatePodSandbox for pod failed" err="rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/x:1\": not found" pod="shop/x-0"
E    1184 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"CreatePodSandbox\" for \"x-0_shop(4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3)\" with CreatePodSandboxError: \"Failed to create sandbox for pod \\\"x-0_shop(4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3)\\\": rpc error: code = NotFound desc = failed to pull and unpack image \\\"r.test/x:1\\\": not found\"" pod="shop/x-0" podUID="4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3"
`,
		},
		{
			name: "a name that is none",
			tell: func(k *kubelet) { k.failed(lab.Scenario{Name: "X", Image: "r.test/X:1", KubeletOnly: true}, nil) },
			want: `E    1184 kuberuntime_manager.go:1854] "Unhandled Error" err="container app start failed in pod x-0_shop(4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3): InvalidImageName: Failed to apply default image tag \"r.test/X:1\": couldn't parse image name \"r.test/X:1\": invalid reference format: repository name (X) must be lowercase" logger="UnhandledError"
E    1184 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with InvalidImageName: \"Failed to apply default image tag \\\"r.test/X:1\\\": couldn't parse image name \\\"r.test/X:1\\\": invalid reference format: repository name (X) must be lowercase\"" pod="shop/x-0" podUID="4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3"
`,
		},
		{
			name: "back-off",
			tell: func(k *kubelet) { k.backOff(lab.Scenario{Name: "X", Image: "r.test/x:1"}, missing) },
			want: `E    1184 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ImagePullBackOff: \"Back-off pulling image \\\"r.test/x:1\\\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \\\"r.test/x:1\\\": not found\"" pod="shop/x-0" podUID="4b68ab38-47fe-da7d-6c62-c1fbcbeebfa3"
`,
		},
	}
	stamp := regexp.MustCompile(`(?m)^E\d{4} \d\d:\d\d:\d\d\.\d{6} `)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			out := bufio.NewWriter(&text)
			tt.tell(&kubelet{out: out})
			if err := out.Flush(); err != nil {
				t.Fatal(err)
			}
			got := stamp.ReplaceAllString(text.String(), "E ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPullsCutsTheStart(t *testing.T) {
	t.Parallel()
	const log = "time=1 msg=\"starting containerd\"\ntime=2 msg=\"PullImage \\\"x:1\\\"\"\ntime=3 msg=end\n"
	want := "time=2 msg=\"PullImage \\\"x:1\\\"\"\ntime=3 msg=end\n"
	if got := string(pulls([]byte(log))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := pulls([]byte("no pull\n")); got != nil {
		t.Errorf("got %q, want nothing", got)
	}
}
