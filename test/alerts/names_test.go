package alerts

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// others are the metrics of other programs that alerts use, with their labels, which no
// scrape of ours has.
var others = map[string][]string{
	// kube-state-metrics, docs/metrics/workload/pod-metrics.md, daemonset-metrics.md.
	"kube_pod_container_status_waiting_reason":       {"namespace", "pod", "container", "uid", "reason"},
	"kube_pod_init_container_status_waiting_reason":  {"namespace", "pod", "container", "uid", "reason"},
	"kube_daemonset_status_number_unavailable":       {"namespace", "daemonset"},
	"kube_daemonset_status_desired_number_scheduled": {"namespace", "daemonset"},
	"kube_daemonset_status_updated_number_scheduled": {"namespace", "daemonset"},
}

// ofTarget are labels that whoever scrapes or receives adds.
var ofTarget = []string{"instance", "job", "namespace", nodeLabel}

// nodeLabel is the node in metrics that came over OTLP: a resource attribute that
// VictoriaMetrics, and so CubeAPM, makes a label.
const nodeLabel = "k8s.node.name"

// language is what rule files are written in.
var language = parser.NewParser(parser.Options{})

// check returns what an expression asks for that is not in a scrape: names, labels, and
// values of labels whose values are a closed set.
func (s scraped) check(expr parser.Expr) []string {
	var wrong []string
	labelsOf := map[string]bool{} // all labels of all series in the expression
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			wrong = append(wrong, s.selector(v, labelsOf)...)
		}
		return nil
	})
	for _, name := range grouping(expr) {
		if !labelsOf[name] && !slices.Contains(ofTarget, name) {
			wrong = append(wrong, fmt.Sprintf("label %s is in no series of %s", name, expr))
		}
	}
	return wrong
}

func (s scraped) selector(v *parser.VectorSelector, labelsOf map[string]bool) []string {
	of, ok := others[v.Name]
	if ok {
		for _, l := range of {
			labelsOf[l] = true
		}
	} else if _, ok = s[v.Name]; !ok {
		return []string{"no such metric in a scrape: " + v.Name}
	}
	for l := range s[v.Name] {
		labelsOf[l] = true
	}
	var wrong []string
	for _, m := range v.LabelMatchers {
		switch {
		case m.Name == model.MetricNameLabel || slices.Contains(ofTarget, m.Name):
		case !slices.Contains(of, m.Name) && s[v.Name][m.Name] == nil:
			wrong = append(wrong, fmt.Sprintf("%s has no label %s", v.Name, m.Name))
		case s[v.Name] != nil && slices.Contains(closed, m.Name):
			for _, value := range words(m) {
				if !slices.Contains(s[v.Name][m.Name], value) {
					wrong = append(wrong, fmt.Sprintf("%s has no %s %q", v.Name, m.Name, value))
				}
			}
		}
	}
	return wrong
}

// closed are the labels whose values are all there from the start.
var closed = []string{"cause", "reason", "result"}

// words are the values that a matcher names.
func words(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{m.Value}
	}
	if re, err := syntax.Parse(m.Value, syntax.Perl); err == nil && re.Op == syntax.OpStar {
		return nil // .*
	}
	return strings.Split(m.Value, "|")
}

// grouping are the labels that an expression sums by or joins on.
func grouping(expr parser.Expr) []string {
	var names []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			names = append(names, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				names = append(names, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return names
}

// rename makes an expression ask for another label.
func rename(expr parser.Expr, from, to string) {
	swap := func(names []string) {
		for i := range names {
			if names[i] == from {
				names[i] = to
			}
		}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			swap(n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				swap(n.VectorMatching.MatchingLabels)
			}
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if m.Name == from {
					m.Name = to
				}
			}
		}
		return nil
	})
}
