package redact

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pullcause/agent/redact/redacttest"
)

// TestTableOfCredentials puts a secret in each fragment of testdata/credentials.jsonl and
// quotes it up to three times: it must not come out at any level of escaping.
func TestTableOfCredentials(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, f := range redacttest.Fragments(t, "testdata/credentials.jsonl") {
		for range 4 {
			secret := f.Secret(random)
			planted := f.Plant(secret)
			for depth := range 4 {
				text := quoted(planted, depth)
				got := Text(text)
				if strings.Contains(got, secret) {
					t.Errorf("%q is still in\n%s\nmade of\n%s", secret, got, text)
				}
				if again := Text(got); again != got {
					t.Errorf("a second time\n%s\nbecomes\n%s", got, again)
				}
			}
		}
	}
}

// TestTableOfHarmlessTexts holds what explains a failure: hosts, images, digests, statuses,
// ids and the words of errors, as runtimes and kubelets have written them since 2015.
func TestTableOfHarmlessTexts(t *testing.T) {
	file, err := os.Open("testdata/harmless.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		if got := Text(text); got != text {
			t.Errorf("line %d: got  %s\nwant %s", n+1, got, text)
		}
	}
	if n < 200 {
		t.Errorf("the table has %d texts, want 200 or more", n)
	}
}
