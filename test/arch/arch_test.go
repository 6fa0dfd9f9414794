package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the module's folder.
var root = filepath.Join("..", "..")

// list runs go list -deps over the module. It looks at each file first: what a
// child process reads is not seen by the cache of test results, which would
// then show yesterday's.
func list(t *testing.T, pattern string) []pkg {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "lab"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".go":
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,Imports,GoFiles", pattern)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImportsPointUpstream(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range list(t, "./...") {
		if p.name() == "" {
			continue
		}
		seen++
		for _, broken := range checkImports(p) {
			t.Error(broken)
		}
	}
	if seen < 5 {
		t.Errorf("go list found only %d packages of ours", seen)
	}
}

func TestPurePackagesHaveNoEffects(t *testing.T) {
	t.Parallel()
	files := 0
	for _, p := range list(t, "./agent/...") {
		if !slices.Contains(pure, p.name()) {
			continue
		}
		for _, name := range p.GoFiles {
			files++
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, broken := range checkPureFile(file, fset) {
				t.Error(broken)
			}
		}
	}
	if files < len(pure) {
		t.Errorf("found only %d files in %v", files, pure)
	}
}

func TestBinaryHoldsNoTests(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./cmd/pullcause") {
		if slices.Contains(neverInBinary, p.ImportPath) || strings.HasPrefix(p.name(), "test/") {
			t.Errorf("the program imports %s", p.ImportPath)
		}
	}
}

// The rules themselves: each must refuse what it is there to refuse.
func TestRulesRefuse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		importer, imported string
		want               string // empty: allowed
	}{
		{"agent/detect", "pullcause/logtail", ""},
		{"agent/detect", "net/url", ""},
		{"agent/detect", "unicode/utf8", ""},
		{"agent/detect", "pullcause/agent/attempt", "agent/detect imports agent/attempt, which is not upstream of it"},
		{"agent/detect", "pullcause/logtail/file", "agent/detect imports logtail/file, which is not upstream of it"},
		{"agent/detect", "net", "agent/detect is pure, but imports net"},
		{"agent/diagnose", "net/http", "agent/diagnose is pure, but imports net/http"},
		{"agent/incident", "context", "agent/incident is pure, but imports context"},
		{"agent/attempt", "os", "agent/attempt is pure, but imports os"},
		{"agent/redact", "sync", "agent/redact is pure, but imports sync"},
		{"agent/detect", "github.com/containerd/errdefs", "agent/detect is pure, but imports github.com/containerd/errdefs"},
		{"logtail", "github.com/fsnotify/fsnotify", "logtail holds nouns only, but imports github.com/fsnotify/fsnotify"},
		{"logtail/file", "github.com/fsnotify/fsnotify", ""},
		{"logtail/file", "pullcause/logtail/watch", ""},
		{"logtail/journal", "pullcause/logtail/watch", ""},
		{"logtail/watch", "golang.org/x/sys/unix", ""},
		{"logtail/watch", "pullcause/logtail", "logtail/watch imports logtail, which is not upstream of it"},
		{"logtail/checkpoint", "pullcause/logtail/watch", "logtail/checkpoint imports logtail/watch, which is not upstream of it"},
		{"logtail/file", "pullcause/logtail/checkpoint", "logtail/file imports logtail/checkpoint, which is not upstream of it"},
		{"agent/incident", "pullcause/agent/export", "agent/incident imports agent/export, which is not upstream of it"},
		{"agent/export", "pullcause/agent/debug", "agent/export imports agent/debug, which is not upstream of it"},
		{"agent/debug", "pullcause/agent", "agent/debug imports agent, which is not upstream of it"},
		{"agent", "pullcause/agent/export/otlp", ""},
		{"agent", "pullcause/cmd/pullcause", "agent imports cmd/pullcause, which is not upstream of it"},
		{"agent", "pullcause/test/lab", "agent imports test/lab, which is a test"},
		{"agent/demo", "pullcause/agent", ""},
		{"agent/util", "strings", "agent/util is in no line of mayImport: say where it stands"},
	}
	for _, tt := range tests {
		got := strings.Join(checkImports(pkg{ImportPath: module + tt.importer, Imports: []string{tt.imported}}), "\n")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s imports %s (-want +got):\n%s", tt.importer, tt.imported, diff)
		}
	}
}

func TestPureFileRefuses(t *testing.T) {
	t.Parallel()
	const source = `package detect

import "time"

func init() {}

func f(at time.Time) time.Duration {
	go f(at)
	_ = time.Unix(0, 0)
	return time.Since(at)
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"x.go:5:1: init() in a pure package",
		"x.go:8:2: a goroutine in a pure package",
		"x.go:10:9: time.Since in a pure package",
	}
	if diff := cmp.Diff(want, checkPureFile(file, fset)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
