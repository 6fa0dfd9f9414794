package redact

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// carriers are ways in which a secret %s gets into a log.
var carriers = []string{
	"https://user:%s@r.example/v2/",
	"https://%s@r.example/v2/",
	"https://s.example/blob?X-Amz-Signature=%s&x=1",
	"https://s.example/blob?sv=2020&sig=%s: 403 Forbidden",
	"Authorization: Bearer %s",
	"Authorization: Basic %s\nnext line",
	`{"auths":{"r.example":{"auth":"%s"}}}`,
	`{"identitytoken": "%s", "x": 1}`,
	"refresh_token=%s",
	"password=%s, user=bob",
	"ghp_%s0123456789",
	"glpat-%s0123456789",
	"eyJ%s0123456789.abc.def",
	"&AuthConfig{Username:bob,Password:%s,Auth:,}",
	`auth:<username:"bob" password:"%s" >`,
	"Authorization=[Bearer %s]",
}

// unencoded are those that do not occur percent-encoded.
var unencoded = []string{
	`--password "%s"`,
	"{Username:bob Password:%s Auth:}",
	`Authorization: Digest username="bob", response="%s"`,
	"https://bob:12/%s@r.example/v2/",
}

// FuzzText plants a secret in a line of a text, quoted up to three times or
// percent-encoded: it must never come out, and a second pass changes nothing.
func FuzzText(f *testing.F) {
	for i := range len(carriers) + len(unencoded) {
		f.Add(`failed to do request: Head "`, `": EOF`, "hunter2", uint8(i), uint8(i))
	}
	for _, text := range ordinary {
		f.Add(text, "", "s3cr3t", uint8(0), uint8(1))
	}
	for _, c := range secrets {
		f.Add("", c.text, "Zm9vYmFy", uint8(3), uint8(2))
	}
	f.Fuzz(func(t *testing.T, before, after, seed string, carrier, quoting uint8) {
		got := Text(before + after)
		if again := Text(got); again != got {
			t.Fatalf("not idempotent:\n%q\n%q\n%q", before+after, got, again)
		}
		secret := "x7Q" + letters(seed) + "9z"
		depth := int(quoting) % 5
		forms := carriers
		if depth < 4 {
			forms = slices.Concat(carriers, unencoded)
		}
		form := forms[int(carrier)%len(forms)]
		planted := quoted(fmt.Sprintf(form, secret), depth)
		text := before + "\n" + planted + "\n" + after
		got = Text(text)
		if strings.Contains(got, secret) {
			t.Fatalf("%q is still in\n%q\nmade of\n%q", secret, got, text)
		}
		if again := Text(got); again != got {
			t.Fatalf("not idempotent:\n%q\n%q\n%q", text, got, again)
		}
	})
}

// letters makes a secret of a seed: what such tokens are made of.
func letters(seed string) string {
	var b strings.Builder
	for _, c := range []byte(seed) {
		if b.Len() < 40 && isWord(c) {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func quoted(s string, depth int) string {
	if depth == 4 {
		return url.QueryEscape(s)
	}
	for range depth {
		s = strconv.Quote(s)
	}
	return s
}
