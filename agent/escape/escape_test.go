package escape_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode"

	"pullcause/agent/escape"
)

var tests = []struct{ name, text, want string }{
	{"plain", `a "quoted" <b> & c`, `"a \"quoted\" <b> & c"`},
	{"other scripts", "größe 画像 образ 🐳", `"größe 画像 образ 🐳"`},
	{"C0", "\x00\x1b[31m\n\t", `"\u0000\u001b[31m\n\t"`},
	{"DEL", "\x7f", `"\u007f"`},
	{"C1", "\u0080\u009b31m\u009d0;title\u009c\u009f", `"\u0080\u009b31m\u009d0;title\u009c\u009f"`},
	{"line separators", "\u2028\u2029", `"\u2028\u2029"`},
	{"bidirectional", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c", `"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"`},
	{"zero width", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164\ufe0f", `"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164\ufe0f"`},
	{"blanks that are not U+0020", "\u00a0\u3000", `"\u00a0\u3000"`},
	{"tags beyond U+FFFF", "\U000e0041\U000e0100", `"\udb40\udc41\udb40\udd00"`},
	{"not UTF-8", "a\xffb", `"a\ufffdb"`},
	{"an escape that was in the text", `\u009b`, `"\\u009b"`},
	{"JSON in the text", `["` + "\u202e" + `"]`, `"[\"\u202e\"]"`},
}

func TestJSON(t *testing.T) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := escape.JSON(tt.text)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
			var line bytes.Buffer
			if err := escape.NewEncoder(&line).Encode(tt.text); err != nil || line.String() != tt.want+"\n" {
				t.Errorf("the encoder wrote %s, %v; want %s", &line, err, tt.want)
			}
			checkSame(t, got, tt.text)
		})
	}
}

// checkSame reads the text back; what is not UTF-8 is read as encoding/json writes it.
func checkSame(t *testing.T, encoded []byte, text string) {
	t.Helper()
	plain, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var back, want string
	if err := errors.Join(json.Unmarshal(encoded, &back), json.Unmarshal(plain, &want)); err != nil || back != want {
		t.Errorf("%s reads as %q, %v; want %q", encoded, back, err, want)
	}
}

func TestNamesAreEscapedToo(t *testing.T) {
	got, err := escape.IndentedJSON(map[string]any{"a\u202e": []string{"\u009b"}})
	const want = "{\n  \"a\\u202e\": [\n    \"\\u009b\"\n  ]\n}"
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// Whatever the text, nothing hidden is left and a parser reads the same.
func FuzzJSON(f *testing.F) {
	for _, tt := range tests {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := escape.JSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsFunc(got, func(r rune) bool { return escape.Hidden(r) || r != ' ' && unicode.IsSpace(r) }) {
			t.Errorf("%q is left in %q", text, got)
		}
		checkSame(t, got, text)
	})
}
