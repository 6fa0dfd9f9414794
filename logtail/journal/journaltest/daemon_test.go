//go:build linux

package journaltest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pullcause/logtail/journal/journaltest"
)

func TestHostDaemon(t *testing.T)  { testDaemon(t, host(t)) }
func TestNewerDaemon(t *testing.T) { testDaemon(t, newer(t)) }

func testDaemon(t *testing.T, s journaltest.Systemd) {
	for name, test := range map[string]func(*testing.T, journaltest.Systemd){
		"Units": testUnits, "Rotate": testRotate, "Kill": testKill, "Persistent": testPersistent, "Flush": testFlush, "Formats": testDaemonFormats,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func start(t *testing.T, o journaltest.Options) *journaltest.Daemon {
	t.Helper()
	d, err := journaltest.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func stop(t *testing.T, d *journaltest.Daemon) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
}

// write writes lines "line 0" and so on as a unit.
func write(t *testing.T, d *journaltest.Daemon, identifier, unit string, n int) {
	t.Helper()
	w, err := d.Writer(t.Context(), identifier, unit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := fmt.Fprintf(w, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// expect reads what a unit wrote by write.
func expect(t *testing.T, s journaltest.Systemd, d *journaltest.Daemon, unit string, n int) {
	t.Helper()
	lines, err := s.Read(t.Context(), d.Journal(), "_SYSTEMD_UNIT="+unit)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != n {
		t.Fatalf("%d lines of %s, want %d", len(lines), unit, n)
	}
	for i, l := range lines {
		if want := fmt.Sprintf("line %d", i); string(l.Message) != want {
			t.Fatalf("line %d is %q", i, l.Message)
		}
	}
}

// files returns the machine's journal files that fit a pattern.
func files(t *testing.T, d *journaltest.Daemon, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d.Journal(), d.MachineID(), pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func testUnits(t *testing.T, s journaltest.Systemd) {
	d := start(t, journaltest.Options{Systemd: s, Dir: t.TempDir()})
	write(t, d, "containerd", "containerd.service", 100)
	write(t, d, "kubelet", "kubelet.service", 100)
	expect(t, s, d, "containerd.service", 100)
	expect(t, s, d, "kubelet.service", 100)
	out, err := d.Stream(t.Context(), "crio", "crio.service")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteString("line 0\n"); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines, err := s.Read(t.Context(), d.Journal(), "SYSLOG_IDENTIFIER=crio", "SYSLOG_IDENTIFIER=kubelet")
	if err != nil || len(lines) != 101 {
		t.Fatalf("%d lines of crio and kubelet, %v", len(lines), err)
	}
	out.Close()
	stop(t, d)
}

func testDaemonFormats(t *testing.T, s journaltest.Systemd) {
	for _, f := range s.Formats() {
		if f.Sealed {
			continue
		}
		d := start(t, journaltest.Options{Systemd: s, Dir: t.TempDir(), Format: &f})
		write(t, d, "containerd", "containerd.service", 10)
		expect(t, s, d, "containerd.service", 10)
		stop(t, d)
		h, err := journaltest.ReadHeader(files(t, d, "system.journal")[0])
		if err != nil {
			t.Fatal(err)
		}
		if compact, keyed := h.Incompatible&journaltest.IncompatibleCompact != 0,
			h.Incompatible&journaltest.IncompatibleKeyed != 0; compact != f.Compact || keyed != f.Keyed {
			t.Errorf("%s has the flags %#x", f, h.Incompatible)
		}
		const codecs = journaltest.IncompatibleXZ | journaltest.IncompatibleLZ4 | journaltest.IncompatibleZstd
		want := map[string]uint32{
			"zstd": journaltest.IncompatibleZstd, "lz4": journaltest.IncompatibleLZ4, "xz": journaltest.IncompatibleXZ,
		}[f.Compression]
		if h.Incompatible&codecs != want {
			t.Errorf("%s has the flags %#x", f, h.Incompatible)
		}
	}
}

func testRotate(t *testing.T, s journaltest.Systemd) {
	d := start(t, journaltest.Options{Systemd: s, Dir: t.TempDir()})
	write(t, d, "containerd", "containerd.service", 100)
	if err := d.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	archived := files(t, d, "system@*.journal")
	if len(archived) != 1 {
		t.Fatalf("archived are %v", archived)
	}
	h, err := journaltest.ReadHeader(archived[0])
	if err != nil || h.State != journaltest.StateArchived {
		t.Fatalf("%+v, %v", h, err)
	}
	expect(t, s, d, "containerd.service", 100)
	stop(t, d)
}

func testKill(t *testing.T, s journaltest.Systemd) {
	o := journaltest.Options{Systemd: s, Dir: t.TempDir()}
	d := start(t, o)
	write(t, d, "containerd", "containerd.service", 100)
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	d = start(t, o)
	unclean := files(t, d, "system@*.journal~")
	if len(unclean) != 1 {
		t.Fatalf("unclean are %v", unclean)
	}
	h, err := journaltest.ReadHeader(unclean[0])
	if err != nil || h.State != journaltest.StateOnline {
		t.Fatalf("%+v, %v", h, err)
	}
	expect(t, s, d, "containerd.service", 100)
	stop(t, d)
}

func testFlush(t *testing.T, s journaltest.Systemd) {
	dir, err := os.MkdirTemp("/dev/shm", "journaltest-") //nolint:usetesting // a tmpfs is needed
	if err != nil {
		cannot(t, err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := start(t, journaltest.Options{Systemd: s, Dir: dir, Config: "Storage=persistent"})
	write(t, d, "kubelet", "kubelet.service", 100)
	expect(t, s, d, "kubelet.service", 100)
	early := d.Journal()
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Journal() == early {
		t.Errorf("still writes to %s", early)
	}
	if left, err := os.ReadDir(early); err != nil || len(left) != 0 {
		t.Errorf("flushing left %v, %v", left, err)
	}
	expect(t, s, d, "kubelet.service", 100)
	write(t, d, "containerd", "containerd.service", 100)
	expect(t, s, d, "containerd.service", 100)
	stop(t, d)
}

func testPersistent(t *testing.T, s journaltest.Systemd) {
	o := journaltest.Options{Systemd: s, Dir: t.TempDir(), Persistent: true}
	d := start(t, o)
	write(t, d, "kubelet", "kubelet.service", 100)
	expect(t, s, d, "kubelet.service", 100)
	stop(t, d)
	d = start(t, o) // goes on with the same file
	if all := files(t, d, "*"); len(all) != 1 {
		t.Fatalf("files are %v", all)
	}
	expect(t, s, d, "kubelet.service", 100)
	stop(t, d)
}
