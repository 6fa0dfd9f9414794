//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export/otlp/otlptest"
)

var update = flag.Bool("update", false, "write testdata anew")

// volatile is what differs from one run to the next, and what stands in its place.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`(?m)((?:^ *|log\.record\.original )[IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ `), "$1<time> <pid> "},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:<digest>"},
	{regexp.MustCompile(`\b10\.96\.0\.1:\d+|\b198\.51\.100\.1:\d+`), "<node>:<port>"},
	{regexp.MustCompile(`([ =("])\d+(\.\d+)?(ms|s|µs)\b`), "$1<duration>"},
	{regexp.MustCompile(`(?m)^(  (?:log\.record\.uid|pullcause\.incident\.id)) .*$`), "$1 <varies>"},
	{regexp.MustCompile(`(?m)^  pullcause\.duration_ms .*\n`), ""}, // absent if it was less than one
	// containerd 1.6 and its client give up at the same moment; either may be first.
	{regexp.MustCompile(`rpc error: code = DeadlineExceeded desc = |(?m)^  rpc\.grpc\.status_code 4\n`), ""},
	{regexp.MustCompile(`ingest/[0-9a-f]+|extract-\d+-\S+|tmpmounts/containerd-mount\d+|snapshots/(new-)?\d+`), "<temporary>"},
	{regexp.MustCompile(`bytes read=\d+|bytes_read \d+`), "bytes read <n>"},
}

// readable is a record as a person reads it in a review: the text, then one line for
// each attribute.
func readable(r otlptest.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n%s\n", r.Severity, r.Name, r.Body)
	for _, key := range slices.Sorted(maps.Keys(r.Attributes)) {
		value := strings.ReplaceAll(fmt.Sprint(r.Attributes[key]), "\n", "\n    ")
		fmt.Fprintf(&b, "  %s %s\n", key, value)
	}
	text := b.String()
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}

// golden compares the records of named scenarios with the text in testdata.
func golden(t *testing.T, name string, scenarios []string, records map[string][]otlptest.Record) {
	t.Helper()
	var b strings.Builder
	for _, s := range scenarios {
		fmt.Fprintf(&b, "# %s\n", s)
		for _, r := range records[s] {
			b.WriteString(readable(r))
		}
		b.WriteByte('\n')
	}
	path := filepath.Join("testdata", name+".txt")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./... -update", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
