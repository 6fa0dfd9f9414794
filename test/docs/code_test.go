package docs_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/diagnose"
	"pullcause/agent/telemetry"
	"pullcause/logtail"
)

// family is a metric as a scrape shows it.
type family struct {
	name, help, kind string
	labels           []string
}

// exposition is a scrape of all instruments, each of which has been used.
func exposition(t *testing.T) string {
	t.Helper()
	p, err := telemetry.New(telemetry.Config{Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) }()
	m := p.Metrics()
	err = m.Observe(telemetry.Gauges{
		Sources:       func() []logtail.Status { return []logtail.Status{{Name: "journal", State: logtail.StateReading}} },
		OpenIncidents: func() map[diagnose.Cause]int { return nil },
		InFlight:      func() int { return 0 },
		LastSuccess:   func() time.Time { return time.Time{} },
		Spool:         func() (bytes, limit int64) { return 0, 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.ObserveNode(func() telemetry.Node { return telemetry.Node{Images: 1, FilesystemSize: 1} }); err != nil {
		t.Fatal(err)
	}
	m.Succeeded("r.example", time.Second, 1)
	m.Failed("r.example", diagnose.DNS, time.Second, 1)
	m.Recovered(time.Second)
	m.Passed("journal", 1, 1)
	m.Suppressed("containerd.service", 1)
	m.Shed("public", "busy", 1)
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return w.Body.String()
}

// scrape returns our own families, by name.
func scrape(t *testing.T) []family {
	t.Helper()
	byName := map[string]*family{}
	of := func(name string) *family {
		if byName[name] == nil {
			byName[name] = &family{name: name}
		}
		return byName[name]
	}
	label := regexp.MustCompile(`[{,]([a-z_]+)="`)
	for line := range strings.Lines(exposition(t)) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case len(words) == 4 && words[1] == "HELP" && strings.HasPrefix(words[2], "pullcause_"):
			of(words[2]).help = words[3]
		case len(words) == 4 && words[1] == "TYPE" && strings.HasPrefix(words[2], "pullcause_"):
			of(words[2]).kind = words[3]
		case strings.HasPrefix(line, "pullcause_"):
			name, _, _ := strings.Cut(words[0], "{")
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if f := byName[strings.TrimSuffix(name, suffix)]; f != nil && f.kind == "histogram" {
					name = f.name
				}
			}
			f := of(name)
			for _, m := range label.FindAllStringSubmatch(line, -1) {
				if !slices.Contains(f.labels, m[1]) && m[1] != "le" {
					f.labels = append(f.labels, m[1])
				}
			}
		}
	}
	var all []family
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		f := *byName[name]
		slices.Sort(f.labels)
		if f.help == "" || f.kind == "" {
			t.Errorf("%s has no help or no type", name)
		}
		all = append(all, f)
	}
	if len(all) < 20 {
		t.Fatalf("only %d metrics", len(all))
	}
	return all
}

// reasons are the values of the label reason.
func reasons(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^pullcause_lost_total\{reason="([^"]+)"`).FindAllStringSubmatch(exposition(t), -1) {
		all = append(all, m[1])
	}
	return all
}

// constant is one of text, with what its comment says.
type constant struct{ name, value, comment string }

// constants are those of some files, in their order.
func constants(t *testing.T, files ...string) []constant {
	t.Helper()
	var all []constant
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			var doc string
			for _, spec := range gen.Specs {
				all, doc = addConstant(all, spec, doc)
			}
		}
	}
	return all
}

// addConstant adds a constant if it is text. A comment that names it, before it or before
// one that it shares the comment with, is its own.
func addConstant(all []constant, spec ast.Spec, doc string) (list []constant, shared string) {
	v, ok := spec.(*ast.ValueSpec)
	if !ok || len(v.Values) != 1 {
		return all, doc
	}
	lit, ok := v.Values[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return all, doc
	}
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return all, doc
	}
	name, comment := v.Names[0].Name, strings.TrimSpace(v.Comment.Text())
	if v.Doc != nil {
		doc = strings.Join(strings.Fields(v.Doc.Text()), " ")
	}
	if subject, said, ok := strings.Cut(doc, ": "); ok && comment == "" && slices.Contains(strings.Fields(subject), name) {
		comment = strings.TrimSuffix(said, ".")
	}
	if subject, said, ok := strings.Cut(doc, " is "); ok && comment == "" && subject == name {
		comment = strings.TrimSuffix(said, ".")
	}
	return append(all, constant{name, value, comment}), doc
}

// semconv are the constants of the record, all with text in their names' set.
func semconv(t *testing.T, of func(name string) bool) []constant {
	t.Helper()
	return slices.DeleteFunc(constants(t, "agent/export/semconv.go"), func(c constant) bool { return !of(c.name) })
}

// resourceKeys are the attributes that describe the node: the text with a point in what
// makes them.
func resourceKeys(t *testing.T) []constant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "agent", "resource.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var keys []constant
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "attributes" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if value, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(value, ".") {
					keys = append(keys, constant{value: value})
				}
			}
			return true
		})
	}
	return keys
}
