// Package readme_test holds README.md to what the program does: each command in
// it is run or checked, the causes are those of the code, and what it shows is
// what is printed.
package readme_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/diagnose"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced blocks of a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("README.md has no block of %s", language)
	}
	return all
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pullcause")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "pullcause/cmd/pullcause").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func TestReadsInAMinute(t *testing.T) {
	lines := strings.Split(read(t, "README.md"), "\n")
	if len(lines) > 151 {
		t.Errorf("%d lines, want at most 150", len(lines)-1)
	}
	top := strings.Join(lines[:20], "\n")
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(top, command) {
			t.Errorf("no %q within the first 20 lines", command)
		}
	}
}

// Every line of a shell block is a make target or a command line that the
// program accepts.
func TestCommands(t *testing.T) {
	makefile, binary := read(t, "Makefile"), build(t)
	for _, block := range blocks(t, "sh") {
		for line := range strings.Lines(block) {
			command, _, _ := strings.Cut(line, "#")
			command = strings.TrimSpace(command)
			switch target, isMake := strings.CutPrefix(command, "make "); {
			case isMake:
				target, _, _ = strings.Cut(target, " ") // variables follow
				if !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("no such target: %s", command)
				}
			case strings.Contains(command, "pullcause run"):
				checkRun(t, binary, command)
			case strings.Contains(command, "pullcause explain"): // on files of the reader's
			case strings.HasPrefix(command, "helm install "):
				checkHelm(t, strings.Fields(command))
			default:
				t.Errorf("cannot check %q", command)
			}
		}
	}
}

// No registry has the image until the reader has pushed it: whoever follows a page from its
// top has done so when it comes to the command that needs it, and both name the same one.
func TestImageBeforeInstall(t *testing.T) {
	pushed := regexp.MustCompile(`make image IMAGEFLAGS=--push=(\S+):(\S+)`)
	installed := regexp.MustCompile(`helm install pullcause .*`)
	version := regexp.MustCompile(`(?m)^appVersion: "(.*)"$`).FindStringSubmatch(read(t, "deploy/helm/pullcause/Chart.yaml"))[1]
	for _, page := range []string{"README.md", "docs/install.md", "deploy/helm/pullcause/README.md"} {
		text := read(t, page)
		push, install := pushed.FindStringSubmatchIndex(text), installed.FindStringIndex(text)
		if push == nil || install == nil || push[0] > install[0] {
			t.Errorf("%s does not say how to push the image before it installs it", page)
			continue
		}
		repository, tag := text[push[2]:push[3]], text[push[4]:push[5]]
		if command := text[install[0]:install[1]]; !strings.Contains(command, "--set image.repository="+repository+" ") || tag != version {
			t.Errorf("%s pushes %s:%s, of which the chart pulls the tag %s, and installs with\n%s", page, repository, tag, version, command)
		}
	}
}

// checkHelm looks for the chart and the values that a command names; test/chart does the
// rest.
func checkHelm(t *testing.T, words []string) {
	t.Helper()
	values := read(t, filepath.Join(words[3], "values.yaml"))
	for i, word := range words {
		if word != "--set" {
			continue
		}
		section, _, _ := strings.Cut(words[i+1], ".")
		if !strings.Contains(values, "\n"+section+":") {
			t.Errorf("the chart has no value %s", words[i+1])
		}
	}
}

// checkRun lets the program read the command line without acting on it.
func checkRun(t *testing.T, binary, command string) {
	t.Helper()
	words := strings.Fields(command)
	var env, args []string
	for i, word := range words {
		if strings.HasSuffix(word, "bin/pullcause") {
			env, args = words[:i], words[i+1:]
			break
		}
	}
	cmd := exec.CommandContext(t.Context(), binary, append(args, "--print-config")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

func TestOutput(t *testing.T) {
	binary := build(t)
	for _, block := range blocks(t, "console") {
		command, shown, _ := strings.Cut(strings.TrimPrefix(block, "$ "), "\n")
		words := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), binary, words[1:]...)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		for part := range strings.SplitSeq(shown, "…\n") {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s does not print:\n%s", command, part)
			}
		}
	}
}

// TestRecord checks the record that is shown against the one of the same lines.
func TestRecord(t *testing.T) {
	type record struct {
		Name, Severity string
		Attributes     map[string]any
	}
	var shown record
	if err := json.Unmarshal([]byte(blocks(t, "json")[0]), &shown); err != nil {
		t.Fatal(err)
	}
	session := filepath.Join(root, "agent", "demo", "session")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, build(t), "run", "--no-sources-auto", "--sources-lookback=all",
		"--sources-files=containerd:"+absolute(t, session, "containerd.log"),
		"--sources-files=kubelet:"+absolute(t, session, "kubelet.log"),
		"--delivery-state-dir="+t.TempDir(), "--server-listen=127.0.0.1:0", "--server-debug-listen=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // killed
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if r.Attributes["container.image.name"] != shown.Attributes["container.image.name"] {
			continue
		}
		for key := range r.Attributes {
			if _, ok := shown.Attributes[key]; !ok {
				delete(r.Attributes, key)
			}
		}
		if diff := cmp.Diff(r, shown); diff != "" {
			t.Errorf("record (-sent +shown):\n%s", diff)
		}
		return
	}
	t.Error("the record that is shown was not sent")
}

func absolute(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfiguration(t *testing.T) {
	binary := build(t)
	for _, block := range blocks(t, "yaml") {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "run", "--config", file, "--print-config")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, block)
		}
	}
}

// TestCauses checks that the table of causes is that of the code.
func TestCauses(t *testing.T) {
	var owners []string
	causes := map[string][]string{}
	for _, c := range diagnose.Causes() {
		owner := c.Owner
		if owner == "" {
			owner = "–"
		}
		if causes[owner] == nil {
			owners = append(owners, owner)
		}
		text := "`" + string(c.Cause) + "`"
		if len(c.Details) > 0 {
			text += " (" + strings.Join(c.Details, ", ") + ")"
		}
		causes[owner] = append(causes[owner], text)
	}
	text := read(t, "README.md")
	for _, owner := range owners {
		if row := fmt.Sprintf("| %s | %s |\n", owner, strings.Join(causes[owner], ", ")); !strings.Contains(text, row) {
			t.Errorf("README.md has no row\n%s", row)
		}
	}
}
