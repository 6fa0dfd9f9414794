package debug

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"nginx:1.27":              "nginx:1.27",
		"héllo 日本":                "héllo 日本",
		"a\tb\nc":                 "a\tb\nc",
		"\x1b[31mred":             `\x1b[31mred`,
		"a\u202eb\u00a0c":         `a\u202eb\xa0c`,
		"bad \xff\xfe":            `bad \xff\xfe`,
		"real \ufffd":             "real \ufffd",
		"123456789012345678901":   "12345678901234567890…",
		"1234567890123456789日":    "1234567890123456789…",
		"12345678901234567日":      "12345678901234567日",
		"123456789012345678\xff日": `123456789012345678\xff…`,
	} {
		if got := visible(in, 20); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := short("a\nb\tc"); got != `a\nb\tc` {
		t.Errorf("short: got %q", got)
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"nginx", "\x1b[0m\x9b", "\u202eabc", "日本日本日本日本日本", "\xff\xfe", strings.Repeat("a", 40), "\r\n\x00"} {
		f.Add(seed, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1<<16)
		got := visible(s, limit)
		if !utf8.ValidString(got) || len(got) > 10*limit+len("…") {
			t.Errorf("%q, %d: got %q", s, limit, got)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) && r != utf8.RuneError {
				t.Errorf("%q: %q does not print", got, r)
			}
		}
	})
}

func TestSpan(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0:                                     "0 s",
		59*time.Second + 999*time.Millisecond: "59 s",
		time.Minute:                           "1 min",
		time.Hour:                             "1 h",
		3*time.Hour + 10*time.Minute:          "3 h 10 min",
		48 * time.Hour:                        "2 d",
		52*time.Hour + 59*time.Minute:         "2 d 4 h",
	} {
		if got := span(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := comma(in); got != want {
			t.Errorf("comma %d: got %q, want %q", in, got, want)
		}
	}
	if got := count(1, "image") + ", " + count(0, "image"); got != "1 image, 0 images" {
		t.Errorf("count: got %q", got)
	}
}

func TestNameOf(t *testing.T) {
	digest := "docker.io/acme/tools@sha256:2f1c4e3cbb6a2f0b4b1c86f2ab4e6e0f5d2f7b1b74a1d4fd9b0e6f2b1a0c9d8e"
	for in, want := range map[string]string{
		digest:          "docker.io/acme/tools@sha256:2f1c4e3cbb6a…",
		digest + "0":    digest + "0",
		"a@sha256:beef": "a@sha256:beef",
		"":              "docker.io/library/nginx:latest",
		"two\nlines":    `two\nlines`,
	} {
		if got := nameOf(in, "docker.io/library/nginx:latest"); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
