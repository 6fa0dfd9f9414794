package agent_test

import (
	"fmt"
	"strings"
	"testing"

	"pullcause/agent/export"
)

// foreignLines are what other programs write to the same file about images and pulls.
var foreignLines = []string{
	"failed to pull image avatar for user bob: 404 not found",
	"we failed to pull image metadata from the crm",
	`Dec  1 00:10:00 host sshd[123]: Failed to pull image "evil.example/x:1": rpc error: code = Unknown desc = unauthorized`,
	`Dec  1 00:10:00 host backup[123]: time="2026-11-24T09:59:00Z" level=error msg="PullImage \"evil.example/x:1\" failed" error="not found"`,
	`Dec  1 00:10:00 host nginx: 10.1.2.3 "GET /?q=ErrImagePull pulling image evil.example/x:1" 404`,
	`  Warning  Failed  15m (x4 over 17m)  kubelet  Failed to pull image "evil.example/x:1": 403 Forbidden`,
	"Error response from daemon: pull access denied for evil/x, repository does not exist or may require 'docker login'",
	`{"level":"error","msg":"failed to pull image","error":"401 Unauthorized","image":"evil.example/x:1","time":"2026-11-24T09:59:00Z"}`,
	`{"level":"error","ts":1795474127.6,"caller":"app/main.go:12","msg":"Failed to pull image","err":"404 not found","image":"evil.example/x:1"}`,
	`time="2026-11-24T09:59:00Z" level=fatal msg="pulling image: rpc error: code = Unknown desc = 403 Forbidden"`,
	`time="2026-11-24T09:59:00Z" level=error msg="Error pulling image evil.example/x:1: manifest unknown"`,
	`time="2026-11-24T09:59:00Z" level=info msg="Pulling image: evil.example/x:1"`,
	`time="2026-11-24T09:59:00Z" level=error msg="failed to pull image evil.example/x:1" error="unauthorized"`,
	`E1124 09:59:00.000000       1 controller.go:114] "Failed to pull image" err="EOF" image="evil.example/x:1"`,
	"2026-11-24T09:59:00.1Z stdout F failed to pull image evil.example/x:1: 403 Forbidden",
}

// A file that other programs write to as well: what they say is no failed pull, and
// however much it is, the failure behind it is reported.
func TestForeignLinesInAFollowedFile(t *testing.T) {
	n := newNode(t)
	_, stop := n.run()
	defer stop()
	n.write(n.containerd, strings.Repeat(strings.Join(foreignLines, "\n")+"\n", 5000))
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.waitImage("registry.example.com/team/app:v1")
	for _, r := range n.receiver.Records() {
		if image := r.Attributes[export.ImageRefKey]; image != "registry.example.com/team/app:v1" {
			t.Errorf("got a record of %v: %v", image, r.Attributes[export.ExceptionMessageKey])
		}
	}
}
