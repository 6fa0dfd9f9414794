package file

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"testing"
	"time"

	"pullcause/logtail/logtailtest"
)

// gzip compresses a rotated file as logrotate and the kubelet do, or as lumberjack, which
// does not keep the time of the last write.
func (r *rig) gzip(name string, keepTime bool) {
	r.t.Helper()
	was, err := os.Stat(name)
	r.must(err)
	text, err := os.ReadFile(name)
	r.must(err)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(text)
	r.must(errors.Join(err, w.Close(), os.WriteFile(name+".gz", packed.Bytes(), 0o600), os.Remove(name)))
	if keepTime {
		r.must(os.Chtimes(name+".gz", was.ModTime(), was.ModTime()))
	}
}

// scratch has what is unpacked go to a folder of the test, which must be empty in the end.
func scratch(t *testing.T) func(*Config) {
	dir := t.TempDir()
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return func(c *Config) { c.Scratch = dir }
}

// What was compressed while nobody read it is read all the same.
func TestResumeCompressed(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*rig)
		lines     int // in all, after 4 at the start
		losses    []string
	}{
		"at its end": {func(r *rig) {
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
			r.write(text(4, 2))
		}, 6, nil},
		"with more in it": {func(r *rig) {
			r.write(text(4, 200))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
			r.write(text(204, 2))
		}, 206, nil},
		"copied": {func(r *rig) {
			r.write(text(4, 20))
			r.gzip(logtailtest.CopyTruncate(r.t, r.file), true)
			r.write(text(24, 2))
		}, 26, nil},
		"and another one after it": {func(r *rig) {
			r.write(text(4, 20))
			first := logtailtest.RenameCreate(r.t, r.file)
			r.write(text(24, 20))
			second := logtailtest.RenameCreate(r.t, r.file)
			r.write(text(44, 20))
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(64, 2))
			r.gzip(first, true)
			r.gzip(second, true)
		}, 66, nil},
		"damaged": {func(r *rig) {
			r.write(text(4, 2000))
			rotated := logtailtest.RenameCreate(r.t, r.file)
			r.gzip(rotated, true)
			r.must(os.Truncate(rotated+".gz", 300))
			r.write(text(4, 2))
		}, 6, []string{"position 1 0"}},
		"another file": {func(r *rig) {
			logtailtest.DeleteCreate(r.t, r.file)
			r.write(text(4, 20))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
			r.write(text(24, 2))
		}, 26, []string{"position 1 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 4))
				r.start(scratch(t))
				r.restart(func() { c.meanwhile(r) })
				r.turn(5)
				r.expect(lines(0, c.lines)...)
				r.expectLosses(c.losses...)
				r.write(text(c.lines, 1))
				r.turn(2)
				r.expect(lines(0, c.lines+1)...)
			})
		})
	}
}

// An agent that is killed while it reads an unpacked file goes on in it.
func TestResumeWithinCompressed(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 4))
		r.start(scratch(t))
		r.restart(func() {
			r.write(text(4, 200))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
		})
		r.turn(1) // the path's file is empty: the unpacked one is current
		r.expect(lines(0, 204)...)
		r.restart(func() { r.write(text(204, 3)) })
		r.turn(5)
		r.expect(lines(0, 207)...)
		r.expectLosses()
	})
}

// What is compressed between two looks is read too, once.
func TestGzippedBetweenTurns(t *testing.T) {
	for name, c := range map[string]struct {
		rotate func(*rig) // of lines 2 to 4 in one file, and 5 in the last
	}{
		"the middle one": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
		}},
		"the middle one, by lumberjack": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), false)
		}},
		"both": {func(r *rig) {
			first := logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
			r.gzip(first, true)
		}},
		"the first, which is open": {func(r *rig) {
			r.write(text(2, 3))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), true)
		}},
		"the first, by lumberjack": {func(r *rig) {
			r.write(text(2, 3))
			r.gzip(logtailtest.RenameCreate(r.t, r.file), false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 2))
				r.start(scratch(t))
				c.rotate(r)
				r.write(text(5, 1))
				r.turn(5)
				r.expect(lines(0, 6)...)
				r.expectLosses()
				r.write(text(6, 1))
				logtailtest.RenameCreate(r.t, r.file)
				r.write(text(7, 1))
				r.turn(5)
				r.expect(lines(0, 8)...)
				r.expectLosses()
			})
		})
	}
}

// A log that is copied and truncated was made long before what is written to it. That is no
// clock that was set back: older compressed copies are not read again.
func TestOldCompressedCopiesAreNotReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 9))
		r.start(scratch(t))
		first := logtailtest.CopyTruncate(r.t, r.file)
		r.gzip(first, true)
		r.must(os.Rename(first+".gz", r.file+".2.gz"))
		r.write(text(9, 2))
		r.turn(3)
		r.restart()
		later := time.Now().AddDate(100, 0, 1) // than the bubble's files were made
		r.must(os.Chtimes(logtailtest.CopyTruncate(r.t, r.file), later, later))
		r.write(text(11, 2))
		r.must(os.Chtimes(r.file, later.Add(time.Second), later.Add(time.Second)))
		r.turn(5)
		r.expect(lines(0, 13)...)
		r.expectLosses()
	})
}
