package consumer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
)

const queries = "../../deploy/queries"

// shipped reads a query, with NAME value pairs filled in.
func shipped(t *testing.T, name string, fill ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(queries, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(fill...).Replace(string(text))
}

// question is a shipped query with stats and what it is to answer.
type question struct {
	file  string
	of    func(pull) bool
	by    []string
	stats map[string]stat
	// first is the number that the rows are sorted by.
	first string
	more  int // rows in which first is not more than this are left out
}

func causes(of ...string) func(pull) bool {
	return func(p pull) bool { return len(of) == 0 || slices.Contains(of, p.cause) }
}

var questions = []question{
	{
		file: "01-causes-now.logsql", of: causes(), by: []string{"error.type"}, first: "attempts",
		stats: map[string]stat{"records": count, "attempts": attempts},
	},
	{
		file: "02-rate-limits.logsql", of: causes("rate_limited"), by: []string{"server.address", "k8s.node.name"}, first: "hits",
		stats: map[string]stat{"hits": count, "pods": different("k8s.namespace.name", "k8s.pod.name")},
	},
	{
		file: "03-credentials.logsql", first: "failures",
		of:    causes("unauthorized", "forbidden", "repository_not_found_or_denied", "credential_provider"),
		by:    []string{"k8s.namespace.name", "container.image.name", "error.type"},
		stats: map[string]stat{"failures": count, "pods": different("k8s.pod.name")},
	},
	{
		file: "04-network-one-node-or-all.logsql", first: "nodes",
		of:    causes("dns", "tls", "network_unreachable", "network_timeout", "proxy"),
		by:    []string{"server.address", "error.type"},
		stats: map[string]stat{"nodes": different("k8s.node.name"), "failures": count},
	},
	{
		file: "05-images-on-many-nodes.logsql", of: causes(), by: []string{"container.image.name", "pullcause.image.tag"}, first: "nodes",
		stats: map[string]stat{"nodes": different("k8s.node.name"), "failures": count},
	},
	{
		file: "07-burst-by-namespace.logsql", of: func(p pull) bool { return !p.old }, by: []string{"k8s.namespace.name"}, first: "pods",
		stats: map[string]stat{"pods": different("k8s.pod.name")}, more: 5,
	},
	{
		file: "08-without-replays.logsql", of: causes(), by: []string{"k8s.node.name"},
		stats: map[string]stat{"unique_records": count, "records": count},
	},
	{
		file: "09-wrong-platform.logsql", of: causes("platform_mismatch"), by: []string{"container.image.name", "host.arch"}, first: "failures",
		stats: map[string]stat{"nodes": different("k8s.node.name"), "failures": count},
	},
}

// TestQueries has agents of three nodes tell what is in their logs and asks the
// consumer with the queries that are shipped.
func TestQueries(t *testing.T) {
	defer took(t, time.Now())
	c := start(t)
	nodes := []*node{newNode(t, "node-a"), newNode(t, "node-b"), newNode(t, "node-c")}
	for i, n := range nodes {
		n.busy(t, uint64(i+1), 2000)
	}
	nodes[0].recorded(t)
	nodes[1].recorded(t)
	nodes[2].outage(t, 20)
	tell(t, c, nodes...)
	pulls := told(nodes)
	t.Logf("%d records of %d nodes came", len(pulls), len(nodes))
	for _, q := range questions {
		t.Run(q.file, func(t *testing.T) { q.check(t, c, pulls) })
	}
	t.Run("06-timeline-of-a-pod.logsql", func(t *testing.T) { checkTimeline(t, c, nodes[2]) })
	t.Run("all are asked", func(t *testing.T) { checkFiles(t) })
	t.Run("after a replay", func(t *testing.T) { checkReplay(t, c, nodes, pulls) })
}

// tell runs the agents of nodes, which know nothing yet, until all has been told.
func tell(t *testing.T, c *Consumer, nodes ...*node) {
	t.Helper()
	filters, wanted, stop := make([]string, len(nodes)), make([]int, len(nodes)), make([]func(), len(nodes))
	for i, n := range nodes {
		filters[i] = `{service.name="pullcause"} k8s.node.name:=` + strconv.Quote(n.name)
		wanted[i] = len(rows(t, c, filters[i])) + len(told([]*node{n}))
		stop[i] = n.run(t, t.TempDir(), func(cfg *agent.Config) { cfg.OTLP.CubeAPM = c.IngestionURL() })
	}
	defer func() {
		for _, f := range stop {
			f()
		}
	}()
	for i := range nodes {
		await(t, c, filters[i], wanted[i])
	}
}

// told are the pulls that have a record.
func told(nodes []*node) []pull {
	var all []pull
	for _, n := range nodes {
		all = append(all, n.pulls...)
	}
	return slices.DeleteFunc(all, func(p pull) bool { return p.standsFor == 0 })
}

func rows(t *testing.T, c *Consumer, query string) []row {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := c.Query(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, r := range answer {
		rows = append(rows, r)
	}
	return rows
}

func (q question) check(t *testing.T, c *Consumer, pulls []pull) {
	t.Helper()
	got := rows(t, c, shipped(t, q.file))
	if q.first != "" {
		numbers := make([]int, len(got))
		for i, r := range got {
			numbers[i], _ = strconv.Atoi(r[q.first])
		}
		slices.Reverse(numbers)
		if !slices.IsSorted(numbers) {
			t.Errorf("not sorted by %s: %v", q.first, numbers)
		}
	}
	pulls = slices.DeleteFunc(slices.Clone(pulls), func(p pull) bool { return !q.of(p) })
	want := slices.DeleteFunc(tally(pulls, q.by, q.stats), func(r row) bool {
		n, err := strconv.Atoi(r[q.first])
		return err == nil && n <= q.more
	})
	if len(want) == 0 {
		t.Error("the logs have nothing for this query")
	}
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	t.Logf("%d rows of %d records", len(got), len(pulls))
}

// checkTimeline asks for each pod of an outage: its own attempts, and those of the
// others from when it waited too.
func checkTimeline(t *testing.T, c *Consumer, n *node) {
	t.Helper()
	for _, pod := range []string{"api-0", "api-1"} {
		got := rows(t, c, shipped(t, "06-timeline-of-a-pod.logsql", "NAMESPACE", "billing", "POD", pod))
		var lines, want []string
		for _, r := range got {
			lines = append(lines, strings.Join([]string{
				r["pullcause.attempt"], r["error.type"], r["http.response.status_code"], r["container.image.name"],
			}, " "))
		}
		for _, p := range told([]*node{n}) {
			if p.attempt > 0 && slices.Contains(p.waiting, pod) {
				want = append(want, fmt.Sprintf("%d %s 429 %s", p.attempt, p.cause, p.image))
			}
		}
		if diff := cmp.Diff(want, lines); diff != "" || len(want) == 0 {
			t.Errorf("timeline of %s (-want +got):\n%s", pod, diff)
		}
		t.Logf("%d rows about %s", len(got), pod)
	}
}

// checkFiles fails for a query that no test asks.
func checkFiles(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(queries, "*.logsql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	readme := shipped(t, "README.md")
	for _, file := range files {
		name := filepath.Base(file)
		asked := slices.ContainsFunc(questions, func(q question) bool { return q.file == name })
		if !asked && name != "06-timeline-of-a-pod.logsql" {
			t.Errorf("%s is asked by no test", name)
		}
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md does not tell of %s", name)
		}
	}
}

// checkReplay lets an agent without its state read a node's logs again: the
// records come twice, but are counted once.
func checkReplay(t *testing.T, c *Consumer, nodes []*node, pulls []pull) {
	t.Helper()
	again := nodes[1]
	tell(t, c, again)
	twice := func(group []pull) int {
		if group[0].node == again.name {
			return 2 * len(group)
		}
		return len(group)
	}
	q := question{
		file: "08-without-replays.logsql", of: causes(), by: []string{"k8s.node.name"},
		stats: map[string]stat{"unique_records": count, "records": twice},
	}
	q.check(t, c, pulls)
}
