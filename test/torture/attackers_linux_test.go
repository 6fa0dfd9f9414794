package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pullcause/cri"
	"pullcause/cri/critest"
	"pullcause/test/bench/agentproc"
)

// makeFIFO puts a pipe in the place of the state, which blocks whoever opens it.
func makeFIFO(t *testing.T, state string) {
	t.Helper()
	if err := syscall.Mkfifo(filepath.Join(state, "state.json"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inflateState repeats the elements of the longest list in the stored state until it has
// 63 MB.
func inflateState(t *testing.T, state string) {
	t.Helper()
	path := filepath.Join(state, "state.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("state.json: %v", err)
	}
	var longest []any
	var set func([]any)
	findLongest(all, nil, &longest, &set)
	if len(longest) == 0 || set == nil {
		t.Fatal("state.json holds no list")
	}
	one, err := json.Marshal(longest)
	if err != nil {
		t.Fatal(err)
	}
	const size = 63_000_000
	repeated := make([]any, 0, size/len(one)*len(longest))
	for range size / len(one) {
		repeated = append(repeated, longest...)
	}
	set(repeated)
	if text, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("the state has %d bytes", len(text))
}

// findLongest finds the list that takes the most elements, and what replaces it.
func findLongest(v any, put func([]any), longest *[]any, set *func([]any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			findLongest(child, func(list []any) { v[key] = list }, longest, set)
		}
	case []any:
		if len(v) > len(*longest) && put != nil {
			*longest, *set = v, put
		}
		for i, child := range v {
			findLongest(child, func(list []any) { v[i] = list }, longest, set)
		}
	}
}

// idleConnections opens connections to the public listener and says nothing.
func idleConnections(ctx context.Context, t *testing.T, agent *agentproc.Process) {
	const most = 3000
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close() // the agent may have done so
		}
	}()
	for ctx.Err() == nil {
		for len(open) < most && ctx.Err() == nil {
			c, err := net.DialTimeout("tcp", agent.Public(), time.Second)
			if err != nil {
				break // it does not listen yet, or takes no more
			}
			open = append(open, c)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Logf("%d connections were opened", len(open))
}

// readIncidentsSlowly ask for all incidents and read the answer byte by byte.
func readIncidentsSlowly(ctx context.Context, _ *testing.T, agent *agentproc.Process) {
	const readers = 20
	done := make(chan struct{}, readers)
	for range readers {
		go func() {
			defer func() { done <- struct{}{} }()
			for ctx.Err() == nil {
				readByteByByte(ctx, agent.Debug())
			}
		}()
	}
	for range readers {
		<-done
	}
}

func readByteByByte(ctx context.Context, address string) {
	pause := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(200 * time.Millisecond):
			return true
		}
	}
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		pause()
		return
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		return
	}
	if _, err := fmt.Fprintf(c, "GET /debug/incidents HTTP/1.1\r\nHost: %s\r\n\r\n", address); err != nil {
		return
	}
	one := make([]byte, 1)
	for pause() {
		if _, err := c.Read(one); err != nil {
			return
		}
	}
}

// lyingRuntime answers what no runtime does.
func lyingRuntime() *critest.Config {
	list := make([]cri.Image, 130_000)
	for i := range list {
		list[i] = cri.Image{ID: fmt.Sprint(i), Tags: []string{fmt.Sprintf("registry.example.com/team/%060d:v%d", i, i)}, Size: 1 << 20}
	}
	return &critest.Config{
		Version: cri.Version{Name: "containerd", Version: "2.4"}, Flood: true, Images: list,
		Encoded: map[string][]byte{
			// Elements without a field: two bytes each.
			"/runtime.v1.RuntimeService/ListPodSandbox":            []byte(strings.Repeat("\n\x00", 7<<20)),
			"/runtime.v1.RuntimeService/ListContainers":            []byte(strings.Repeat("\n\x00", 7<<20)),
			"/containerd.services.content.v1.Content/ListStatuses": []byte(strings.Repeat("\n\x00", 7<<20)),
			"/runtime.v1.ImageService/ImageStatus":                 []byte(strings.Repeat("\n\x00", 7<<20)),
		},
		Filesystem: cri.Filesystem{Mountpoint: "/" + strings.Repeat("x", 15<<20)},
	}
}
