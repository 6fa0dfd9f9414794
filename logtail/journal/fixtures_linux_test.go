package journal

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pullcause/logtail/journal/journaltest"
)

// To make the fixtures anew, as root on Debian 12:
//
//	go test ./logtail/journal -run TestMakeFixtures -update
var update = flag.Bool("update", false, "write the fixtures in testdata anew, with the systemds that are here")

// TestMakeFixtures writes testdata, if it is told to.
func TestMakeFixtures(t *testing.T) {
	if !*update {
		t.Skip("the fixtures are to stay: no -update")
	}
	for i, name := range fixtures {
		dir := t.TempDir()
		s := writeFixture(t, filepath.Join(dir, name), uint64(i))
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		must(t, err)
		_, err = w.Write(b)
		must(t, err)
		must(t, w.Close())
		must(t, os.WriteFile(filepath.Join("testdata", name+".gz"), packed.Bytes(), 0o644))

		var text strings.Builder
		for _, r := range ask(t, s, dir, fixtureMatches...) {
			text.WriteString(line(r.cursor, r.message, r.has))
		}
		must(t, os.WriteFile(filepath.Join("testdata", name+".txt"), []byte(text.String()), 0o644))
	}
}

// writeFixture makes a file as its name says.
func writeFixture(t *testing.T, path string, seed uint64) journaltest.Systemd {
	t.Helper()
	version, format, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".journal"), ",")
	for _, s := range installations(t) {
		if version != fmt.Sprintf("systemd%d", s.Version) {
			continue
		}
		if strings.HasSuffix(path, "~") {
			writeKilled(t, s, path)
			return s
		}
		for _, f := range s.Formats() {
			if f.String() == format {
				must(t, s.Write(t.Context(), path, f, smallEntries(seed)))
				return s
			}
		}
	}
	t.Fatalf("no systemd here can write %s", path)
	return journaltest.Systemd{}
}

// smallEntries are random entries without values that would make the repository large.
func smallEntries(seed uint64) []journaltest.Entry {
	const entries, longest = 110, 1200
	all := journaltest.Random(rand.New(rand.NewPCG(seed, 0)), entries)
	for _, e := range all {
		for i, f := range e.Fields {
			e.Fields[i].Value = f.Value[:min(len(f.Value), longest)]
		}
	}
	return all
}

// writeKilled makes the file of a journald that was killed.
func writeKilled(t *testing.T, s journaltest.Systemd, path string) {
	t.Helper()
	o := journaltest.Options{Systemd: s, Dir: t.TempDir()}
	first, err := journaltest.Start(t.Context(), o)
	must(t, err)
	w, err := first.Writer(t.Context(), "containerd", "containerd.service")
	must(t, err)
	for i := range 100 {
		_, err := fmt.Fprintf(w, "time=%d level=error msg=%q\n", i, strings.Repeat("failed to pull image ", i%50))
		must(t, err)
	}
	must(t, w.Close())
	must(t, first.Kill())
	second := startDaemon(t, o)
	left, err := filepath.Glob(filepath.Join(second.Journal(), second.MachineID(), "*.journal~"))
	must(t, err)
	if len(left) != 1 {
		t.Fatalf("the killed journald left the files %q, want one", left)
	}
	b, err := os.ReadFile(left[0])
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
}
