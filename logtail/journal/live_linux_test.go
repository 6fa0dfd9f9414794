package journal

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
)

// TestHalfWritten looks at a journal in the moment in which journald has counted an
// entry in the header and not yet in the unit's chain. Nothing announces when it is:
// the next look must find the entry all the same, though the header is as it was, and
// until then the place must not pass it.
func TestHalfWritten(t *testing.T) {
	root, path := writeJournal(t, numbered(0, 3))
	edit := editor(t, path)
	unit := find(t, path, newMatch("_SYSTEMD_UNIT", containerd.Unit))
	edit(16, []byte{stateOnline})
	edit(unit+dataEntries, binary.LittleEndian.AppendUint64(nil, 2))

	src := newSource(t, Config{Roots: []string{root}, Follow: []Candidate{containerd}, Lookback: -1})
	synctest.Test(t, func(t *testing.T) {
		var r logtailtest.Recorder
		f := newFollower(src, &r)
		defer f.stop()
		f.turn(t.Context())
		if got := r.Lines(); len(got) != 2 {
			t.Fatalf("got %q, want the 2 lines that are in the chain", got)
		}
		if p := r.Position(); p.Offset != 3 {
			t.Errorf("got place %d, want that before the entry 3", p.Offset)
		}
		time.Sleep(500 * time.Millisecond) // a busy machine lets journald wait
		f.turn(t.Context())
		edit(unit+dataEntries, binary.LittleEndian.AppendUint64(nil, 3))
		f.turn(t.Context())
		if got := r.Lines(); len(got) != 3 {
			t.Errorf("got %q, want the third line too", got)
		}
		time.Sleep(2 * linkTime)
		f.turn(t.Context())
		if p := r.Position(); p.Offset != 4 {
			t.Errorf("got place %d, want that behind all", p.Offset)
		}
	})
}

// writeJournal makes a journal of lines of containerd, as journald leaves it: a root
// with a machine's folder in it.
func writeJournal(t *testing.T, lines []string) (root, path string) {
	t.Helper()
	root = t.TempDir()
	path = filepath.Join(root, strings.Repeat("a", 32), "system.journal")
	must(t, os.Mkdir(filepath.Dir(path), 0o755))
	var entries []journaltest.Entry
	for i, line := range lines {
		e := journaltest.Entry{Realtime: 1_700_000_000_000_000 + uint64(i), Monotonic: 1 + uint64(i), BootID: strings.Repeat("1", 32)}
		for _, f := range [][2]string{{"MESSAGE", line}, {"_SYSTEMD_UNIT", containerd.Unit}, {"_PID", "7"}} {
			e.Fields = append(e.Fields, journaltest.Field{Name: f[0], Value: []byte(f[1])})
		}
		entries = append(entries, e)
	}
	must(t, host(t).Write(t.Context(), path, journaltest.Format{Keyed: true, Compression: "zstd"}, entries))
	return root, path
}

// editor returns what overwrites parts of a file.
func editor(t *testing.T, path string) func(off uint64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return func(off uint64, b []byte) {
		_, err := f.WriteAt(b, int64(off))
		must(t, err)
	}
}

// find is where the DATA object of a match lies.
func find(t *testing.T, path string, m match) uint64 {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	f := newFile(bytes.NewReader(b), func() (int64, error) { return int64(len(b)), nil }, nil, nil)
	_, err = f.readHeader()
	must(t, err)
	off, err := f.find(m.payload)
	must(t, err)
	if off == 0 {
		t.Fatalf("%s has no %s", path, m)
	}
	return off
}

// TestNoJournalYet begins before there is a journal. No place may be told of it: after
// a restart it would look as if a journal was gone.
func TestNoJournalYet(t *testing.T) {
	root, path := writeJournal(t, numbered(0, 3))
	away := filepath.Join(t.TempDir(), "away")
	must(t, os.Rename(filepath.Dir(path), away))
	var r logtailtest.Recorder
	src := newSource(t, Config{Roots: []string{root}, Follow: []Candidate{containerd}, Lookback: -1})
	f := newFollower(src, &r)
	f.turn(t.Context())
	f.stop()
	if p := r.Position(); p != nil || src.start != nil {
		t.Errorf("got place %+v, want none", p)
	}
	must(t, os.Rename(away, filepath.Dir(path)))
	f = newFollower(src, &r)
	defer f.stop()
	f.turn(t.Context())
	if got := r.Lines(); len(got) != 3 || len(r.Losses()) > 0 {
		t.Errorf("got %q and losses %+v, want 3 lines", got, r.Losses())
	}
}

// TestFolderComesBack takes the folder away that was read and puts it back: all in
// it was read.
func TestFolderComesBack(t *testing.T) {
	root, path := writeJournal(t, numbered(0, 3))
	must(t, os.Rename(path, strings.Replace(path, "system.", "system@x.", 1))) // archived
	var r logtailtest.Recorder
	src := newSource(t, Config{Roots: []string{root}, Follow: []Candidate{containerd}, Lookback: -1})
	f := newFollower(src, &r)
	defer f.stop()
	away := filepath.Join(t.TempDir(), "away")
	for range 3 {
		f.turn(t.Context())
		must(t, os.Rename(filepath.Dir(path), away))
		f.turn(t.Context())
		must(t, os.Rename(away, filepath.Dir(path)))
		f.turn(t.Context())
	}
	if got := r.Lines(); len(got) != 3 || len(r.Losses()) > 0 {
		t.Errorf("got %q and losses %+v, want 3 lines, each once", got, r.Losses())
	}
}
