// Package arch holds the tree to its shape: data flows one way, from logtail to
// export, and imports point the other way; what decides is pure. The table of
// who may import whom is in this file, a new package needs a line in it.
package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// module is the prefix of our own packages.
const module = "pullcause/"

// everything is for those who put the parts together.
const everything = "*"

// mayImport says for each package which of ours it may import: those upstream,
// from which its data comes, and leaves. The packages stand in the order in
// which the data passes them.
var mayImport = map[string][]string{
	"logtail":                     {},
	"logtail/hostroot":            {},
	"logtail/watch":               {"logtail/hostroot"},
	"logtail/file":                {"logtail", "logtail/watch", "logtail/hostroot"},
	"logtail/journal":             {"logtail", "logtail/watch", "logtail/hostroot"},
	"logtail/journal/journaltest": {},
	"logtail/checkpoint":          {"logtail"},
	"logtail/logtailtest":         {"logtail"},

	"agent/escape":            {},
	"agent/redact":            {},
	"agent/redact/redacttest": {},
	"agent/detect":            {"logtail", "agent/redact"},
	"agent/attempt":           {"logtail", "agent/redact", "agent/detect"},
	"agent/diagnose":          {"logtail", "agent/redact", "agent/detect", "agent/attempt"},

	"cri":            {},
	"cri/critest":    {"cri"},
	"agent/probe":    {"agent/redact"},
	"agent/hostconf": {"logtail/hostroot"},
	"agent/enrich":   {"cri", "logtail/hostroot", "logtail/checkpoint", "agent/redact", "agent/hostconf", "agent/probe", "agent/detect", "agent/attempt", "agent/diagnose"},

	"agent/incident": {"logtail", "agent/redact", "agent/detect", "agent/attempt", "agent/diagnose"},

	"agent/export":               {"logtail", "agent/escape", "agent/redact", "agent/detect", "agent/attempt", "agent/diagnose", "agent/incident"},
	"agent/export/spool":         {"logtail/checkpoint", "agent/export"},
	"agent/export/otlp/endpoint": {"agent/redact"},
	"agent/export/otlp":          {"agent/redact", "agent/export", "agent/export/otlp/endpoint"},
	"agent/export/otlp/otlptest": {},

	"agent/telemetry": {"logtail", "agent/redact", "agent/diagnose", "agent/export", "agent/export/otlp/endpoint"},
	"agent/debug":     {"logtail", "agent/escape", "agent/redact", "agent/detect", "agent/attempt", "agent/diagnose", "agent/enrich", "agent/hostconf", "agent/incident", "agent/export"},

	"agent":         {everything},
	"agent/demo":    {everything},
	"cmd/pullcause": {everything},
}

// knowsAll are the packages that only whoever starts the program may import.
var knowsAll = map[string][]string{
	"agent":         {"agent/demo", "cmd/pullcause"},
	"agent/demo":    {"cmd/pullcause"},
	"cmd/pullcause": {},
}

// pure packages take text and times and return answers. They have no effects
// and no clock, so that all they decide is a table test.
var pure = []string{"agent/detect", "agent/attempt", "agent/diagnose", "agent/redact", "agent/incident"}

// pureImports are all that pure packages may import that is not ours. A name
// that ends in a slash stands for what is below it.
var pureImports = []string{
	"bytes", "cmp", "container/", "crypto/sha256", "encoding/", "errors", "fmt", "hash/", "iter", "maps", "math", "math/bits",
	"net/netip", "net/url", "regexp", "slices", "sort", "strconv", "strings", "text/template", "time", "unicode", "unicode/",
	"unique", "github.com/distribution/reference", "github.com/opencontainers/go-digest",
}

// clocks are the functions of package time that look at a clock or wait.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// neverInBinary are packages that have no place in the program.
var neverInBinary = []string{"testing", "pullcause/logtail/logtailtest", "pullcause/logtail/journal/journaltest", "pullcause/cri/critest", "pullcause/agent/redact/redacttest"}

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

// name is the import path below the module; it is empty for others' packages.
func (p pkg) name() string { return below(p.ImportPath) }

func below(path string) string {
	name, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	return name
}

// checkImports returns what breaks the rules in the imports of p.
func checkImports(p pkg) []string {
	var broken []string
	name := p.name()
	if strings.HasPrefix(name, "test/") {
		return nil // tests look at everything, nobody looks at them
	}
	allowed, known := mayImport[name]
	if !known {
		return []string{name + " is in no line of mayImport: say where it stands"}
	}
	for _, path := range p.Imports {
		switch other := below(path); {
		case other == "":
			if slices.Contains(pure, name) && !isPureImport(path) {
				broken = append(broken, fmt.Sprintf("%s is pure, but imports %s", name, path))
			}
			if name == "logtail" && strings.Contains(path, ".") {
				broken = append(broken, fmt.Sprintf("%s holds nouns only, but imports %s", name, path))
			}
		case strings.HasPrefix(other, "test/"):
			broken = append(broken, fmt.Sprintf("%s imports %s, which is a test", name, other))
		case !permitted(name, other, allowed):
			broken = append(broken, fmt.Sprintf("%s imports %s, which is not upstream of it", name, other))
		}
	}
	return broken
}

func permitted(name, other string, allowed []string) bool {
	if importers, closed := knowsAll[other]; closed {
		return slices.Contains(importers, name)
	}
	return slices.Contains(allowed, other) || slices.Contains(allowed, everything)
}

func isPureImport(path string) bool {
	return slices.ContainsFunc(pureImports, func(allowed string) bool {
		return path == allowed || strings.HasSuffix(allowed, "/") && strings.HasPrefix(path, allowed)
	})
}

// checkPureFile returns what a file of a pure package does that has effects:
// look at a clock, start a goroutine, work at start.
func checkPureFile(file *ast.File, fset *token.FileSet) []string {
	var broken []string
	report := func(n ast.Node, what string) {
		broken = append(broken, fmt.Sprintf("%s: %s in a pure package", fset.Position(n.Pos()), what))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				report(n, "time."+n.Sel.Name)
			}
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				report(n, "init()")
			}
		}
		return true
	})
	return broken
}
