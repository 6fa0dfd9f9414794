package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail/logtailtest"
)

// poll is in the time of the bubble: it costs none.
const poll = time.Second

// rig is a source under test on a real file, with a clock that the test moves.
type rig struct {
	logtailtest.Recorder
	t    *testing.T
	dir  string
	path string // what the source is given
	file string // the same, or what it points to
	cfg  Config
	src  *Source
	stop func()
}

// inBubble runs a test twice: on a plain file, and on one behind a symlink in
// another directory, as the kubelet makes them.
func inBubble(t *testing.T, test func(*testing.T, *rig)) {
	t.Helper()
	for _, kind := range []string{"plain", "symlink"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &rig{t: t, dir: t.TempDir()}
				r.path = filepath.Join(r.dir, "x.log")
				r.file = r.path
				if kind == "symlink" {
					r.mkdir("pods")
					r.file = filepath.Join(r.dir, "pods", "0.log")
					r.must(os.Symlink(r.file, r.path))
				}
				test(t, r)
			})
		})
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) mkdir(name string) { r.must(os.MkdirAll(filepath.Join(r.dir, name), 0o700)) }

// write appends text to the log.
func (r *rig) write(text string) { logtailtest.Append(r.t, r.file, text) }

// writtenLater has a file look as if it was written to n days after all that the test does.
func (r *rig) writtenLater(name string, n int) {
	at := time.Now().AddDate(100, 0, n) // files have real times, later than the bubble's
	r.must(os.Chtimes(name, at, at))
}

// start runs a source that reads from the beginning, if cfg says no more.
func (r *rig) start(change ...func(*Config)) {
	r.t.Helper()
	r.cfg = Config{Path: r.path, Poll: poll, Lookback: -1}
	for _, c := range change {
		c(&r.cfg)
	}
	r.src = newSource(r.t, r.cfg)
	stop := logtailtest.Start(r.t, r.src, &r.Recorder)
	r.stop = func() {
		stop()
		if open := r.openFiles(); len(open) > 0 {
			r.t.Errorf("files left open: %q", open)
		}
	}
	r.t.Cleanup(r.stop)
	synctest.Wait()
}

// restart stops the source and starts another at its last progress.
func (r *rig) restart(meanwhile ...func()) {
	r.t.Helper()
	r.stop()
	for _, f := range meanwhile {
		f()
	}
	at := *r.Position()
	at.Generation = 0 // it is not stored
	r.start(func(c *Config) { c.Start = &at })
}

// turn lets n polls pass.
func (r *rig) turn(n int) {
	time.Sleep(time.Duration(n) * poll)
	synctest.Wait()
}

// expect checks all lines so far.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	if got := r.Lines(); !slices.Equal(got, want) {
		r.t.Fatalf("got lines %q\nwant      %q\nstatus %+v", short(got), short(want), r.src.Status())
	}
}

func short(lines []string) []string {
	var s []string
	for _, l := range lines {
		s = append(s, l[:min(len(l), 60)])
	}
	return s
}

// expectLosses checks all losses so far, each as "reason count bytes".
func (r *rig) expectLosses(want ...string) {
	r.t.Helper()
	var got []string
	for _, l := range r.Losses() {
		got = append(got, fmt.Sprintf("%s %d %d", l.Reason, l.Count, l.Bytes))
		if l.Source != r.src.Name() || l.Detail == "" {
			r.t.Errorf("loss: got source %q and detail %q, want %q and a sentence", l.Source, l.Detail, r.src.Name())
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("got losses %q, want %q", got, want)
	}
}

// openFiles lists the files below the rig's directory that the process has open.
func (r *rig) openFiles() []string {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		r.t.Skipf("the open files are read from /proc/self/fd: %v", err)
	}
	var open []string
	for _, fd := range fds {
		name, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && strings.HasPrefix(name, r.dir+"/") {
			open = append(open, name)
		}
	}
	return open
}

// line makes a line that looks like one of a log.
func line(n int) string {
	return fmt.Sprintf(`time="2026-01-02T15:04:05.%09dZ" level=info msg="line %d"`, n, n)
}

func lines(from, n int) (all []string) {
	for i := range n {
		all = append(all, line(from+i))
	}
	return all
}

func text(from, n int) string { return strings.Join(lines(from, n), "\n") + "\n" }
