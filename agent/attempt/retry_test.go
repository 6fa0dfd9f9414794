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

// credentialRetry is what a kubelet 1.29 and containerd 1.7 write about one pull with two
// pull secrets: the first is answered with 404, the second with 403.
const credentialRetry = `time="2024-05-07T11:59:37.203750262Z" level=error msg="PullImage \"registry.example/team/web:1\" failed" error="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/team/web:1\": failed to resolve reference \"registry.example/team/web:1\": registry.example/team/web:1: not found"
time="2024-05-07T11:59:37.203800966Z" level=info msg="stop pulling image registry.example/team/web:1: active requests=0, bytes read=6802"
E0507 11:59:37.204057    4589 remote_image.go:180] "PullImage from image service failed" err="rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/team/web:1\": failed to resolve reference \"registry.example/team/web:1\": registry.example/team/web:1: not found" image="registry.example/team/web:1"
time="2024-05-07T11:59:37.204502542Z" level=info msg="PullImage \"registry.example/team/web:1\""
time="2024-05-07T11:59:37.413617100Z" level=error msg="PullImage \"registry.example/team/web:1\" failed" error="failed to pull and unpack image \"registry.example/team/web:1\": failed to resolve reference \"registry.example/team/web:1\": unexpected status from HEAD request to https://registry.example/v2/team/web/manifests/1: 403 Forbidden"
time="2024-05-07T11:59:37.413721567Z" level=info msg="stop pulling image registry.example/team/web:1: active requests=0, bytes read=4401"
E0507 11:59:37.413937    4589 remote_image.go:180] "PullImage from image service failed" err="rpc error: code = Unknown desc = failed to pull and unpack image \"registry.example/team/web:1\": failed to resolve reference \"registry.example/team/web:1\": unexpected status from HEAD request to https://registry.example/v2/team/web/manifests/1: 403 Forbidden" image="registry.example/team/web:1"
E0507 11:59:37.414181    4589 kuberuntime_manager.go:1256] container &Container{Name:grafana,Image:registry.example/team/web:1,Command:[/bin/sh],Args:[-c set -e; while [ "$(pidof hgrun-pause)" = "" ]; do sleep 0.5; done;
E0507 11:59:37.414253    4589 pod_workers.go:1300] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"grafana\" with ErrImagePull: \"[rpc error: code = NotFound desc = failed to pull and unpack image \\\"registry.example/team/web:1\\\": failed to resolve reference \\\"registry.example/team/web:1\\\": registry.example/team/web:1: not found, failed to pull and unpack image \\\"registry.example/team/web:1\\\": failed to resolve reference \\\"registry.example/team/web:1\\\": unexpected status from HEAD request to https://registry.example/v2/team/web/manifests/1: 403 Forbidden]\"" pod="shop/web-7666b574d5-22xlb" podUID="dd9f7420-7d07-4def-b1b1-5f1d0a8a7ca8"`

// A pull that the kubelet tries with two credentials is one attempt, with the errors of both.
func TestPullWithTwoCredentials(t *testing.T) {
	var got []attempt.Attempt
	emit := func(a attempt.Attempt) { got = append(got, a) }
	j := newJoiner(time.Second)
	at := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC) // klog writes no year
	for n, line := range strings.Split(credentialRetry, "\n") {
		rec := logtail.Record{Body: []byte(line), Observed: at, Pos: logtail.Position{Source: "file:node", Offset: int64(n)}}
		detect.Detect(rec, time.UTC, func(s detect.Signal) { j.Add(s, at, emit) })
	}
	j.Flush(emit)
	if len(got) != 1 {
		t.Fatalf("%d attempts, want one: %v", len(got), got)
	}
	a := got[0]
	if a.Failure.Leaf != "registry.example/team/web:1: not found" || len(a.Failure.Others) != 1 || a.Failure.Others[0].Status != 403 {
		t.Errorf("failure %+v, want 404 and then 403", a.Failure)
	}
	if len(a.Pods) != 1 || a.Pods[0].Name != "web-7666b574d5-22xlb" || a.Pods[0].Container != "grafana" {
		t.Errorf("pods %v, want web-7666b574d5-22xlb/grafana", a.Pods)
	}
	if lines := strings.Count(a.Lines, "\n") + 1; lines != 5 {
		t.Errorf("%d lines, want those of both pulls:\n%s", lines, a.Lines)
	}
}

// podLinesOf are the kubelet's lines on a pod with the errors of all credentials.
func (c *script) podLinesOf(pod string, statuses ...int) *script {
	f := failure(statuses[0])
	f.Reference = image
	for _, status := range statuses[1:] {
		f.Others = append(f.Others, failure(status))
	}
	for range 2 {
		c.say(detect.Signal{
			Kind: detect.PullFailed, Program: detect.Kubelet, Failure: f, Reason: "ErrImagePull",
			Pod: podNamed(pod), Container: "app", ContainerKind: detect.KindContainer,
		})
	}
	return c
}

func (c *script) tries(statuses ...int) *script {
	for _, status := range statuses {
		c.starts(image).fails(image, status).imageLine(image, status)
	}
	return c
}

// Which pulls are one attempt of the kubelet's.
func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   *script
		want []string
	}{
		{"two credentials", newScript().tries(404, 403).podLinesOf("web-0", 404, 403), []string{"404+403 web-0"}},
		{"three", newScript().tries(404, 403, 401).podLinesOf("web-0", 404, 403, 401), []string{"404+403+401 web-0"}},
		{"the kubelet does not repeat an error", newScript().tries(404, 404, 403).podLinesOf("web-0", 404, 403), []string{"404+404+403 web-0"}},
		{
			"two pods, one after the other", newScript().tries(404, 403).podLinesOf("web-0", 404, 403).tries(404, 403).podLinesOf("web-1", 404, 403),
			[]string{"404+403 web-0", "404+403 web-1"},
		},
		{
			"two pods, whose lines come later", newScript().tries(404, 403, 404, 403).podLinesOf("web-0", 404, 403).podLinesOf("web-1", 404, 403),
			[]string{"404+403 web-0", "404+403 web-1"},
		},
		{
			"two pods with one credential each", newScript().tries(404, 403).podLinesOf("web-0", 404).podLinesOf("web-1", 403),
			[]string{"404 web-0", "403 web-1"},
		},
		{
			"a pull of long before is another attempt", newScript().tries(404).wait(900*time.Millisecond).podLinesOf("web-0", 404).tries(404, 403).podLinesOf("web-1", 404, 403),
			[]string{"404 web-0", "404+403 web-1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range played(tt.in.signals, time.Second) {
				line := fmt.Sprint(a.Failure.Status)
				for _, other := range a.Failure.Others {
					line += fmt.Sprint("+", other.Status)
				}
				for _, p := range a.Pods {
					line += " " + p.Name
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}
