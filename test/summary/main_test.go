package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What go test -json of Go 1.26 prints, shortened.
const passed = `{"Action":"start","Package":"p/a"}
{"Action":"run","Package":"p/a","Test":"TestA"}
{"Action":"output","Package":"p/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p/a","Test":"TestA","Output":"    a_test.go:7: first this\n"}
{"Action":"output","Package":"p/a","Test":"TestA","Output":"    a_test.go:9: start journald: needs root\n"}
{"Action":"output","Package":"p/a","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p/a","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p/a","Output":"PASS\n"}
{"Action":"output","Package":"p/a","Output":"ok  \tp/a\t0.003s\n"}
{"Action":"pass","Package":"p/a","Elapsed":0.003}
{"Action":"output","Package":"p/b","Output":"?   \tp/b\t[no test files]\n"}
{"Action":"skip","Package":"p/b","Elapsed":0}
`

const failed = `{"Action":"output","Package":"p/c","Test":"TestC","Output":"=== RUN   TestC\n"}
{"Action":"output","Package":"p/c","Test":"TestC","Output":"    c_test.go:5: got 1, want 2\n"}
{"Action":"output","Package":"p/c","Test":"TestC","Output":"--- FAIL: TestC (0.00s)\n"}
{"Action":"fail","Package":"p/c","Test":"TestC","Elapsed":0}
{"Action":"output","Package":"p/c","Output":"FAIL\n"}
{"Action":"output","Package":"p/c","Output":"FAIL\tp/c\t0.001s\n"}
{"Action":"fail","Package":"p/c","Elapsed":0.001}
`

const unbuilt = `{"ImportPath":"p/d","Action":"build-output","Output":"d.go:3:1: syntax error\n"}
{"ImportPath":"p/d","Action":"build-fail"}
`

func TestSummarize(t *testing.T) {
	const skipped = "\nSkipped tests (1):\n  p/a TestA: start journald: needs root\n"
	for _, tt := range []struct {
		name, in, want string
		ok             bool
	}{
		{"passed", passed, "ok  \tp/a\t0.003s\n?   \tp/b\t[no test files]\n" + skipped, true},
		{"failed", passed + failed, "ok  \tp/a\t0.003s\n?   \tp/b\t[no test files]\n    c_test.go:5: got 1, want 2\n--- FAIL: TestC (0.00s)\nFAIL\nFAIL\tp/c\t0.001s\n" + skipped, false},
		{"does not build", unbuilt, "d.go:3:1: syntax error\n", false},
		{"go test complains", "flag provided but not defined: -x\n", "flag provided but not defined: -x\n", false},
		{"killed", `{"Action":"start","Package":"p/e"}` + "\n", "FAIL\tp/e\tgo test ended before it did\n", false},
		{"nothing", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := summarize(strings.NewReader(tt.in), &out)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" || ok != tt.ok || err != nil {
				t.Errorf("got %t, %v; output (-want +got):\n%s", ok, err, diff)
			}
		})
	}
}
