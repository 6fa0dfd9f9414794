//go:build linux

package cluster

import (
	"bytes"
	"os"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"pullcause/agent/export/otlp/otlptest"
)

// tokenSecret is the Secret with the header that the receiver wants.
const tokenSecret = "receiver"

func secretOf(token string) *core.Secret {
	return &core.Secret{
		ObjectMeta: meta.ObjectMeta{Name: tokenSecret},
		StringData: map[string]string{"headers": "Authorization: Bearer " + token + "\n"},
	}
}

func (c *cluster) makeToken(t *testing.T, token string) {
	t.Helper()
	if _, err := c.client.CoreV1().Secrets(namespace).Create(t.Context(), secretOf(token), meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// changeToken changes the Secret, and waits until the kubelet has changed the agent's file.
func (c *cluster) changeToken(t *testing.T, token string) {
	t.Helper()
	if _, err := c.client.CoreV1().Secrets(namespace).Update(t.Context(), secretOf(token), meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	file := agentProcess(t) + "/root/etc/pullcause/headers/headers"
	until(t, 2*time.Minute, "the kubelet to change the file", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte(token))
	})
}

// checkToken looks at the last request.
func checkToken(t *testing.T, r *otlptest.Receiver, token string) {
	t.Helper()
	requests := r.Requests()
	if got, want := requests[len(requests)-1].Header.Get("Authorization"), "Bearer "+token; got != want {
		t.Errorf("the receiver got Authorization %q, want %q", got, want)
	}
}
