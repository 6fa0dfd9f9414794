package alerts

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

var update = flag.Bool("update", false, "write the files that are made from pullcause.rules.yaml anew")

const (
	root      = "../.."
	alertsDir = root + "/deploy/alerts"
	rulesFile = alertsDir + "/pullcause.rules.yaml"
)

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rulesOf are the groups of a rule file, as Prometheus reads it.
func rulesOf(t *testing.T, text string) []rulefmt.RuleGroup {
	t.Helper()
	groups, errs := rulefmt.Parse([]byte(text), false, model.UTF8Validation, language, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return groups.Groups
}

func expression(t *testing.T, text string) parser.Expr {
	t.Helper()
	expr, err := language.ParseExpr(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return expr
}

// TestRules checks what each rule says: its expression asks for what is there, and who is
// woken is told what it is and where to read on.
func TestRules(t *testing.T) {
	s, _ := scrape(t)
	runbooks := anchors(read(t, root, "docs", "runbooks.md"))
	seen := map[string]bool{}
	for _, g := range rulesOf(t, read(t, rulesFile)) {
		for _, r := range g.Rules {
			if seen[r.Alert] {
				t.Errorf("%s is there twice", r.Alert)
			}
			seen[r.Alert] = true
			for _, wrong := range s.check(expression(t, r.Expr)) {
				t.Errorf("%s: %s", r.Alert, wrong)
			}
			if severity := r.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s: severity %q", r.Alert, severity)
			}
			for _, key := range []string{"summary", "description"} {
				if r.Annotations[key] == "" {
					t.Errorf("%s has no %s", r.Alert, key)
				}
			}
			_, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "docs/runbooks.md#")
			if anchor != strings.ToLower(r.Alert) || !runbooks[anchor] {
				t.Errorf("%s: docs/runbooks.md has no section %q", r.Alert, r.Annotations["runbook_url"])
			}
			delete(runbooks, anchor)
		}
	}
	for anchor := range runbooks {
		if strings.HasPrefix(anchor, "pullcause") || strings.HasPrefix(anchor, "kube") {
			t.Errorf("docs/runbooks.md has a section %s of no alert", anchor)
		}
	}
}

// anchors are those that GitHub makes of the headings of a page.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(text, " ", "-")] = true
	}
	return found
}

// A check that lets everything pass would hold too.
func TestCheckRefuses(t *testing.T) {
	s, _ := scrape(t)
	for text, want := range map[string]string{
		`pullcause_pull_failure_total > 0`:                                     "no such metric in a scrape: pullcause_pull_failure_total",
		`pullcause_pull_failures_total{cause=~"dns|dnss"} > 0`:                 `pullcause_pull_failures_total has no cause "dnss"`,
		`pullcause_lost_total{cause="dns"} > 0`:                                "pullcause_lost_total has no label cause",
		`sum by (image) (pullcause_lost_total) > 0`:                            "label image is in no series of sum by (image) (pullcause_lost_total) > 0",
		`pullcause_pulls_stalled and on (pod) pullcause_pulls_in_flight`:       "label pod is in no series of pullcause_pulls_stalled and on (pod) pullcause_pulls_in_flight",
		`kube_pod_container_status_waiting_reason{node="a"} > 0`:               "kube_pod_container_status_waiting_reason has no label node",
		`sum by (instance, cause) (pullcause_incidents_open{cause="dns"}) > 0`: "",
	} {
		if got := strings.Join(s.check(expression(t, text)), "\n"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// TestMadeFiles holds the files for the operator and for CubeAPM to the rules.
func TestMadeFiles(t *testing.T) {
	text := read(t, rulesFile)
	for name, made := range map[string]string{
		"prometheusrule.yaml": prometheusRule(text),
		"cubeapm-alerts.yml":  cubeFile(t, rulesOf(t, text)),
	} {
		path := filepath.Join(alertsDir, name)
		if *update {
			if err := os.WriteFile(path, []byte(made), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(made, read(t, path)); diff != "" {
			t.Errorf("%s is not what the rules say; write it anew with -update (-want +got):\n%s", name, diff)
		}
	}
}

const made = "# Made from pullcause.rules.yaml by (cd test/alerts && go test . -update).\n"

func prometheusRule(rules string) string {
	_, groups, _ := strings.Cut(rules, "\ngroups:\n")
	var b strings.Builder
	b.WriteString(made + `apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: pullcause
  labels:
    app.kubernetes.io/name: pullcause
spec:
  groups:
`)
	for line := range strings.Lines(groups) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// cubeAlert is one alert in CubeAPM's form (cubeapm/helm-charts, charts/cubeapm 1.14.3,
// values.yaml, configVars.alerts.configFile).
type cubeAlert struct {
	Status             string   `yaml:"status"`
	Datasource         string   `yaml:"datasource"`
	Kind               string   `yaml:"kind"`
	Query              string   `yaml:"query"`
	Condition          string   `yaml:"condition"`
	Threshold          float64  `yaml:"threshold"`
	ThresholdCritical  *float64 `yaml:"threshold_critical"`
	EvaluationInterval int      `yaml:"evaluation_interval"`
	WaitFor            int      `yaml:"wait_for"`
	RepeatAfter        int      `yaml:"repeat_after"`
	Name               string   `yaml:"name"`
	Group              string   `yaml:"group"`
	GroupingDisable    bool     `yaml:"grouping_disable"`
	ReceiverNames      []string `yaml:"receiver_names"`
}

const cubeHead = made + `#
# For alerts.config-file of CubeAPM, or configVars.alerts.configFile of its Helm chart. Put your receiver below and its name
# into each alert. The nodes are told apart by k8s.node.name, as metrics have it that come over OTLP.
receivers:
  - name: pullcause
    email_configs:
      - to: oncall@example.com
alerts:
`

func cubeFile(t *testing.T, groups []rulefmt.RuleGroup) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(cubeHead)
	for _, g := range groups {
		for _, r := range g.Rules {
			query, bound := split(t, r.Expr)
			fmt.Fprintf(&b, "  # %s\n  # %s\n", r.Annotations["description"], r.Annotations["runbook_url"])
			entry(&b, "prometheus", query, bound, r.Labels["severity"], int(r.For)/1e9, r.Alert, g.Name)
		}
	}
	b.WriteString("  # The records themselves: more than 5 pods of a namespace whose pulls failed within 15 minutes (deploy/queries/07).\n")
	entry(&b, "vlogs", burst(t), 5, "critical", 0, "PullcauseBurstInNamespace", "pullcause-records")
	return b.String()
}

func entry(b *strings.Builder, datasource, query string, bound float64, severity string, wait int, name, group string) {
	number := strconv.FormatFloat(bound, 'f', -1, 64)
	fmt.Fprintf(b, "  - status: ACTIVE\n    datasource: %s\n    kind: static\n    query: >-\n      %s\n    condition: '>'\n    threshold: %s\n",
		datasource, query, number)
	if severity == "critical" {
		fmt.Fprintf(b, "    threshold_critical: %s\n", number)
	}
	fmt.Fprintf(b, "    evaluation_interval: 60\n    wait_for: %d\n    repeat_after: 14400\n    name: %s\n    group: %s\n    grouping_disable: false\n    receiver_names:\n      - pullcause\n",
		wait, name, group)
}

// burst is the shipped query for an alert on records, with a number at its end.
func burst(t *testing.T) string {
	t.Helper()
	query, _, ok := strings.Cut(oneLine(read(t, root, "deploy", "queries", "07-burst-by-namespace.logsql")), " as pods | filter pods:>5")
	if !ok {
		t.Fatal("the seventh query is another now")
	}
	return query
}

// split takes "number > bound" apart, with what follows it left to the number, in the
// words of metrics that came over OTLP.
func split(t *testing.T, text string) (query string, bound float64) {
	t.Helper()
	expr := expression(t, text)
	for at := &expr; ; {
		b, ok := (*at).(*parser.BinaryExpr)
		if !ok {
			t.Fatalf("no comparison in front: %s", text)
		}
		if n, ok := b.RHS.(*parser.NumberLiteral); ok && b.Op == parser.GTR {
			*at, bound = b.LHS, n.Val
			break
		}
		at = &b.LHS
	}
	rename(expr, "instance", nodeLabel)
	return expr.String(), bound
}

// cubeAlerts are those of the file.
func cubeAlerts(t *testing.T) []cubeAlert {
	t.Helper()
	var file struct {
		Receivers []map[string]any `yaml:"receivers"`
		Alerts    []cubeAlert      `yaml:"alerts"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, alertsDir, "cubeapm-alerts.yml")), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return file.Alerts
}

// TestCubeAlerts reads the file for CubeAPM with the parser of the language that it speaks.
func TestCubeAlerts(t *testing.T) {
	s, _ := scrape(t)
	seen := 0
	for _, a := range cubeAlerts(t) {
		if a.Datasource != "prometheus" {
			continue // the queries' own test asks for those
		}
		seen++
		if _, err := metricsql.Parse(a.Query); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		for _, wrong := range s.check(expression(t, a.Query)) {
			t.Errorf("%s: %s", a.Name, wrong)
		}
		if strings.Contains(a.Query, "instance") || a.Condition != ">" || len(a.ReceiverNames) == 0 {
			t.Errorf("%s: %+v", a.Name, a)
		}
	}
	if seen < 20 {
		t.Errorf("only %d alerts on metrics", seen)
	}
}
