package journal

import (
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail"
)

// The fixtures are files that systemd wrote, and beside each what its journalctl
// printed of the entries that fit fixtureMatches. fixtures_linux_test.go makes
// them anew.
var fixtureMatches = []match{
	newMatch("_SYSTEMD_UNIT", "containerd.service"), newMatch("_SYSTEMD_UNIT", "kubelet.service"),
	newMatch("SYSLOG_IDENTIFIER", "kubelet"), newMatch("UNIT", "kubelet.service"),
}

// fixtures names them all: who wrote the file, and how.
var fixtures = []string{
	"systemd252,compact,keyed,zstd.journal",
	"systemd252,regular,jenkins,none.journal",
	"systemd257,regular,keyed,lz4.journal",
	"systemd257,compact,keyed,xz.journal",
	"systemd257,compact,keyed,sealed,zstd.journal",
	"systemd257,killed.journal~",
}

// TestFixtures reads real files on any machine. It fails where a change of the
// reader makes it misread a format that the oracle tests cannot make there, and
// where it depends on the machine: its order of bytes, its system.
func TestFixtures(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), readFixture(t, name), 0o600); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			got, losses := readLines(dir)
			if len(losses) > 0 {
				t.Errorf("got losses %+v, want none", losses)
			}
			if diff := cmp.Diff(string(want), strings.Join(got, "")); diff != "" {
				t.Errorf("entries (-journalctl +got):\n%s", diff)
			}
		})
	}
}

// readFixture returns the bytes of the journal file.
func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readEach reads all entries of a copied journal that fit the matches, in the way of
// [Read]. The message is valid until each returns.
func readEach(dir string, matches []match, each func(cursor string, message []byte, has bool)) (losses []logtail.Loss) {
	r := newReader(roots{dirs: []string{dir}, copied: true}, matches, func(l logtail.Loss) { losses = append(losses, l) })
	defer r.close()
	r.refresh(time.Now())
	var v values
	for f := r.next(); f != nil; f = r.next() {
		if err := f.readValues(&v); err != nil {
			if !r.corrupted(f, []error{err}) {
				r.advance(f)
			}
			continue
		}
		each(markOf(f.head.sequence, &f.next).String(), v.message, v.has[message])
		r.advance(f)
	}
	return losses
}

// readLines reads all entries that fit fixtureMatches, as lines of [line].
func readLines(dir string) (lines []string, losses []logtail.Loss) {
	losses = readEach(dir, fixtureMatches, func(cursor string, message []byte, has bool) {
		lines = append(lines, line(cursor, message, has))
	})
	return lines, losses
}

// line is an entry as the fixtures' texts show it: its cursor, and the length, sum
// and beginning of its message, if it has one.
func line(cursor string, message []byte, has bool) string {
	if !has {
		return cursor + " -\n"
	}
	return fmt.Sprintf("%s %d %08x %.60q\n", cursor, len(message), crc32.ChecksumIEEE(message), message)
}
