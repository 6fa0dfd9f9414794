package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pullcause/logtail/logtailtest"
)

// The node's clock was ahead and is set back: what is written from then on looks older than
// what was read before. Neither a running source nor a resumed one may skip it.
func TestClockSetBack(t *testing.T) {
	ahead := time.Now().AddDate(100, 0, 0)
	rotateTwice := func(r *rig) {
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(4, 2))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(6, 2))
	}
	tests := map[string]func(*rig){
		"between two looks": func(r *rig) {
			r.must(os.Chtimes(r.file, ahead, ahead))
			r.start()
			rotateTwice(r)
		},
		"while nobody reads": func(r *rig) {
			r.start()
			r.restart(func() {
				r.must(os.Chtimes(r.file, ahead, ahead))
				rotateTwice(r)
			})
		},
		"while the rotated file is written to": func(r *rig) {
			r.start()
			r.must(os.Chtimes(r.file, ahead, ahead))
			r.turn(3)
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(4, 2))
			before := time.Now().AddDate(-1, 0, 0) // before the file itself was made
			r.must(os.Chtimes(r.file, before, before))
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(6, 2))
		},
		"and the file that was read is gone": func(r *rig) {
			r.start()
			r.restart(func() {
				r.must(os.Chtimes(r.file, ahead, ahead))
				r.must(os.Remove(logtailtest.RenameCreate(r.t, r.file)))
				r.write(text(4, 2))
				logtailtest.RenameCreate(r.t, r.file)
				r.write(text(6, 2))
			})
		},
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 4))
				run(r)
				r.turn(30)
				r.expect(lines(0, 8)...)
			})
		})
	}
}

// A position that an earlier version stored says nothing of the rotated files.
func TestClockSetBackAfterAnUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 4))
		r.start()
		r.stop()
		at := *r.Position()
		at.Generation = 0
		at.Hint = strings.Join(strings.Split(at.Hint, "-")[:hintNumbers], "-")
		r.start(func(c *Config) { c.Start = &at })
		ahead := time.Now().AddDate(100, 0, 0)
		r.must(os.Chtimes(r.file, ahead, ahead))
		r.turn(3)
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(4, 2))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(6, 2))
		r.turn(30)
		r.expect(lines(0, 8)...)
	})
}

// Rotated files that were there before are not read, although they bear times of a clock
// that was ahead when they were written.
func TestOlderFilesFromAClockThatWasAhead(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		inBubble(t, func(t *testing.T, r *rig) {
			r.write(text(100, 4))
			r.writtenLater(logtailtest.RenameCreate(r.t, r.file), 1)
			r.write(text(0, 4))
			r.start()
			if resumed {
				r.restart()
			}
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(4, 2))
			r.turn(30)
			r.expect(lines(0, 6)...)
			r.expectLosses()
		})
	}
}

// An old file that somebody unpacks beside the log, with its old time, is not read.
func TestUnpackedOldFile(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 4))
		r.start()
		old := filepath.Join(filepath.Dir(r.file), filepath.Base(r.file)+"-000009")
		logtailtest.Append(r.t, old, text(100, 4))
		lastWeek := time.Now().AddDate(0, 0, -7)
		r.must(os.Chtimes(old, lastWeek, lastWeek))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(4, 2))
		r.turn(30)
		r.expect(lines(0, 6)...)
	})
}
