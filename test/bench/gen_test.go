package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenIsTheSameForASeed(t *testing.T) {
	causes := filepath.Join(t.TempDir(), "causes.json")
	gen := func(seed string) []byte {
		var out, notes bytes.Buffer
		args := []string{"gen", "-size", "2MiB", "-failing", "0.05", "-seed", seed, "-end", "2026-11-24T12:00:00Z", "-causes", causes}
		if err := run(t.Context(), args, &out, &notes); err != nil {
			t.Fatalf("%v: %s", err, notes.String())
		}
		return out.Bytes()
	}
	log := gen("3")
	if !bytes.Equal(log, gen("3")) {
		t.Error("the same seed made another log")
	}
	if bytes.Equal(log, gen("4")) {
		t.Error("another seed made the same log")
	}
	if n := len(log); n < 2<<20 || n > 3<<20 {
		t.Errorf("got %d bytes, want about 2 MiB", n)
	}
	text, err := os.ReadFile(causes)
	if err != nil {
		t.Fatal(err)
	}
	var byTag map[string]string
	if err := json.Unmarshal(text, &byTag); err != nil {
		t.Fatal(err)
	}
	if len(byTag) < 20 {
		t.Errorf("got %d failed pulls, want more", len(byTag))
	}
	log = gen("4")
	for tag, cause := range byTag {
		if bytes.Contains(gen("3"), []byte(tag)) == bytes.Contains(log, []byte(tag)) || cause == "" {
			t.Errorf("tag %s (%q) is not where it should be", tag, cause)
		}
		break
	}
	lines := strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "bench-") {
		t.Errorf("the log ends with %s, want the last line of a failed pull", last)
	}
}

func TestByteSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want byteSize
	}{
		{"1", 1},
		{"64KiB", 64 << 10},
		{"256MiB", 256 << 20},
		{"1GiB", 1 << 30},
		{"", 0},
		{"0", 0},
		{"-1", 0},
		{"1GB", 0},
		{"9999999999999GiB", 0},
	} {
		var got byteSize
		if err := got.Set(c.text); (err != nil) != (c.want == 0) || err == nil && got != c.want {
			t.Errorf("%q: got %d, %v; want %d", c.text, got, err, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out, false)
	r.begin("live", "Live")
	r.hold("latency", 21.26, 20, "ms", "")
	r.hold("cost", 2, 3, "CPU-s", "")
	r.none("lost", 1, "of 7")
	if r.missed() != 2 {
		t.Errorf("got %d misses, want 2", r.missed())
	}
	for _, want := range []string{"21.3 ms", "at most 20", "MISS", "at most 3", "ok", "of 7"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	out.Reset()
	r = newReport(&out, true)
	r.begin("live", "Live")
	r.hold("latency", 21.25, 20, "ms", "")
	const want = `{"part":"live","name":"latency","value":21.25,"unit":"ms","target_at_most":20,"ok":false}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
}

func TestOptions(t *testing.T) {
	var out bytes.Buffer
	for _, args := range [][]string{
		{"-only", "everything", "-agent", os.Args[0]},
		{"-o", "xml", "-agent", os.Args[0]},
		{"-agent", "/does/not/exist"},
		{"extra", "-agent", os.Args[0]},
		{"-size", "1", "-agent", os.Args[0]},
		{"-nonsense"},
	} {
		if _, err := parseOptions(args, &out); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	o, err := parseOptions([]string{"-short", "-only", "live,idle", "-agent", os.Args[0]}, &out)
	if err != nil || o.size != 256<<20 || len(o.only) != 2 {
		t.Errorf("got %+v, %v", o, err)
	}
}
