package detect

import (
	"fmt"
	"strings"
	"testing"

	"pullcause/logtail"
)

func signals(record string) []Signal {
	var got []Signal
	Detect(logtail.Record{Body: []byte(record)}, nil, func(s Signal) { got = append(got, s) })
	return got
}

// TestHostileImage checks that an image name of any content stays in its bounds
// and is not taken for something else.
func TestHostileImage(t *testing.T) {
	for _, c := range []struct{ name, image, want string }{
		{"quotes", `r.io/a"b:1`, `r.io/a"b:1`},
		{"newline", "r.io/a\nlevel=error msg=x", "r.io/a\nlevel=error msg=x"},
		{"ANSI", "r.io/\x1b[31ma:1", "r.io/\x1b[31ma:1"},
		{"HTML", "<script>alert(1)</script>", "<script>alert(1)</script>"},
		{"not UTF-8", "r.io/\xff\xfe:1", "r.io/\uFFFD:1"},
		{"64 KiB", strings.Repeat("a", 64<<10), ""},
		{"1 KiB and more", strings.Repeat("é", 600), strings.Repeat("é", 512)},
		{"words of errors", "r.io/not-found/unauthorized:429", "r.io/not-found/unauthorized:429"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := signals(fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=error msg=%q error="context canceled"`, fmt.Sprintf("PullImage %q failed", c.image)))
			if len(got) != 1 || got[0].Image != c.want || len(got[0].Raw) > maxRaw {
				t.Fatalf("got %.300q", fmt.Sprintf("%+v", got))
			}
		})
	}
}

// TestLongRecord checks that a record of 5 MiB costs no more than its length.
func TestLongRecord(t *testing.T) {
	long := strings.Repeat(`\"x\\`, 1<<20)
	for _, record := range []string{
		`time="2026-11-23T22:48:47Z" level=error msg="PullImage \"r/x:1\" failed" error="` + long + `"`,
		blockHeader + "\n\t" + long,
		`{"msg":"` + long,
		strings.Repeat("{", 5<<20),
		strings.Repeat(`"`, 5<<20),
		strings.Repeat(`failed to "`, 1<<19),
		strings.Repeat("Failed to pull image ", 1<<18),
		strings.Repeat("\n", 5<<20),
		strings.Repeat("\x00", 5<<20),
		strings.Repeat(" ", 5<<20),
	} {
		for _, s := range signals(record) {
			if len(s.Raw) > maxRaw {
				t.Errorf("raw of %d bytes", len(s.Raw))
			}
		}
	}
}

func TestCutRawKeepsNoHalfSecret(t *testing.T) {
	token := strings.Repeat("t0kEn", 2000)
	s := clean(strings.Repeat("x ", 9000)+" Authorization: Bearer "+token, MaxRaw)
	if strings.Contains(s, "t0kEn") || len(s) > MaxRaw {
		t.Errorf("%d bytes, ends in %q", len(s), s[len(s)-40:])
	}
}
