package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

const dashboards = root + "/deploy/dashboards"

// place is where a panel stands.
type place struct{ X, Y, W, H int }

func (p place) overlaps(q place) bool {
	return p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H
}

func checkPlaces(t *testing.T, places map[string]place, columns int) {
	t.Helper()
	for a, p := range places {
		if p.W < 1 || p.H < 1 || p.X+p.W > columns {
			t.Errorf("%s stands at %+v", a, p)
		}
		for b, q := range places {
			if a < b && p.overlaps(q) {
				t.Errorf("%s and %s overlap", a, b)
			}
		}
	}
}

// grafana is what we use of Grafana's form of a dashboard.
type grafana struct {
	UID, Title string
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos place
		Targets []struct{ Expr, LegendFormat string }
	}
}

// TestGrafana loads the dashboard as Grafana does, as far as that can be had, and asks each
// query of the series of a scrape.
func TestGrafana(t *testing.T) {
	var d grafana
	if err := json.Unmarshal([]byte(read(t, dashboards, "grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	s, lines := scrape(t)
	ask := asker(t, promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(lines, "\n  ")))
	var known []string
	for _, v := range d.Templating.List {
		known = append(known, "$"+v.Name)
		if v.Type == "query" {
			checkVariable(t, s, v.Name, v.Definition)
		}
	}
	fill := strings.NewReplacer("$__rate_interval", "5m", "$__range", "30m", "$node", ".*", "$registry", ".*")
	ids, places, used := map[int]bool{}, map[string]place{}, map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID], places[fmt.Sprint(p.ID, " ", p.Title)] = true, p.GridPos
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$\w+`).FindAllString(target.Expr, -1) {
				if !slices.Contains(known, v) && v != "$__rate_interval" && v != "$__range" {
					t.Errorf("%s: no variable %s", p.Title, v)
				}
			}
			expr := expression(t, fill.Replace(target.Expr))
			for _, wrong := range s.check(expr) {
				t.Errorf("%s: %s", p.Title, wrong)
			}
			checkLegend(t, p.Title, target.LegendFormat, expr)
			if n := ask(expr.String()); n == 0 {
				t.Errorf("%s shows nothing of a scrape: %s", p.Title, expr)
			}
			noteNames(used, expr)
		}
	}
	checkPlaces(t, places, 24)
	for name := range s {
		base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "pullcause_") && !used[name] && !used[base+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// checkVariable: what a variable offers are the values of a label that is there.
func checkVariable(t *testing.T, s scraped, name, definition string) {
	t.Helper()
	m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(definition)
	if len(m) != 3 {
		t.Fatalf("variable %s: %s", name, definition)
	}
	of, ok := s[m[1]]
	if _, has := of[m[2]]; !ok || !has && !slices.Contains(ofTarget, m[2]) {
		t.Errorf("variable %s: %s is not in a scrape", name, definition)
	}
}

// asker evaluates queries in the middle of what is loaded and tells how many series answer.
func asker(t *testing.T, queryable storage.Queryable) func(query string) int {
	t.Helper()
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	return func(query string) int {
		q, err := engine.NewInstantQuery(t.Context(), queryable, nil, query, time.Unix(0, 0).Add(50*time.Minute))
		if err != nil {
			t.Errorf("%v: %s", err, query)
			return 0
		}
		defer q.Close()
		result := q.Exec(t.Context())
		vector, ok := result.Value.(promql.Vector)
		if result.Err != nil || !ok {
			t.Errorf("%v: %s", result.Err, query)
			return 0
		}
		return len(vector)
	}
}

// checkLegend: a legend may name only labels that the query leaves.
func checkLegend(t *testing.T, title, legend string, expr parser.Expr) {
	t.Helper()
	left := append(grouping(expr), ofTarget...)
	for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(legend, -1) {
		if !slices.Contains(left, m[1]) {
			t.Errorf("%s: the query has no label %s", title, m[1])
		}
	}
}

func noteNames(used map[string]bool, expr parser.Expr) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			used[v.Name] = true
		}
		return nil
	})
}

// cubeDashboard is CubeAPM's form (cubeapm/docs 905e3f75, docs/http-apis/dashboards.md).
type cubeDashboard struct {
	Title       string `json:"title"`
	Variables   []any  `json:"variables"`
	Permissions []any  `json:"permissions"`
	Panels      []struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Layout place  `json:"layout"`
		Config struct {
			Query   string `json:"query"`
			Unit    string `json:"unit"`
			Queries []struct {
				Title      string `json:"title"`
				Query      string `json:"query"`
				Unit       string `json:"unit"`
				Formula    string `json:"formula"`
				Datasource string `json:"datasource"`
			} `json:"queries"`
			Legend struct {
				Label   any    `json:"label"`
				Formula string `json:"formula"`
				Pos     string `json:"pos"`
			} `json:"legend"`
			Stack          bool            `json:"stack"`
			ShowSearch     bool            `json:"showSearch"`
			DefaultSortCol int             `json:"defaultSortCol"`
			Logs           map[string]bool `json:"logs"`
		} `json:"config"`
	} `json:"panels"`
}

func TestCubeDashboard(t *testing.T) {
	var d cubeDashboard
	dec := json.NewDecoder(strings.NewReader(read(t, dashboards, "cubeapm.json")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	s, lines := scrape(t)
	ask := asker(t, promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(lines, "\n  ")))
	shipped := shippedQueries(t)
	places := map[string]place{}
	for _, p := range d.Panels {
		places[p.Title] = p.Layout
		if !slices.Contains([]string{"linechart", "scorecard", "table", "logs", "bar_horizontal"}, p.Type) {
			t.Errorf("%s: no such panel: %s", p.Title, p.Type)
		}
		for _, q := range p.Config.Queries {
			if q.Datasource == "vlogs" {
				if !slices.ContainsFunc(shipped, func(text string) bool { return strings.HasPrefix(text, q.Query) }) {
					t.Errorf("%s asks no query of deploy/queries, nor its beginning: %s", p.Title, q.Query)
				}
				continue
			}
			if _, err := metricsql.Parse(q.Query); err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
			expr := expression(t, q.Query)
			for _, wrong := range s.check(expr) {
				t.Errorf("%s: %s", p.Title, wrong)
			}
			if ask(q.Query) == 0 {
				t.Errorf("%s shows nothing of a scrape: %s", p.Title, q.Query)
			}
			if strings.Contains(q.Query, "instance") {
				t.Errorf("%s: the node is %s here", p.Title, nodeLabel)
			}
		}
	}
	if len(places) != len(d.Panels) {
		t.Error("two panels have one title")
	}
	checkPlaces(t, places, 12)
}

// shippedQueries are the queries of deploy/queries, each in one line without comments.
func shippedQueries(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/deploy/queries/*.logsql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	var all []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, oneLine(string(text)))
	}
	return all
}

func oneLine(query string) string {
	var lines []string
	for line := range strings.Lines(query) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}
