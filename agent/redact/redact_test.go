package redact

import (
	"strings"
	"testing"
	"time"
)

func TestSecretsAreTakenOut(t *testing.T) {
	for _, c := range secrets {
		t.Run(c.name, func(t *testing.T) {
			got := Text(c.text)
			if strings.Contains(got, c.secret) {
				t.Errorf("the secret %q is still in %q", c.secret, got)
			}
			if !strings.Contains(got, Replacement) {
				t.Errorf("nothing was replaced in %q", got)
			}
			if c.want != "" && got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if again := Text(got); again != got {
				t.Errorf("a second time: got %q, want %q", again, got)
			}
		})
	}
}

func TestOrdinaryTextStays(t *testing.T) {
	for _, text := range ordinary {
		if got := Text(text); got != text {
			t.Errorf("got  %s\nwant %s", got, text)
		}
	}
}

func TestOrdinaryTextAllocatesOnlyForEscapes(t *testing.T) {
	for _, text := range ordinary {
		want := 0.0
		for v, ok := (view{text: text}).unescape(); ok; v, ok = v.unescape() {
			want += 2 // the text of a level and where it stands
		}
		if n := testing.AllocsPerRun(20, func() { Text(text) }); n > want {
			t.Errorf("%v allocations, want at most %v, for %s", n, want, text)
		}
	}
}

func TestURL(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"https://r.example:5000/v2/a/manifests/1", "https://r.example:5000/v2/a/manifests/1"},
		{"https://u:p@r.example/v2/?ns=docker.io", "https://REDACTED@r.example/v2/?ns=docker.io"},
		{"https://a.example/token?account=u&scope=repository%3Aa%3Apull&service=r.example&x=", "https://a.example/token?account=REDACTED&scope=repository%3Aa%3Apull&service=r.example&x="},
		{"https://s.example/b?se=2&sig=a b\"c", "https://s.example/b?se=REDACTED&sig=REDACTED"},
		{"https://s.example/b?opaque1", "https://s.example/b?REDACTED"},
		{"https://s.example/b#id_token=x", "https://s.example/b#id_token=REDACTED"},
		{"https://s.example/b?", "https://s.example/b?"},
		{"", ""},
	} {
		got := URL(c.url)
		if got != c.want {
			t.Errorf("URL(%q) = %q, want %q", c.url, got, c.want)
		}
		if again := URL(got); again != got {
			t.Errorf("URL(%q) = %q, want it unchanged", got, again)
		}
	}
}

func TestTextTakesLinearTime(t *testing.T) {
	// Each of these once was a way to make a scanner look back or ahead too far.
	for _, unit := range []string{
		"://", "https://a:b", "token=", "a.b-c_d", `"auth":"`, `\\\"`, "=", "@", "%3D", "--password ", "?", "eyJ", "a:b@",
		"-----BEGIN PRIVATE KEY-----", "Bearer ", "Authorization: ", "%22%3A%22", "%3A%2F%2F", "password: ", "x@", "key=", "a/a-", "token:", "cookie:", "bearer=", "#a/", "<input value=\"", "session: “", "?a=", "&{a ",
	} {
		text := strings.Repeat(unit, (1<<18)/len(unit))
		start := time.Now()
		Text(text)
		took := time.Since(start)
		t.Logf("256 KiB of %q took %v", unit, took)
		if took > 10*time.Second { // 0.5 s on a busy machine; quadratic time would be minutes
			t.Errorf("256 KiB of %q took %v, want time in proportion to the length", unit, took)
		}
	}
}

func BenchmarkText(b *testing.B) {
	text := ordinary[0]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Text(text)
	}
}
