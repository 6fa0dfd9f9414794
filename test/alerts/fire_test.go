package alerts

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// promtoolFile has all cases in the form of promtool test rules, which passes on it; with
// what the annotations say in each, for people to read.
const promtoolFile = "testdata/pullcause_test.yaml"

// TestCasesAreOfAScrape: the series that alerts are tried on are those that are exposed.
func TestCasesAreOfAScrape(t *testing.T) {
	s, _ := scrape(t)
	for _, c := range cases {
		for series := range c.series() {
			for _, wrong := range s.check(expression(t, series)) {
				t.Errorf("%s: %s", c.name, wrong)
			}
		}
	}
}

// TestAlerts evaluates the rules on each case as promtool does, every minute, and CubeAPM's
// queries on the same numbers with the node's other name.
func TestAlerts(t *testing.T) {
	fired, quiet := map[string]bool{}, map[string]bool{}
	cube, golden := cubeRules(t), promtoolHead
	for _, c := range cases {
		fired[c.alert] = fired[c.alert] || len(c.want) > 0
		quiet[c.alert] = quiet[c.alert] || len(c.want) == 0
		t.Run(c.alert+" "+c.name, func(t *testing.T) {
			alerts := firing(t, c.load(), rulesFile, c)
			var got, want, wantCube []string
			for _, a := range alerts {
				got = append(got, labels.NewBuilder(a.Labels).Del(labels.AlertName, "severity").Labels().String())
			}
			for _, w := range c.want {
				want = append(want, expectedLabels(t, w).String())
				wantCube = append(wantCube, expectedLabels(t, overOTLP(w)).String())
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
			golden += c.promtool(alerts)
			got = nil
			for _, a := range firing(t, overOTLP(c.load()), cube, c) {
				got = append(got, labels.NewBuilder(a.Labels).Del(labels.AlertName).Labels().String())
			}
			slices.Sort(got)
			slices.Sort(wantCube)
			if diff := cmp.Diff(wantCube, got); diff != "" {
				t.Errorf("CubeAPM's alerts (-want +got):\n%s", diff)
			}
		})
	}
	for _, g := range rulesOf(t, read(t, rulesFile)) {
		for _, r := range g.Rules {
			if !fired[r.Alert] || !quiet[r.Alert] {
				t.Errorf("%s: a case where it fires: %t, where it does not: %t", r.Alert, fired[r.Alert], quiet[r.Alert])
			}
		}
	}
	if *update {
		if err := os.WriteFile(promtoolFile, []byte(golden), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden, read(t, promtoolFile)); diff != "" {
		t.Errorf("%s is not what the alerts say; write it anew with -update (-got +shown):\n%s", promtoolFile, diff)
	}
}

func overOTLP(text string) string {
	return strings.ReplaceAll(text, "instance=", strconv.Quote(nodeLabel)+"=")
}

func expectedLabels(t *testing.T, text string) labels.Labels {
	t.Helper()
	if text == "{}" {
		return labels.EmptyLabels()
	}
	l, err := language.ParseMetric(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return l
}

const promtoolHead = `# Made by (cd test/alerts && go test . -update), for: promtool test rules pullcause_test.yaml
rule_files:
  - ../../../deploy/alerts/pullcause.rules.yaml
evaluation_interval: 1m
tests:
`

// promtool is the case in the words of promtool.
func (c alertCase) promtool(alerts []*rules.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %q\n    interval: %s\n    input_series:\n", c.alert+" "+c.name, c.every())
	for series, values := range c.series() {
		fmt.Fprintf(&b, "      - series: '%s'\n        values: '%s'\n", series, values)
	}
	fmt.Fprintf(&b, "    alert_rule_test:\n      - eval_time: %s\n        alertname: %s\n", c.at, c.alert)
	if len(alerts) > 0 {
		b.WriteString("        exp_alerts:\n")
	}
	for _, a := range alerts {
		b.WriteString("          - exp_labels:\n")
		labels.NewBuilder(a.Labels).Del(labels.AlertName).Labels().Range(func(l labels.Label) {
			fmt.Fprintf(&b, "              %s: %q\n", l.Name, l.Value)
		})
		b.WriteString("            exp_annotations:\n")
		a.Annotations.Range(func(l labels.Label) { fmt.Fprintf(&b, "              %s: %q\n", l.Name, l.Value) })
	}
	return b.String()
}

// cubeRules writes CubeAPM's alerts as a rule file: what it does with query, condition,
// threshold and wait_for.
func cubeRules(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("groups:\n- name: cubeapm\n  rules:\n")
	for _, a := range cubeAlerts(t) {
		if a.Datasource == "prometheus" {
			fmt.Fprintf(&b, "  - alert: %s\n    expr: %q\n    for: %ds\n", a.Name, fmt.Sprintf("(%s) %s %v", a.Query, a.Condition, a.Threshold), a.WaitFor)
		}
	}
	path := filepath.Join(t.TempDir(), "cube.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// firing are the alerts of a case's rule that fire at its time, after
// cmd/promtool/unittest.go of Prometheus v3.16: a storage that is filled as time goes on,
// and rules as its rule manager loads them. Where none is wanted, one that fires before
// is an error too.
func firing(t *testing.T, load, file string, c alertCase) []*rules.Alert {
	t.Helper()
	suite, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true, Parser: language})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = suite.Close() }()
	suite.SubqueryInterval = time.Minute
	query := rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage())
	rule := loadRule(t, file, c.alert, &rules.ManagerOptions{
		QueryFunc: query, AppendableV2: suite.Storage(), Context: t.Context(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: language,
	})
	epoch := time.Unix(0, 0).UTC()
	var found []*rules.Alert
	for ts := time.Duration(0); ts <= c.at; ts += time.Minute {
		suite.WithSamplesTill(epoch.Add(ts), func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rule.Eval(suite.Context(), 0, epoch.Add(ts), query, &url.URL{}, 0); err != nil {
				t.Fatal(err)
			}
		})
		found = nil
		for _, a := range rule.ActiveAlerts() {
			if a.State == rules.StateFiring {
				found = append(found, a)
			}
		}
		if len(c.want) == 0 && len(found) > 0 {
			t.Errorf("fires after %s: %s", ts, found[0].Labels)
			break
		}
	}
	slices.SortFunc(found, func(a, b *rules.Alert) int { return labels.Compare(a.Labels, b.Labels) })
	for _, a := range found {
		a.Annotations.Range(func(l labels.Label) {
			if strings.Contains(l.Value, "<error") || strings.Contains(l.Value, "<no value>") {
				t.Errorf("%s: %s", l.Name, l.Value)
			}
		})
	}
	return found
}

func loadRule(t *testing.T, file, alert string, opts *rules.ManagerOptions) *rules.AlertingRule {
	t.Helper()
	groups, errs := rules.NewManager(opts).LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
	for _, err := range errs {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); ok && a.Name() == alert {
				return a
			}
		}
	}
	t.Fatalf("no alert %s", alert)
	return nil
}
