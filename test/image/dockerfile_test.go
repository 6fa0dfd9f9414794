package image

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"pullcause/test/image/roots"
)

// instruction is one of a Dockerfile.
type instruction struct {
	name  string
	args  []string
	flags []string
	json  bool
}

// stages parses the Dockerfile as BuildKit does and cuts it at each FROM, which
// opens its stage; the first one is what stands before.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	result, err := parser.Parse(strings.NewReader(read(t, filepath.Join(root, "Dockerfile"))))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Errorf("warnings: %v", result.Warnings)
	}
	all := [][]instruction{nil}
	for _, node := range result.AST.Children {
		i := instruction{name: strings.ToUpper(node.Value), flags: node.Flags, json: node.Attributes["json"]}
		for arg := node.Next; arg != nil; arg = arg.Next {
			i.args = append(i.args, arg.Value)
		}
		if i.name == "FROM" {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], i)
	}
	if len(all) != 3 {
		t.Fatalf("%d stages, want 2", len(all)-1)
	}
	return all
}

// The last stage is the image: it must be what this package makes.
func TestDockerfileMakesTheSameImage(t *testing.T) {
	last := stages(t)[2]
	want, got := runConfig(testCommit), map[string]instruction{}
	labels := map[string]string{}
	for _, i := range last {
		got[i.name] = i
		if i.name == "LABEL" {
			for triple := range slices.Chunk(i.args, 3) { // name, value, separator
				labels[triple[0]] = strings.Trim(triple[1], `"`)
			}
		}
	}
	names := slices.Sorted(maps.Keys(got))
	if diff := cmp.Diff([]string{"ARG", "CMD", "COPY", "ENTRYPOINT", "EXPOSE", "FROM", "LABEL", "USER", "WORKDIR"}, names); diff != "" {
		t.Errorf("instructions, RUN and ADD are not among them (-want +got):\n%s", diff)
	}
	if from := got["FROM"].args; !slices.Equal(from, []string{"scratch"}) {
		t.Errorf("FROM %v", from)
	}
	for name, args := range map[string][]string{"ENTRYPOINT": want.Entrypoint, "CMD": want.Cmd} {
		if i := got[name]; !i.json || !slices.Equal(i.args, args) {
			t.Errorf("%s %q, in exec form: %t; want %q in exec form: there is no shell", name, i.args, i.json, args)
		}
	}
	for name, arg := range map[string]string{
		"USER": want.User, "WORKDIR": want.WorkingDir, "EXPOSE": slices.Collect(maps.Keys(want.ExposedPorts))[0],
	} {
		if i := got[name]; !slices.Equal(i.args, []string{arg}) {
			t.Errorf("%s %v, want %s", name, i.args, arg)
		}
	}
	if i := got["COPY"]; !slices.Equal(i.args, []string{"/image/", "/"}) || !slices.Equal(i.flags, []string{"--from=build"}) {
		t.Errorf("COPY %v %v", i.flags, i.args)
	}
	argument := Labels(Commit{Version: "${VERSION}", Revision: "${COMMIT}", URL: "${SOURCE}"})
	argument["org.opencontainers.image.created"] = "${CREATED}"
	if diff := cmp.Diff(argument, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// The first stage compiles as this package does, for the platform that is asked for.
func TestDockerfileBuildsTheSameProgram(t *testing.T) {
	all := stages(t)
	if arg := all[0]; len(arg) != 1 || !slices.Equal(arg[0].args, []string{"GO_IMAGE=golang:" + goVersion(t)}) {
		t.Errorf("before FROM: %v, want the version of go.mod as ARG GO_IMAGE", arg)
	}
	var run []string
	for _, i := range all[1] {
		switch i.name {
		case "FROM":
			if !slices.Equal(i.args, []string{"${GO_IMAGE}", "AS", "build"}) || !slices.Equal(i.flags, []string{"--platform=$BUILDPLATFORM"}) {
				t.Errorf("FROM %v %v: want the builder's own platform, so that nothing is emulated", i.flags, i.args)
			}
		case "RUN":
			run = append(run, strings.Join(i.args, " "))
		case "ADD":
			t.Errorf("ADD %v: want COPY, which fetches nothing", i.args)
		}
	}
	flags := buildFlags(Commit{Version: "${VERSION}", Revision: "${COMMIT}"})
	flags[len(flags)-1] = `"` + flags[len(flags)-1] + `"`
	text := strings.Join(run, "\n")
	for _, want := range []string{
		"CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} GOAMD64=v1 GOARM64=v8.0",
		"go build " + strings.Join(flags, " ") + " -o /image" + binaryPath + " ./cmd/pullcause",
		"go run ./cmd/roots > /image" + roots.Path,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no RUN has %q:\n%s", want, text)
		}
	}
}

// goVersion is that of go.mod, without the patch.
func goVersion(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(root, "go.mod")))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	return m[1]
}

// ignored tells what .dockerignore keeps out of the build, as BuildKit reads it.
func ignored(t *testing.T) func(name string) bool {
	t.Helper()
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, filepath.Join(root, ".dockerignore"))))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) bool {
		out, err := matcher.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestDockerignore(t *testing.T) {
	out := ignored(t)
	for name, want := range map[string]bool{
		".git/config": true, "bin/pullcause": true, "README.md": true, ".golangci.yml": true, "deploy/helm/x/values.yaml": true,
		"test/e2e/go.mod": true, "test/image/image.go": true, "agent/agent_test.go": true, "cri/testdata/x": true,
		"go.mod": false, "go.sum": false, "cmd/pullcause/main.go": false, "agent/demo/session/containerd.log": false,
		"test/image/go.sum": false, "test/image/roots/roots.go": false, "test/image/cmd/roots/main.go": false,
	} {
		if got := out(name); got != want {
			t.Errorf("%s is kept out: %t, want %t", name, got, want)
		}
	}
}

// dockerContext copies what a build of the Dockerfile is sent.
func dockerContext(t *testing.T, to string) {
	t.Helper()
	out := ignored(t)
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name == ".git" || name == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		if out(filepath.ToSlash(name)) {
			return nil
		}
		body, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		write(t, filepath.Join(to, name), string(body))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDockerContextHasTheCertificates(t *testing.T) {
	folder := t.TempDir()
	dockerContext(t, folder)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./cmd/roots")
	cmd.Dir = filepath.Join(folder, "test", "image")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly")
	cmd.Stderr = t.Output()
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := roots.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%d bytes of certificates, want %d", len(got), len(want))
	}
}
