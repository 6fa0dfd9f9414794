package otlp_test

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/redact/redacttest"
)

// A receiver, or a gateway before it, may print any credential in an error. The text of
// the verdict goes to our own log and to /debug/delivery.
func TestErrorBodiesAreRedacted(t *testing.T) {
	var body atomic.Value
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, body.Load().(string))
	}), nil)
	s := newSink(t, endpoint.Config{Endpoint: "http://" + l.Addr().String(), Protocol: endpoint.ProtocolHTTP})
	random := rand.New(rand.NewPCG(5, 6))
	for _, fragment := range redacttest.Fragments(t, "../../redact/testdata/credentials.jsonl") {
		secret := fragment.Secret(random)
		body.Store("upstream refused: " + fragment.Plant(secret))
		v := s.Export(t.Context(), []export.Record{record(1)})
		if strings.Contains(v.Text, secret) {
			t.Errorf("the verdict holds %q: %s", secret, v.Text)
		}
		if !strings.Contains(v.Text, "403") {
			t.Errorf("the verdict is %q, want the status in it", v.Text)
		}
	}
}
