package journal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"pullcause/logtail"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
)

func TestMain(m *testing.M) {
	journaltest.Child()
	goleak.VerifyTestMain(m)
}

// installations are the systemds that can be had here: the machine's and, on CI, a newer one.
func installations(t *testing.T) []journaltest.Systemd {
	t.Helper()
	host, err := journaltest.Host()
	if err != nil {
		cannot(t, err)
	}
	if os.Geteuid() != 0 {
		cannot(t, journaltest.ErrNeedsRoot)
	}
	newer, err := journaltest.Newer(t.Context(), "../../bin")
	if err != nil && os.Getenv("CI") == "true" {
		cannot(t, err)
	}
	if err != nil {
		t.Logf("only with the machine's systemd: %v", err)
		return []journaltest.Systemd{host}
	}
	return []journaltest.Systemd{host, newer}
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t testing.TB, why error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %v", why)
	}
	t.Skip(why)
}

// read is an entry as this package or journalctl reads it.
type read struct {
	cursor  string
	message []byte
	has     bool
}

// readAll reads all entries of a copied journal that fit the matches.
func readAll(dir string, matches ...match) (all []read, losses []logtail.Loss) {
	losses = readEach(dir, matches, func(cursor string, message []byte, has bool) {
		all = append(all, read{cursor, bytes.Clone(message), has})
	})
	return all, losses
}

// ask asks journalctl for the same.
func ask(t testing.TB, s journaltest.Systemd, dir string, matches ...match) (all []read) {
	t.Helper()
	var names []string
	for _, m := range matches {
		names = append(names, string(m.payload))
	}
	lines, err := s.Read(context.Background(), dir, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		all = append(all, read{l.Cursor, l.Message, l.HasMessage})
	}
	return all
}

func compareReads(t testing.TB, got, want []read) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		w.message = w.message[:min(len(w.message), logtail.MaxLine)]
		if g.cursor != w.cursor || g.has != w.has || !bytes.Equal(g.message, w.message) {
			t.Fatalf("entry %d:\n got %s %.100q (%d bytes)\nwant %s %.100q (%d bytes)", i, g.cursor, g.message, len(g.message), w.cursor, w.message, len(w.message))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d entries, want %d", len(got), len(want))
	}
}

// TestJournalctl compares what is read of random files, of all formats that each
// systemd writes, with what journalctl reads.
func TestJournalctl(t *testing.T) {
	const files = 5 // of each format: 240 in all
	ours := []match{
		newMatch("_SYSTEMD_UNIT", "containerd.service"), newMatch("_SYSTEMD_UNIT", "kubelet.service"),
		newMatch("SYSLOG_IDENTIFIER", "kubelet"), newMatch("UNIT", "kubelet.service"),
	}
	for _, s := range installations(t) {
		for _, format := range s.Formats() {
			t.Run(fmt.Sprintf("systemd %d %s", s.Version, format), func(t *testing.T) {
				t.Parallel()
				for i := range files {
					dir := t.TempDir()
					r := rand.New(rand.NewPCG(uint64(i), 0))
					if err := s.Write(t.Context(), filepath.Join(dir, "x.journal"), format, journaltest.Random(r, 200)); err != nil {
						t.Fatal(err)
					}
					for _, matches := range [][]match{ours, ours[2:]} {
						got, losses := readAll(dir, matches...)
						if len(losses) > 0 {
							t.Errorf("got losses %+v, want none", losses)
						}
						compareReads(t, got, ask(t, s, dir, matches...))
					}
				}
			})
		}
	}
}

// TestUnclean kills journald while its journal is followed: what it leaves behind is
// never closed, and must be read like any other file, once, by whoever was there and
// by whoever comes later.
func TestUnclean(t *testing.T) {
	for _, s := range installations(t) {
		t.Run(fmt.Sprint("systemd ", s.Version), func(t *testing.T) {
			t.Parallel()
			o := journaltest.Options{Systemd: s, Dir: t.TempDir()}
			log := &testLog{daemon: startDaemon(t, o), watcher: newWatcher(t)}
			var r logtailtest.Recorder
			src := log.Source(t, nil, nil)
			logtailtest.Start(t, src, &r)
			const lives, each = 4, 50
			for i := range lives {
				w, err := log.daemon.Writer(context.WithoutCancel(t.Context()), "containerd", containerd.Unit)
				must(t, err)
				_, err = io.WriteString(w, strings.Join(numbered(i*each, each), "\n")+"\n")
				must(t, err)
				must(t, w.Close())
				if i < lives-1 {
					must(t, log.daemon.Kill())
					log.daemon = startDaemon(t, o)
				}
			}
			if got := r.Wait(t, lives*each); !slices.Equal(got, numbered(0, lives*each)) {
				t.Errorf("got %d lines, the last one %q, want %d in order", len(got), got[len(got)-1], lives*each)
			}
			if files, err := filepath.Glob(filepath.Join(log.daemon.Journal(), "*", "*.journal~")); err != nil || len(files) != lives-1 {
				t.Errorf("got the files %q, want %d that were left unclean", files, lives-1)
			}
			match := newMatch("_SYSTEMD_UNIT", containerd.Unit)
			later, losses := readAll(log.daemon.Journal(), match)
			compareReads(t, later, ask(t, s, log.daemon.Journal(), match))
			if losses = append(losses, r.Losses()...); len(losses) > 0 {
				t.Errorf("got losses %+v, want none", losses)
			}
		})
	}
}
