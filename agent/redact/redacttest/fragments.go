// Package redacttest reads the table of texts that hold a credential, for the
// tests of redaction and of what is made of redacted texts. Start at [Fragments].
package redacttest

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Fragment is a text with a place for a secret, {S}.
type Fragment struct {
	// Kind is what the secret is made of: "password", "letters", "base64", or
	// "base62", "upper" and "hex" with a length behind it.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Fragments reads a table of one JSON object a line.
func Fragments(t testing.TB, path string) []Fragment {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []Fragment
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f Fragment
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%s, line %d: %v", path, len(all)+1, err)
		}
		all = append(all, f)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return all
}

// Plant returns the text with the secret in its place.
func (f Fragment) Plant(secret string) string {
	return strings.ReplaceAll(f.Text, "{S}", secret)
}

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// Secret makes a secret of the fragment's kind.
func (f Fragment) Secret(random *rand.Rand) string {
	alphabet, length, _ := strings.Cut(f.Kind, " ")
	n, _ := strconv.Atoi(length) //nolint:errcheck // kinds of a fixed length name none
	switch alphabet {
	case "password":
		return "Zx" + pick(random, upper+lower+digits, 8) + "7q" + pick(random, lower+digits, random.IntN(6))
	case "letters":
		return "q" + pick(random, lower, 14)
	case "base64":
		return pick(random, upper+lower+digits, 30)
	case "base62":
		return pick(random, upper+lower+digits, n)
	case "upper":
		return pick(random, upper+digits, n)
	case "hex":
		return pick(random, digits+"abcdef", n)
	}
	panic("redacttest: unknown kind " + f.Kind)
}

func pick(random *rand.Rand, alphabet string, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(out)
}
