// Package docs_test holds the reference pages in docs to the code: metrics to a scrape,
// attributes, causes and keys to their declarations. What can be made from the code is;
// go test ./test/docs -update writes it anew.
package docs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
)

var update = flag.Bool("update", false, "write what is made from the code anew")

const root = "../.."

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the part of a page that stands between its marks.
func block(t *testing.T, page, name string) (before, text, after string) {
	t.Helper()
	begin := "<!-- made from the code: " + name + " -->\n"
	before, rest, ok := strings.Cut(read(t, "docs", page), begin)
	text, after, ended := strings.Cut(rest, "<!-- end -->")
	if !ok || !ended {
		t.Fatalf("docs/%s has no part that is made from the code: %s", page, name)
	}
	return before + begin, text, "<!-- end -->" + after
}

// checkBlock compares a part of a page with what it is to be, or writes that.
func checkBlock(t *testing.T, page, name, want string) {
	t.Helper()
	before, text, after := block(t, page, name)
	if text == want {
		return
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, "docs", page), []byte(before+want+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	shown, wanted := strings.Split(text, "\n"), strings.Split(want, "\n")
	for _, line := range shown {
		if !slices.Contains(wanted, line) {
			t.Errorf("docs/%s, %s: the code does not say\n%s", page, name, line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(shown, line) {
			t.Errorf("docs/%s, %s: missing\n%s", page, name, line)
		}
	}
	t.Errorf("docs/%s, %s is not what the code says; write it anew with -update", page, name)
}

// table is one of Markdown.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	b.WriteString("|" + strings.Repeat("---|", len(head)) + "\n")
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

func code(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + strings.ReplaceAll(w, "|", `\|`) + "`"
	}
	return strings.Join(quoted, ", ")
}

func TestMetrics(t *testing.T) {
	var rows [][]string
	for _, f := range scrape(t) {
		rows = append(rows, []string{code(f.name), f.kind, code(f.labels...), f.help})
	}
	checkBlock(t, "metrics.md", "metrics", table([]string{"metric", "type", "labels", "what it is"}, rows))
}

// fields are what a comment says of the loss's other fields.
var fields = regexp.MustCompile(`[;:] (?:at most )?(?:Count|Bytes)(?: if known)?$`)

func TestReasons(t *testing.T) {
	var rows [][]string
	said := constants(t, "logtail/logtail.go", "agent/telemetry/metrics.go", "agent/export/sink.go")
	for _, reason := range reasons(t) {
		comment := ""
		for _, c := range said { // a word may be an outcome too, before it is a result
			if c.value == reason && c.comment != "" {
				comment = fields.ReplaceAllString(c.comment, "")
			}
		}
		if comment == "" {
			t.Errorf("no comment in the code tells what the reason %s is", reason)
		}
		rows = append(rows, []string{code(reason), comment})
	}
	checkBlock(t, "metrics.md", "reasons", table([]string{"`reason`", "what was lost"}, rows))
}

func TestCauses(t *testing.T) {
	var rows [][]string
	for _, c := range diagnose.Causes() {
		rows = append(rows, []string{code(string(c.Cause)), c.Meaning, code(c.Details...), string(c.Retry), c.Owner})
	}
	head := []string{"`error.type`", "means", "`pullcause.cause.detail`", "`pullcause.retryable`", "whose turn it is"}
	checkBlock(t, "record.md", "causes", table(head, rows))
}

func TestEvents(t *testing.T) {
	checkKept(t, "events", "event", semconv(t, func(name string) bool { return strings.HasPrefix(name, "Event") && !strings.HasSuffix(name, "Key") }))
}

func TestAttributes(t *testing.T) {
	checkKept(t, "attributes", "attribute", semconv(t, func(name string) bool { return strings.HasSuffix(name, "Key") }))
}

// An attribute of the resource must not be named as one of a record.
func TestForeignKeys(t *testing.T) {
	foreign := semconv(t, func(name string) bool { return strings.HasSuffix(name, "Key") })
	foreign = slices.DeleteFunc(foreign, func(c constant) bool { return strings.HasPrefix(c.value, "pullcause.") })
	want := make([]string, len(foreign))
	for i, c := range foreign {
		want[i] = c.value
	}
	if diff := cmp.Diff(want, export.ForeignKeys()); diff != "" {
		t.Errorf("export.ForeignKeys (-want +got):\n%s", diff)
	}
}

func TestResource(t *testing.T) { checkKept(t, "resource", "attribute", resourceKeys(t)) }

// checkKept holds the first column of a table to the code and its order; what the second
// says is written by hand and kept.
func checkKept(t *testing.T, name, head string, want []constant) {
	t.Helper()
	_, text, _ := block(t, "record.md", name)
	kept := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\|$").FindAllStringSubmatch(text, -1) {
		kept[m[1]] = m[2]
	}
	var rows [][]string
	for _, c := range want {
		meaning := kept[c.value]
		if meaning == "" {
			meaning = c.comment
		}
		if meaning == "" {
			t.Errorf("docs/record.md does not say what %s is", c.value)
		}
		rows = append(rows, []string{code(c.value), meaning})
	}
	if len(rows) == 0 {
		t.Fatalf("the code has no %s", name)
	}
	checkBlock(t, "record.md", name, table([]string{head, "what it is"}, rows))
}

func TestKeys(t *testing.T) {
	defaults := agent.Default()
	sections := map[string][][]string{}
	var order []string
	for _, k := range agent.Keys() {
		section, _, nested := strings.Cut(k.Name, ".")
		if !nested {
			section = ""
		}
		if sections[section] == nil {
			order = append(order, section)
		}
		value := k.Text(defaults)
		if value != "" {
			value = code(value)
		}
		sections[section] = append(sections[section], []string{code(k.Name), k.Want(), value, k.Help})
	}
	var b strings.Builder
	for _, s := range order {
		if s != "" {
			b.WriteString("\n## " + s + "\n\n")
		}
		b.WriteString(table([]string{"key", "takes", "default", "what it is"}, sections[s]))
	}
	checkBlock(t, "configuration.md", "keys", b.String())
}

// TestNamesInProse looks for metrics, attributes, keys and flags in all pages that are not
// there, or no longer.
func TestNamesInProse(t *testing.T) {
	known, chart := names(t), values(t)
	patterns := map[string]*regexp.Regexp{
		"metric":    regexp.MustCompile(`\bpullcause_[a-z_]+[a-z]\b`),
		"attribute": regexp.MustCompile(`\bpullcause\.[a-z_]+(?:\.[a-z_]+)*[a-z]\b`),
		"key":       regexp.MustCompile("`((?:sources|cri|pulls|incidents|otlp|delivery|server|resource)\\.[a-z_.]+[a-z])(?:: [^`]*)?`"),
		"flag":      regexp.MustCompile(`--((?:sources|cri|pulls|incidents|otlp|delivery|server|resource)-[a-z-]+)`),
	}
	found := 0
	for _, page := range pages(t) {
		text := read(t, page)
		for kind, pattern := range patterns {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				found++
				word := m[len(m)-1]
				ofOthers := kind == "key" && (known["attribute"][word] || chart[word]) || fileName(text, word)
				if !known[kind][word] && !ofOthers {
					t.Errorf("%s: there is no %s %s", page, kind, word)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("found only %d names", found)
	}
}

// fileName reports whether a word is but the beginning of a file's name.
func fileName(text, word string) bool {
	return strings.Contains(text, word+".yaml") || strings.Contains(text, word+".json") || strings.HasSuffix(word, ".yaml") ||
		strings.HasSuffix(word, ".json") || strings.HasSuffix(word, ".service")
}

// pages are all that people read.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "deploy/*/*.md", "deploy/*/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, name)
		}
	}
	return found
}

func names(t *testing.T) map[string]map[string]bool {
	t.Helper()
	known := map[string]map[string]bool{"metric": {}, "attribute": {}, "key": {}, "flag": {}}
	for _, f := range scrape(t) {
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			if suffix == "" || f.kind == "histogram" {
				known["metric"][f.name+suffix] = true
			}
		}
	}
	for _, c := range append(semconv(t, func(string) bool { return true }), resourceKeys(t)...) {
		parts := strings.Split(c.value, ".")
		for i := 1; i <= len(parts); i++ { // pullcause.cache.… stands for all below it
			known["attribute"][strings.Join(parts[:i], ".")] = true
		}
	}
	for _, k := range agent.Keys() {
		parts := strings.Split(k.Name, ".")
		for i := 1; i <= len(parts); i++ {
			known["key"][strings.Join(parts[:i], ".")] = true
		}
		known["flag"][k.Flag()] = true
	}
	return known
}

// values are the keys of the Helm chart, which has some of the same sections.
func values(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	var path []string
	for _, m := range regexp.MustCompile(`(?m)^((?:  )*)([A-Za-z]+):`).FindAllStringSubmatch(read(t, "deploy/helm/pullcause/values.yaml"), -1) {
		path = append(path[:min(len(m[1])/2, len(path))], m[2])
		found[strings.Join(path, ".")] = true
	}
	return found
}

// A page that names what is not there must not pass.
func TestNamesRefuse(t *testing.T) {
	known := names(t)
	for kind, name := range map[string]string{
		"metric": "pullcause_pull_failure_total", "attribute": "pullcause.cause.details", "key": "otlp.log.endpoint", "flag": "otlp-log-endpoint",
	} {
		if known[kind][name] {
			t.Errorf("%s %s is known", kind, name)
		}
	}
	for kind, name := range map[string]string{
		"metric": "pullcause_pull_failures_total", "attribute": "pullcause.cause.detail", "key": "otlp.logs.endpoint", "flag": "otlp-logs-endpoint",
	} {
		if !known[kind][name] {
			t.Error(fmt.Errorf("%s %s is not known", kind, name))
		}
	}
}
