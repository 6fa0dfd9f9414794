package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// A log may hold what a terminal obeys or does not show, and -o json is printed to a
// terminal too. Read as JSON it is the text of the log.
func TestExplainAsJSONEscapes(t *testing.T) {
	const evil = "\u009b31m\u202e\u2066\u200b\u2028\x7f"
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	newPrinter("json", w, false).print(explanation{Image: "registry.example/" + evil, Error: evil})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(bytes.TrimSpace(out.Bytes()), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("printed as it is: %+q", out.String()[max(0, i-20):i+3])
	}
	var got explanation
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Error != evil || !strings.HasSuffix(got.Image, evil) {
		t.Errorf("the error reads as %+q, the image as %+q, %v; want %+q", got.Error, got.Image, err, evil)
	}
}
