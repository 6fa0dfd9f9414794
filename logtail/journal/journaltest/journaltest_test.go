//go:build linux

package journaltest_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pullcause/logtail/journal/journaltest"
)

func TestMain(m *testing.M) {
	journaltest.Child()
	os.Exit(m.Run())
}

// cannot ends a test that cannot run here. Where all is installed it must run.
func cannot(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func host(t *testing.T) journaltest.Systemd {
	t.Helper()
	s, err := journaltest.Host()
	if err != nil {
		cannot(t, err)
	}
	if os.Geteuid() != 0 {
		cannot(t, errors.New("needs root"))
	}
	return s
}

func newer(t *testing.T) journaltest.Systemd {
	t.Helper()
	host(t)
	s, err := journaltest.Newer(t.Context(), "../../../bin")
	if err != nil {
		cannot(t, err)
	}
	return s
}

// Nobody who runs the tests on a machine of theirs has asked for apt-get.
func TestNewerIsFetchedOnCIAlone(t *testing.T) {
	dir := t.TempDir()
	called := filepath.Join(dir, "called")
	for _, program := range []string{"apt-get", "apt-config", "dpkg"} {
		script := "#!/bin/sh\necho $0 >>" + called + "\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CI", "")
	if _, err := journaltest.Newer(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "where CI=true") {
		t.Errorf("got %v", err)
	}
	if programs, err := os.ReadFile(called); err == nil {
		t.Errorf("it called %s", programs)
	}
}

func TestHostFormats(t *testing.T) { testFormats(t, host(t)) }

// The machine's journalctl reads what a newer systemd writes as well.
func TestNewerFormats(t *testing.T) { testFormats(t, newer(t), host(t)) }

// testFormats writes each format and reads it with the same systemd and others.
func testFormats(t *testing.T, writer journaltest.Systemd, others ...journaltest.Systemd) {
	entries := journaltest.Random(rand.New(rand.NewPCG(1, 2)), 200)
	for _, f := range writer.Formats() {
		t.Run(f.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.journal")
			if err := writer.Write(t.Context(), path, f, entries); err != nil {
				t.Fatal(err)
			}
			for _, reader := range append(others, writer) {
				expectEntries(t, reader, path, entries)
			}
		})
	}
}

func expectEntries(t *testing.T, s journaltest.Systemd, path string, entries []journaltest.Entry) {
	t.Helper()
	lines, err := s.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != len(entries) {
		t.Fatalf("systemd %d reads %d lines of %d entries", s.Version, len(lines), len(entries))
	}
	for i := range lines {
		if err := same(lines[i], entries[i]); err != nil {
			t.Fatalf("systemd %d reads entry %d: %v", s.Version, i, err)
		}
	}
}

func TestReadMatches(t *testing.T) {
	s := host(t)
	path := filepath.Join(t.TempDir(), "x.journal")
	entries := journaltest.Random(rand.New(rand.NewPCG(3, 4)), 1000)
	if err := s.Write(t.Context(), path, s.Formats()[0], entries); err != nil {
		t.Fatal(err)
	}
	followed := func(f journaltest.Field) bool {
		return f.Name == "_SYSTEMD_UNIT" && string(f.Value) == "containerd.service" ||
			f.Name == "SYSLOG_IDENTIFIER" && string(f.Value) == "kubelet"
	}
	var want []journaltest.Entry
	for _, e := range entries {
		if slices.ContainsFunc(e.Fields, followed) {
			want = append(want, e)
		}
	}
	lines, err := s.Read(t.Context(), path, "_SYSTEMD_UNIT=containerd.service", "SYSLOG_IDENTIFIER=kubelet")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != len(want) || len(want) == 0 || len(want) == len(entries) {
		t.Fatalf("%d lines, want %d of %d", len(lines), len(want), len(entries))
	}
}

func TestWriteRefuses(t *testing.T) {
	s := host(t)
	entries := journaltest.Random(rand.New(rand.NewPCG(1, 2)), 3)
	there := filepath.Join(t.TempDir(), "x.journal")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), there, s.Formats()[0], entries); !errors.Is(err, os.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.journal")
	if err := s.Write(t.Context(), path, journaltest.Format{Compression: "bzip2"}, entries); err == nil {
		t.Error("no error for a codec that does not exist")
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

// same says how a line differs from the entry that it was made of.
func same(l journaltest.Line, e journaltest.Entry) error {
	if l.Realtime != e.Realtime || l.Monotonic != e.Monotonic || l.BootID != e.BootID {
		return fmt.Errorf("%d %d %s != %d %d %s", l.Realtime, l.Monotonic, l.BootID, e.Realtime, e.Monotonic, e.BootID)
	}
	if got, want := sorted(l.Fields), sorted(e.Fields); !slices.EqualFunc(got, want, equal) {
		return fmt.Errorf("%d fields differ from %d", len(got), len(want))
	}
	return nil
}

// sorted orders fields and drops equal ones, which a journal does not store.
func sorted(fields []journaltest.Field) []journaltest.Field {
	s := slices.SortedFunc(slices.Values(fields), func(a, b journaltest.Field) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), bytes.Compare(a.Value, b.Value))
	})
	return slices.CompactFunc(s, equal)
}

func equal(a, b journaltest.Field) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }
