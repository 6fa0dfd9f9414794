package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
)

const (
	// clientMemory is what all clients together may add. Without bounds the agent took 202 MiB.
	clientMemory  = 6 << 20
	openIncidents = 10_000
	idleClients   = 3_000
	slowReaders   = 20
)

// TestClients floods both listeners of an agent that has as many open incidents as it may:
// clients that connect and ask nothing more, and clients that ask for all incidents and
// hardly read. They cost little memory, and the agent answers its probes meanwhile.
func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections; run without -short")
	}
	agent := agentInAStorm(t)
	_, before, err := agent.Memory()
	if err != nil {
		t.Fatal(err)
	}
	for range idleClients {
		conn := connect(t, agent.Public())
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	for range slowReaders {
		conn := connect(t, agent.Debug())
		fmt.Fprintf(conn, "GET /debug/incidents?limit=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", openIncidents)
		go readSlowly(conn)
	}
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		begin := time.Now()
		if _, err := ask(t, agent, agent.Public(), "/healthz"); err != nil {
			t.Fatalf("the agent does not answer its probe: %v", err)
		}
		if took := time.Since(begin); took > 2*time.Second { // the kubelet waits for 1s, on a machine less busy than that of a test
			t.Errorf("the probe took %s, want less than 2s", took)
		}
	}
	_, peak, err := agent.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d incidents: %.1f MiB at the peak; with %d idle clients and %d slow readers: %.1f MiB",
		openIncidents, float64(before)/(1<<20), idleClients, slowReaders, float64(peak)/(1<<20))
	if peak > before+clientMemory {
		t.Errorf("the agent took %d bytes at its peak, more than %d", peak, before+clientMemory)
	}
}

// agentInAStorm starts an agent that has opened all incidents.
func agentInAStorm(t *testing.T) *agentproc.Process {
	t.Helper()
	dir := t.TempDir()
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: func(otlptest.Record) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(receiver.Close)
	file := filepath.Join(dir, "containerd.log")
	if err := os.WriteFile(file, stormLog(), 0o600); err != nil {
		t.Fatal(err)
	}
	agent, err := agentproc.Start(agentproc.Config{Binary: binary(t, dir), Dir: dir, File: file, Endpoint: receiver.URL(), JoinWindow: joinWindow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.Kill)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := agent.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for open := 0; open < openIncidents; time.Sleep(100 * time.Millisecond) {
		var totals struct {
			Open int `json:"open_total"`
		}
		text, err := ask(t, agent, agent.Debug(), "/debug/incidents?limit=0")
		if err := json.Unmarshal(text, &totals); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if open = totals.Open; err != nil || ctx.Err() != nil {
			t.Fatalf("%d incidents are open, want %d: %v", open, openIncidents, err)
		}
	}
	return agent
}

// stormLog is what containerd writes of as many images that cannot be pulled, an error of
// usual length each.
func stormLog() []byte {
	var b bytes.Buffer
	begin := time.Now().Add(-time.Minute)
	for n := range openIncidents {
		image := fmt.Sprintf("registry-%d.example.com/team/service-%d:v1.%d", n%7, n, n)
		url := fmt.Sprintf("https://registry-%d.example.com/v2/team/service-%d/manifests/v1.%d", n%7, n, n)
		fmt.Fprintf(&b, "time=%q level=error msg=%q error=%q\n",
			begin.Add(time.Duration(n)*time.Millisecond).Format(time.RFC3339Nano),
			fmt.Sprintf("PullImage %q failed", image),
			fmt.Sprintf("rpc error: code = Unknown desc = failed to pull and unpack image %q: failed to resolve reference %q: unexpected status from HEAD request to %s: 503 Service Unavailable", image, image, url))
	}
	return b.Bytes()
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// readSlowly reads a byte now and then, until the agent gives up.
func readSlowly(conn net.Conn) {
	one := make([]byte, 1)
	for {
		if _, err := conn.Read(one); err != nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func ask(t *testing.T, agent *agentproc.Process, address, path string) ([]byte, error) {
	t.Helper()
	select {
	case <-agent.Ended():
		return nil, fmt.Errorf("the agent has ended")
	default:
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return text, err
}
