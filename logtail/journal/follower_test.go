package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// A writer that is killed within a record never ends it. It is waited for as long as
// the handler does, who hears of the time until then, and no longer.
func TestUnfinishedRecordIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, err := New(Config{Roots: []string{t.TempDir()}, Follow: Known()})
		if err != nil {
			t.Fatal(err)
		}
		r := logtailtest.Recorder{More: func(logtail.Record) bool { return true }}
		f := newFollower(src, &r)
		defer f.stop()
		begun := time.Now()
		for _, writer := range []string{"1", "2"} {
			f.values = values{message: []byte(`E0102 15:04:05.000000 1 x.go:1] "x" err=<`)}
			f.values.has[message] = true
			f.values.text[unit], f.values.text[pid] = kubelet.Unit, writer
			f.passed.Time, f.place.next = time.Now(), f.place.next+1
			f.judge(cursor{}, f.place)
			f.progress()
			time.Sleep(2 * time.Second)
		}
		for _, c := range []struct {
			second, writers, progress int
		}{{4, 2, 3}, {6, 1, 4}, {8, 0, 5}, {10, 0, 5}} {
			time.Sleep(time.Until(begun.Add(time.Duration(c.second) * time.Second)))
			f.look(t.Context())
			if writers, progress := len(f.unfinished), len(r.AllProgress()); writers != c.writers || progress != c.progress {
				t.Errorf("after %d s %d writers are waited for and the handler was told %d times, want %d and %d", c.second, writers, progress, c.writers, c.progress)
			}
		}
	})
}
