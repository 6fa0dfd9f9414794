package debug

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"time"

	"pullcause/agent/incident"
	"pullcause/logtail"
)

//go:embed page
var pageFiles embed.FS

// The most rows of each list of the page. The JSON has all of them.
const (
	maxOpenRows    = 100
	maxClosedRows  = 10
	maxAttemptRows = 25
	maxPullRows    = 25
	maxSourceRows  = 100
	maxGroups      = 6
)

// pages are the parsed templates. A page is one document: style and script
// stand in it, so that it needs one request and can be saved and sent on.
type pages struct {
	templates *template.Template
	style     template.CSS
	script    template.JS
	policy    string
}

func newPages() *pages {
	style, script := mustRead("page/style.css"), mustRead("page/script.js")
	return &pages{
		templates: template.Must(template.ParseFS(pageFiles, "page/*.html")),
		style:     template.CSS(style), //nolint:gosec // our own file
		script:    template.JS(script), //nolint:gosec // our own file
		policy: strictPolicy + "; img-src data:; connect-src 'self'" +
			"; style-src '" + hashOf(style) + "'; script-src '" + hashOf(script) + "'",
	}
}

func mustRead(name string) string {
	text, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // not in the binary: cannot be
	}
	return string(text)
}

// hashOf is the source expression that allows one inline text (CSP level 2).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what every page has.
type page struct {
	Title, Node, Version string
	AsOf                 moment
	Style                template.CSS
	Script               template.JS
	now                  time.Time
}

func (d *debugHandler) page(title string) page {
	p := page{
		Title: title, Node: short(d.cfg.NodeName), Version: short(d.cfg.Version),
		Style: d.pages.style, Script: d.pages.script, now: d.cfg.Now(),
	}
	p.AsOf = p.moment(p.now)
	return p
}

// render writes a page as its client reads it. A page that cannot be finished is cut off
// by closing the connection, so that it does not look complete.
func (d *debugHandler) render(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set(contentType, "text/html; charset=utf-8")
	w.WriteHeader(status)
	b := bufio.NewWriterSize(w, documentBuffer)
	if err := d.pages.templates.ExecuteTemplate(b, name, data); err != nil {
		panic(http.ErrAbortHandler) // the client is gone; the templates are tested
	}
	b.Flush() //nolint:errcheck // the client is gone: nobody to tell
}

// indexPage is the page at /.
type indexPage struct {
	page
	Headline  string
	Tone      string // bad, warn or good
	Warnings  []string
	Groups    []group
	Open      []incidentRow
	OpenMore  string // how many more there are; empty if none
	Closed    []incidentRow
	Attempts  []attemptRow
	Pulls     []pullRow
	PullsMore int
	NodeRow   nodeRow
	Sources   []sourceRow
	// LooksForLogs is that of DebugConfig.
	LooksForLogs bool
	// SourcesMore is how many more there are.
	SourcesMore int
	Delivery    *deliveryRow
	// TryCommand makes a pull fail on this node.
	TryCommand string
}

func (d *debugHandler) index(w http.ResponseWriter, _ *http.Request) {
	history := d.cfg.History
	total := history.Totals().Open
	sources := d.cfg.Sources()
	p := &indexPage{page: d.page(""), TryCommand: tryCommand(d.cfg.NodeName), LooksForLogs: d.cfg.LooksForLogs}
	p.Headline, p.Tone = headline(total, sources, p.Node)
	p.Title = p.Headline
	p.Warnings = d.warnings()
	if total > fewIncidents {
		p.Groups = groups(history.Groups())
	}

	p.Open = p.incidentRows(history.Open(incident.Place{}, maxOpenRows))
	if more := total - len(p.Open); more > 0 {
		p.OpenMore = comma(more)
	}
	p.Closed = p.incidentRows(history.Closed(incident.Place{}, maxClosedRows))
	p.Attempts = p.attemptRows(history.Attempts(AttemptQuery{NoBackOffs: true, Limit: maxAttemptRows}))
	pulls := d.cfg.Pulls()
	p.Pulls = p.pullRows(pulls[:min(len(pulls), maxPullRows)])
	p.PullsMore = len(pulls) - len(p.Pulls)
	report, listed := d.cfg.Cache()
	p.NodeRow = p.nodeRow(d.cfg.Runtime(), report, listed)
	p.SourcesMore = max(len(sources)-maxSourceRows, 0)
	for _, s := range sources[:len(sources)-p.SourcesMore] {
		p.Sources = append(p.Sources, p.sourceRow(s))
	}
	p.Delivery = p.deliveryRow(d.cfg.Delivery())
	d.render(w, http.StatusOK, "index.html", p)
}

// headline says in one sentence how things are.
func headline(open int, sources []logtail.Status, node string) (sentence, tone string) {
	switch {
	case open > 0:
		return count(open, "image") + " cannot be pulled on " + node, "bad"
	case !slices.ContainsFunc(sources, func(s logtail.Status) bool { return s.State == logtail.StateReading }):
		return "No log is being read on " + node, "warn"
	default:
		return "No image pull is failing on " + node, "good"
	}
}

// warnings are about the agent itself.
func (d *debugHandler) warnings() []string {
	var sentences []string
	if ready, why := d.cfg.Ready(); !ready {
		sentences = append(sentences, "Not ready: "+visible(why, maxLong))
	}
	now := d.cfg.Now()
	for _, s := range stuck(d.cfg.Loops(), now, now) {
		sentences = append(sentences, "The agent is stuck: "+s)
	}
	return sentences
}

// group is what several open incidents have in common.
type group struct {
	Cause, Detail, Registry, Images string
	count                           int
}

// fewIncidents need no groups.
const fewIncidents = 5

// groups sums up a storm, the largest group first.
func groups(counts map[incident.Group]int) []group {
	all := make([]group, 0, len(counts))
	for k, n := range counts {
		all = append(all, group{string(k.Cause), short(k.Detail), short(k.Registry), comma(n), n})
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.Cause, b.Cause),
			cmp.Compare(a.Detail, b.Detail), cmp.Compare(a.Registry, b.Registry))
	})
	return all[:min(len(all), maxGroups)]
}

// dns1123 is what Kubernetes takes as the name of a node.
var dns1123 = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// tryCommand makes a pull fail on this node; empty if the node has no name that
// Kubernetes would take.
func tryCommand(node string) string {
	if !dns1123.MatchString(node) {
		return ""
	}
	return "kubectl run pullcause-try --restart=Never --image=registry.invalid/try:1" +
		` --overrides='{"spec":{"nodeName":"` + node + `"}}'`
}
