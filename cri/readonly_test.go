package cri_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readOnly are the methods that the client may call. None of them changes anything in
// the runtime; look at that before you add one.
var readOnly = []string{
	"/containerd.services.content.v1.Content/List",
	"/containerd.services.content.v1.Content/ListStatuses",
	"/containerd.services.content.v1.Content/Read",
	"/containerd.services.events.v1.Events/Subscribe",
	"/containerd.services.introspection.v1.Introspection/Plugins",
	"/containerd.services.introspection.v1.Introspection/Server",
	"/containerd.services.snapshots.v1.Snapshots/Stat",
	"/runtime.v1.ImageService/ImageFsInfo",
	"/runtime.v1.ImageService/ImageStatus",
	"/runtime.v1.ImageService/ListImages",
	"/runtime.v1.RuntimeService/ListContainers",
	"/runtime.v1.RuntimeService/ListPodSandbox",
	"/runtime.v1.RuntimeService/Version",
}

// The file where all calls are.
const callsIn = "method.go"

// TestOnlyReads holds the agent to reading: what could change something in the runtime
// is not in the program, and what calls a method of it is in one file.
func TestOnlyReads(t *testing.T) {
	t.Run("program", noGeneratedClient)
	t.Run("source", callsAreListed)
}

// generatedClient is a function of a client that was generated from the runtime's API,
// over gRPC or ttrpc, with all the methods that change things.
var generatedClient = regexp.MustCompile(`(k8s\.io/cri-api|github\.com/containerd/containerd/api)/\S*\.(\(\*?\w*[cC]lient\)\.\w+|New\w*Client$)`)

func noGeneratedClient(t *testing.T) {
	const root = ".."
	lookAtSources(t, root)
	program := filepath.Join(t.TempDir(), "pullcause")
	run(t, root, "go", "build", "-o", program, "./cmd/pullcause")
	api := 0
	for line := range strings.Lines(run(t, root, "go", "tool", "nm", program)) {
		name := strings.TrimSpace(line)
		if strings.Contains(name, "k8s.io/cri-api/") {
			api++
		}
		if generatedClient.MatchString(name) {
			t.Errorf("the program can call the runtime with %s", name)
		}
	}
	if api == 0 {
		t.Error("the program has no symbol of the runtime's API: this test sees nothing")
	}
}

// lookAtSources has the cache of test results see what the child processes read.
func lookAtSources(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "test"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go"):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	return string(out)
}

func TestGeneratedClient(t *testing.T) {
	for name, want := range map[string]bool{
		"b1 T k8s.io/cri-api/pkg/apis/runtime/v1.(*imageServiceClient).RemoveImage":                            true,
		"b1 T k8s.io/cri-api/pkg/apis/runtime/v1.(*runtimeServiceClient).ListPodSandbox":                       true,
		"b1 T k8s.io/cri-api/pkg/apis/runtime/v1.NewImageServiceClient":                                        true,
		"b1 T github.com/containerd/containerd/api/services/content/v1.(*contentClient).Delete":                true,
		"b1 T github.com/containerd/containerd/api/services/images/v1.(*ttrpcimagesClient).Delete":             true,
		"b1 T k8s.io/cri-api/pkg/apis/runtime/v1.(*ListImagesResponse).GetImages":                              false,
		"b1 T google.golang.org/grpc.NewClient":                                                                false,
		"b1 T github.com/containerd/containerd/api/services/content/v1.(*ListStatusesResponse).ProtoReflect":   false,
		"b1 T go.opentelemetry.io/proto/otlp/collector/logs/v1.(*logsServiceClient).Export":                    false,
		"b1 T github.com/containerd/containerd/api/services/content/v1.(*contentListClient).Recv":              true,
		"b1 T github.com/containerd/containerd/api/services/transfer/v1.file_services_transfer_v1_proto_init0": false,
	} {
		if got := generatedClient.MatchString(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func callsAreListed(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	calls := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := func(n ast.Node, what string) {
			if name != callsIn {
				t.Errorf("%s: %s, which belongs into %s", fset.Position(n.Pos()), what, callsIn)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "Invoke" || n.Sel.Name == "NewStream" {
					calls++
					elsewhere(n, "a call of "+n.Sel.Name)
				}
				if strings.HasSuffix(n.Sel.Name, "FullMethodName") {
					t.Errorf("%s: the name of a method that is not written out", fset.Position(n.Pos()))
				}
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "method" {
					elsewhere(n, "a method")
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && name == callsIn && strings.HasPrefix(text, "/") {
					methods = append(methods, text)
				}
			}
			return true
		})
	}
	slices.Sort(methods)
	if diff := cmp.Diff(readOnly, methods); diff != "" {
		t.Errorf("methods in %s (-want +got):\n%s", callsIn, diff)
	}
	if calls != 2 {
		t.Errorf("found %d calls, want Invoke and NewStream", calls)
	}
}
