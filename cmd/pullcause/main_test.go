package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the commands print into testdata/*.txt")

// asCommand makes the test binary the command itself, so that the tests see
// real arguments, environment, streams and exit codes.
const asCommand = "TEST_RUN_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestTranscripts runs each line of testdata/*.txt that begins with "$ " and
// compares what it prints, both streams, and its exit code if that is not 0.
// The commands run in testdata.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// replay keeps comments and commands of a transcript, and puts behind each
// command what it prints now. A blank line stands before each of them.
func replay(t *testing.T, transcript string) string {
	t.Helper()
	var out strings.Builder
	inComment := true
	for line := range strings.Lines(transcript) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		isComment := strings.HasPrefix(line, "# ")
		if !isCommand && !isComment {
			continue // printed by the command before
		}
		if !inComment {
			out.WriteString("\n")
		}
		inComment = isComment
		out.WriteString(line)
		if isCommand {
			out.WriteString(runLine(t, strings.TrimSpace(command)))
		}
	}
	return out.String()
}

// runLine runs "NAME=value … pullcause arguments". A word with
// spaces is in single quotes, the whole of it.
func runLine(t *testing.T, line string) string {
	t.Helper()
	words := split(line)
	env := []string{asCommand + "=1", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	for len(words) > 0 && words[0] != "pullcause" {
		env = append(env, words[0])
		words = words[1:]
	}
	if len(words) == 0 {
		t.Fatalf("no pullcause in %q", line)
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], words[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "testdata", env, &output, &output
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		output.WriteString("[exit " + strconv.Itoa(code) + "]\n")
	}
	return output.String()
}

func split(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 0 {
			words = append(words, strings.Fields(part)...)
		} else {
			words = append(words, part)
		}
	}
	return words
}
