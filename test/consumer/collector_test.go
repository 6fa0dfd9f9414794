package consumer

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
)

// TestCollector sends the records of a node over each way to the consumer. They
// are to be the same there to the last field, log.record.uid included.
func TestCollector(t *testing.T) {
	defer took(t, time.Now())
	c := start(t)
	program, err := BuildCollector(t.Context(), bin, t.Logf)
	if err != nil {
		cannot(t, err)
	}
	collector, err := StartCollector(t.Context(), CollectorConfig{Program: program, LogsURL: c.LogsURL(), StreamFields: streams()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := collector.Close(); err != nil {
			t.Error(err)
		}
	})
	n := newNode(t, "node-a")
	n.busy(t, 4, 2000) // one file: which line of two files comes first is chance, and may change a record
	n.outage(t, 20)

	direct := sent(t, c, n, "direct", func(cfg *agent.Config) { cfg.OTLP.CubeAPM = c.IngestionURL() })
	if len(direct) != len(told([]*node{n})) {
		t.Errorf("direct: got %d records, want %d", len(direct), len(told([]*node{n})))
	}
	for name, configure := range map[string]func(*agent.Config){
		"HTTP": func(cfg *agent.Config) { cfg.OTLP.Logs.Endpoint = collector.HTTP() },
		"gRPC": func(cfg *agent.Config) {
			cfg.OTLP.Logs.Endpoint, cfg.OTLP.Logs.Protocol = collector.GRPC(), agent.ProtocolGRPC
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer took(t, time.Now())
			got := sent(t, c, n, name, configure)
			if diff := cmp.Diff(direct, got); diff != "" {
				t.Errorf("records (-direct +over the Collector):\n%s", diff)
			}
			t.Logf("%d records", len(got))
		})
	}
}

// sent are the records of a node that came over one way, by their uid, without
// what tells the way.
func sent(t *testing.T, c *Consumer, n *node, way string, configure func(*agent.Config)) map[string]row {
	t.Helper()
	const key = "test.way"
	filter := `{service.name="pullcause"} ` + key + `:=` + strconv.Quote(way)
	stop := n.run(t, t.TempDir(), func(cfg *agent.Config) {
		cfg.Resource.Attributes[key] = way
		configure(cfg)
	})
	defer stop()
	await(t, c, filter, len(told([]*node{n})))
	records := make(map[string]row)
	for _, r := range rows(t, c, filter) {
		uid := r["log.record.uid"]
		if _, twice := records[uid]; twice || uid == "" {
			t.Errorf("%s: uid %q is there twice or empty", way, uid)
		}
		maps.DeleteFunc(r, func(field, _ string) bool { return field == key })
		records[uid] = r
	}
	return records
}
