package agent_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pullcause/agent/export"
)

// flood appends 100,000 lines a second to a log until stop is called.
func (n *node) flood(path string, lines func(i int) string) (stop func()) {
	n.t.Helper()
	const each, tick = 1000, 10 * time.Millisecond
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan error, 1)
	go func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for i := 0; ; i += each {
			var b strings.Builder
			for j := range each {
				b.WriteString(lines(i + j))
				b.WriteByte('\n')
			}
			if _, err := f.WriteString(b.String()); err != nil {
				ended <- err
				return
			}
			select {
			case <-ctx.Done():
				ended <- f.Close()
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			n.t.Errorf("flood: %v", err)
		}
	}
}

// arrives reports whether there is a record of an image by then, and how long it took.
func (n *node) arrives(image string, within time.Duration) (took time.Duration, ok bool) {
	began := time.Now()
	for time.Since(began) < within {
		for _, r := range n.receiver.Records() {
			if r.Attributes[export.ImageRefKey] == image {
				return time.Since(began), true
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return within, false
}

// Other programs write a hundred thousand lines a second to a log that is followed, many with
// the words of a failed pull. A real failure in the same log, and one in another, arrive all the
// same: within a fraction of a second, where reading each line took longer than writing it. The
// limit is far above that, for busy machines.
func TestFloodOfOtherPrograms(t *testing.T) {
	const within = 10 * time.Second
	floods := map[string]func(i int) string{
		"prose": func(i int) string { return fmt.Sprintf("failed to pull image avatar for user u%d: 404 not found", i) },
		"syslog": func(i int) string {
			return fmt.Sprintf(`2026-11-24T10:00:00.000000+00:00 node-a sshd[%d]: Invalid user "failed to pull image x/y:%d: 404 Not Found" from 192.0.2.1 port 40022`, i%9000, i)
		},
		"json": func(i int) string {
			return fmt.Sprintf(`{"level":"error","time":"2026-11-24T10:00:00.000Z","msg":"failed to pull image shop/cart:%d: 403 Forbidden","app":"shop"}`, i)
		},
		"mixed": func(i int) string {
			return fmt.Sprintf("E1124 10:00:00.201000   %d app.go:33] \"Error syncing pod, but of another program\" err=\"ErrImagePull %d\"\n%d ImagePullBackOff PullImage failed", 1000+i%100, i, i)
		},
	}
	for name, lines := range floods {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			_, stop := n.run()
			defer stop()
			defer n.flood(n.containerd, lines)()
			time.Sleep(time.Second)
			n.write(n.containerd, fmt.Sprintf(containerdLines, "same"))
			n.write(n.kubelet, strings.ReplaceAll(fmt.Sprintf(kubeletLines, "other"), "web-0", "web-1"))
			for _, tag := range []string{"other", "same"} {
				took, ok := n.arrives("registry.example.com/team/app:"+tag, within)
				if !ok {
					t.Errorf("the failure in the %s log was not there after %s", tag, within)
				}
				t.Logf("the failure in the %s log arrived after %s", tag, took)
			}
			for _, r := range n.receiver.Records() {
				if image, _ := r.Attributes[export.ImageRefKey].(string); image != "" && !strings.HasPrefix(image, "registry.example.com/team/app:") {
					t.Fatalf("a line of another program became a record of %s", image)
				}
			}
		})
	}
}

// A storm of real failures in one log is read as fast as the receiver accepts it. A failure in
// another log does not wait for the end of that.
func TestStormDelaysNoOtherLog(t *testing.T) {
	const within = 20 * time.Second
	n := newNode(t)
	_, stop := n.run()
	defer stop()
	line := strings.Split(containerdLines, "\n")[2]
	stopFlood := n.flood(n.containerd, func(i int) string { return fmt.Sprintf(line, fmt.Sprintf("v%d", i)) })
	defer stopFlood()
	time.Sleep(time.Second)
	n.write(n.kubelet, fmt.Sprintf(kubeletLines, "other"))
	took, ok := n.arrives("registry.example.com/team/app:other", within)
	if !ok {
		t.Errorf("the failure in the other log was not there after %s", within)
	}
	t.Logf("it arrived after %s behind %d records", took, len(n.receiver.Records()))
}
