package detect

import (
	"strings"
	"testing"
)

// phraseTables are all of them.
var phraseTables = map[string][]phrase{
	"reference": referencePhrases[:], "registry": registryPhrases[:], "network": networkPhrases[:], "tls": tlsPhrases[:],
	"content": contentPhrases[:], "node": nodePhrases[:], "policy": policyPhrases[:],
}

// A row that another one eats, or that nothing can reach, is a row for nothing.
func TestPhrasesAreReached(t *testing.T) {
	const wrapper = "Error response from daemon: "
	for table, phrases := range phraseTables {
		for _, p := range phrases {
			text := p.text
			if p.then != "" {
				text += "x" + p.then
			}
			if strings.HasSuffix(text, " ") {
				text += "x"
			}
			chains := []string{text, wrapper + text, "rpc error: code = Unknown desc = " + wrapper + text}
			if table == "tls" {
				chains = append(chains, "x509: "+text, "tls: failed to verify certificate: x509: "+text)
			}
			for _, chain := range chains {
				if got := ParseFailure(chain).Found; p.found != noFinding && !got.Has(p.found) {
					t.Errorf("%s: found %q, want %s: %s", table, got, p.found, chain)
				}
			}
		}
	}
}

// What stands behind a wrapper is read, and what the wrapper itself says is kept.
func TestWrappersAreReached(t *testing.T) {
	const leaf = "pull QPS exceeded"
	for _, w := range chainLayers {
		text := w.text
		switch w.shape {
		case plain:
		case upTo, ref:
			text += `"registry.example.com/team/app:v1": `
		case rpc:
			text += "NotFound desc = "
		case because:
			text += "registry.example.com/team/app:v1 because the registry is unavailable: "
		}
		for _, chain := range []string{text + leaf, "Error response from daemon: " + text + leaf} {
			f := ParseFailure(chain)
			switch {
			case !f.Found.Has(PullQPSExceeded):
				t.Errorf("what stands behind %q is not read: %s", w.text, chain)
			case w.found != noFinding && !f.Found.Has(w.found):
				t.Errorf("found %q, want %s: %s", f.Found, w.found, chain)
			case f.Step != w.step:
				t.Errorf("step %q, want %q: %s", f.Step, w.step, chain)
			case f.Leaf != leaf:
				t.Errorf("leaf %q: %s", f.Leaf, chain)
			case w.shape == ref && !strings.HasPrefix(f.Reference, "registry.example.com/"):
				t.Errorf("no reference: %s", chain)
			}
		}
	}
}
