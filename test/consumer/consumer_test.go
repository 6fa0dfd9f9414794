package consumer

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"pullcause/agent"
)

// bin is where programs are built to.
const bin = "../../bin"

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %v", why)
	}
	t.Skip(why)
}

// streams are the stream fields that the agent sets for CubeAPM.
func streams() string {
	cfg := agent.Default()
	cfg.OTLP.CubeAPM = "http://cubeapm.example:3130"
	return cfg.Effective().OTLP.Logs.Headers[cubeHeader+streamFields]
}

func start(t *testing.T, args ...string) *Consumer {
	t.Helper()
	program, err := Build(t.Context(), bin, t.Logf)
	if err != nil {
		cannot(t, err)
	}
	c, err := Start(t.Context(), Config{VictoriaLogs: program, StreamFields: streams(), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// took says how long a test took. Call it with the time at its beginning.
func took(t *testing.T, began time.Time) {
	t.Helper()
	t.Logf("%s took %s", t.Name(), time.Since(began).Round(time.Millisecond))
}

const (
	patience   = 30 * time.Second
	settleTime = 500 * time.Millisecond // for a record too many
)

// await waits until a filter finds so many records, and a little longer.
func await(t *testing.T, c *Consumer, filter string, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for got := 0; got < want; {
		rows, err := c.Query(ctx, filter+" | stats count() as n")
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %d of %d records: %v", filter, got, want, err)
		}
		got, _ = strconv.Atoi(rows[0]["n"])
		pause(ctx, 50*time.Millisecond)
	}
	pause(t.Context(), settleTime)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
