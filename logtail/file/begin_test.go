package file

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

func TestAppearsLater(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		fromNow := func(c *Config) { c.Lookback = 0 } // it would skip what is there at the start
		r.start(fromNow)
		r.turn(3)
		if st := r.src.Status(); st.State != logtail.StateWaiting || !strings.Contains(st.Error, "waiting for it to appear") {
			t.Errorf("status without a file: got %+v, want state %q and the reason", st, logtail.StateWaiting)
		}
		r.write(text(0, 2))
		r.turn(1)
		r.expect(lines(0, 2)...)
		if st := r.src.Status(); st.State != logtail.StateReading || st.Error != "" {
			t.Errorf("status with a file: got %+v, want state %q and no error", st, logtail.StateReading)
		}
	})
}

func TestDirectoryAppearsLater(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.path = filepath.Join(r.dir, "a", "b", "x.log")
		r.start()
		r.turn(2)
		r.mkdir("a/b")
		r.turn(2)
		logtailtest.Append(t, r.path, text(0, 1))
		r.turn(1)
		r.expect(lines(0, 1)...)
	})
}

func TestNotRegular(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.must(syscall.Mkfifo(r.file, 0o600)) // to open it for reading would block
		r.start()
		r.turn(1)
		if st := r.src.Status(); st.State != logtail.StateWaiting || !strings.Contains(st.Error, "not a regular file") {
			t.Errorf("status: got %+v, want state %q and the reason", st, logtail.StateWaiting)
		}
		r.must(os.Remove(r.file))
		r.write(text(0, 1))
		r.turn(int(maxBackoff / poll))
		r.expect(lines(0, 1)...)
	})
}

// A file may grow between the look at it and the choice of the place to begin, which
// would then be beyond its end as seen before.
func TestIsLookedAtAnewOnceItHasBegun(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.src = newSource(t, Config{Path: r.path, Poll: poll, Lookback: -1})
		f := newFollower(r.src, &r.Recorder)
		defer f.stop()
		if !f.step(t.Context()) || f.cur == nil || r.Len() > 0 {
			t.Fatalf("the step that begins: got %d lines, want a file and none yet", r.Len())
		}
		r.write(text(2, 1))
		f.step(t.Context())
		if got := r.Lines(); len(got) != 3 {
			t.Errorf("the step after it: got %d lines, want 3", len(got))
		}
	})
}

func TestErrorGoesWithItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		r.must(os.Rename(r.file, r.file+".hidden"))
		r.mkdir(strings.TrimPrefix(r.file, r.dir))
		r.turn(2)
		if st := r.src.Status(); !strings.Contains(st.Error, "not a regular file") {
			t.Errorf("status while a directory is in its place: got %+v, want the reason", st)
		}
		r.must(os.Remove(r.file))
		r.must(os.Rename(r.file+".hidden", r.file))
		r.turn(1)
		if st := r.src.Status(); st.State != logtail.StateReading || st.Error != "" {
			t.Errorf("status afterwards: got %+v, want state %q and no error", st, logtail.StateReading)
		}
	})
}

func TestBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &follower{src: newSource(t, Config{Path: "/x"}), cfg: &Config{Poll: poll}, pace: pace{poll: poll}, log: newSource(t, Config{Path: "/x"}).cfg.Logger}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			f.await(fs.ErrPermission)
			if got := f.delay(); got != want*time.Second {
				t.Errorf("delay: got %s, want %s", got, want*time.Second)
			}
		}
		f.await(fs.ErrNotExist)
		if got := f.delay(); got != poll {
			t.Errorf("delay while the file is missing: got %s, want %s", got, poll)
		}
	})
}

// lineTime reads the time that [line] writes, like a runtime's.
func lineTime(line []byte) (time.Time, bool) {
	s, ok := strings.CutPrefix(string(line), `time="`)
	if !ok {
		return time.Time{}, false
	}
	s, _, _ = strings.Cut(s, `"`)
	at, err := time.Parse(time.RFC3339Nano, s)
	return at, err == nil
}

// minutes makes n lines, one for each minute that ends now, with as many lines of
// detail below each.
func minutes(now time.Time, n, detail int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "time=%q msg=\"minute %d\"\n", now.Add(time.Duration(i-n+1)*time.Minute).Format(time.RFC3339Nano), i)
		for j := range detail {
			fmt.Fprintf(&b, "\tdetail %d of minute %d\n", j, i)
		}
	}
	return b.String()
}

func TestLookback(t *testing.T) {
	const all = 5000
	for name, c := range map[string]struct {
		lookback time.Duration
		detail   int
		text     string // in place of lines for each minute
		plain    bool   // no LineTime
		aged     time.Duration
		want     int // lines
	}{
		"all":                      {lookback: -1, want: all},
		"nothing":                  {lookback: 0, want: 0},
		"five minutes":             {lookback: 5*time.Minute + 30*time.Second, want: 6},
		"an hour":                  {lookback: time.Hour + 30*time.Second, want: 61},
		"exactly the line's time":  {lookback: 5 * time.Minute, want: 6},
		"more than there is":       {lookback: 9000 * time.Minute, want: all},
		"less than there is":       {lookback: 30 * time.Second, want: 1},
		"lines of detail":          {lookback: 10*time.Minute + 30*time.Second, detail: 30, want: 11 * 31},
		"long details":             {lookback: 2*time.Minute + 30*time.Second, detail: 3000, want: 3 * 3001},
		"no times, written now":    {lookback: time.Hour, text: strings.Repeat("x\n", 9), want: 9},
		"no times, written before": {lookback: time.Hour, text: strings.Repeat("x\n", 9), aged: 2 * time.Hour, want: 0},
		"nobody reads times":       {lookback: 5 * time.Minute, plain: true, want: all},
		"empty":                    {lookback: time.Hour, text: "-", want: 0},
		"one line, no newline":     {lookback: 0, text: "not yet", want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rig{t: t, dir: t.TempDir()}
				r.path = filepath.Join(r.dir, "x.log")
				r.file = r.path
				now := time.Now()
				body := c.text
				switch body {
				case "-":
					body = ""
				case "":
					n := all
					if c.detail > 0 {
						n = 60
					}
					body = minutes(now, n, c.detail)
				}
				r.write(body)
				r.must(os.Chtimes(r.path, now.Add(-c.aged), now.Add(-c.aged)))
				r.start(func(f *Config) {
					f.Lookback, f.LineTime = c.lookback, lineTime
					if c.plain {
						f.LineTime = nil
					}
				})
				if got := r.Len(); got != c.want {
					t.Errorf("lines handed over: got %d, want %d; the first: %q", got, c.want, short(r.Lines()[:min(1, got)]))
				}
				r.write("the next\n")
				r.turn(1)
				want := "the next"
				if c.text == "not yet" {
					want = "not yetthe next"
				}
				if got := r.Lines(); len(got) != c.want+1 || got[c.want] != want {
					t.Errorf("line written later: got %q, want %q", short(got[c.want:]), want)
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for want, cfg := range map[string]Config{
		"file source: got no path, want that of a log file": {},
		"file source /x: got poll -1s, want more than 0":    {Path: "/x", Poll: -time.Second},
	} {
		if _, err := New(cfg); err == nil || err.Error() != want {
			t.Errorf("New(%+v): got error %v, want %q", cfg, err, want)
		}
	}
}
