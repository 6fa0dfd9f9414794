package file

import (
	"os"
	"testing"

	"pullcause/logtail"
	"pullcause/logtail/hostroot"
	"pullcause/logtail/logtailtest"
)

// What happens to a log while nobody reads it.
var resumeTests = map[string]struct {
	meanwhile func(*rig)
	lines     int // in all, after 4 at the start
	losses    []string
}{
	"nothing":  {func(*rig) {}, 4, nil},
	"appended": {func(r *rig) { r.write(text(4, 2)) }, 6, nil},
	"renamed": {func(r *rig) {
		r.write(text(4, 2))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(6, 2))
	}, 8, nil},
	"renamed, nothing new yet": {func(r *rig) {
		r.write(text(4, 2))
		logtailtest.Rename(r.t, r.file)
	}, 6, nil},
	"renamed four times": {func(r *rig) {
		for i := range 4 {
			r.write(text(4+2*i, 2))
			logtailtest.Shift(r.t, r.file, 9)
		}
		r.write(text(12, 2))
	}, 14, nil},
	"copied": {func(r *rig) {
		r.write(text(4, 2))
		logtailtest.CopyTruncate(r.t, r.file)
		r.write(text(6, 20))
	}, 26, nil},
	"copied twice, renamed, copied": {func(r *rig) {
		r.write(text(4, 2))
		logtailtest.CopyTruncate(r.t, r.file)
		r.write(text(6, 20))
		logtailtest.CopyTruncate(r.t, r.file)
		r.write(text(26, 1))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(27, 9))
		logtailtest.CopyTruncate(r.t, r.file)
		r.write(text(36, 1))
	}, 37, nil},
	"truncated": {func(r *rig) {
		r.must(os.Truncate(r.file, 0))
		r.write(text(4, 20))
	}, 24, []string{"position 1 0"}},
	"removed": {func(r *rig) {
		logtailtest.DeleteCreate(r.t, r.file)
		r.write(text(4, 20))
	}, 24, []string{"position 1 0"}},
	"removed, then renamed": {func(r *rig) {
		logtailtest.DeleteCreate(r.t, r.file)
		r.write(text(4, 20))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(24, 20))
	}, 44, []string{"position 1 0"}},
	"renamed and compressed": {func(r *rig) {
		r.must(os.Rename(logtailtest.RenameCreate(r.t, r.file), r.file+".1.gz"))
		r.write(text(4, 2))
	}, 6, []string{"position 1 0"}},
	"a copy beside it": {func(r *rig) {
		logtailtest.Copy(r.t, r.file)
		r.write(text(4, 2))
	}, 6, nil},
	"a bystander": {func(r *rig) {
		logtailtest.Append(r.t, r.file+"-proxy.log", text(100, 9))
		logtailtest.RenameCreate(r.t, r.file)
		r.write(text(4, 2))
	}, 6, nil},
}

func TestResume(t *testing.T) {
	for name, c := range resumeTests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 4))
				r.start()
				r.restart(func() { c.meanwhile(r) })
				r.turn(3)
				r.expect(lines(0, c.lines)...)
				r.expectLosses(c.losses...)
				r.write(text(c.lines, 1))
				r.turn(2)
				r.expect(lines(0, c.lines+1)...)
			})
		})
	}
}

// A log that was empty when the agent stopped, as it is after each copying rotation, is
// written to, copied and truncated while the agent is away.
func TestResumeFilledAndTruncated(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		logtailtest.CopyTruncate(t, r.file)
		r.turn(2)
		r.restart(func() {
			for i := range 2 {
				r.write(text(2+3*i, 3))
				r.writtenLater(logtailtest.CopyTruncate(t, r.file), i)
			}
			r.write(text(8, 1))
		})
		r.turn(3)
		r.expect(lines(0, 9)...)
		r.expectLosses()
	})
}

// The position of a partial line is its beginning.
func TestResumePartialLine(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2) + "half a ")
		r.start()
		r.restart()
		r.turn(3)
		r.write("line\n")
		r.turn(1)
		r.expect(append(lines(0, 2), "half a line")...)
		r.write("half")
		r.turn(1)
		r.restart(func() {
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 1))
		})
		r.turn(3)
		r.expect(append(lines(0, 2), "half a line", "half", line(2))...)
	})
}

// The machine crashed while a pull was open: our state was on the disk, the last of the
// log was not.
func TestResumeShortened(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 5))
		r.start()
		r.stop()
		at := *r.Position()
		at.Offset = int64(len(text(0, 3)))
		if parseHint(at.Hint).born == 0 {
			t.Skip("the file system does not tell when a file was made")
		}
		r.must(os.Truncate(r.file, int64(len(text(0, 4)))-5))
		r.write("\n")
		r.start(func(c *Config) { c.Start = &at })
		r.expect(append(lines(0, 5), line(3)[:len(line(3))-4])...)
		r.expectLosses()
	})
}

// The path is missing at the start: the place may still be found.
func TestResumeBeforeCreate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		r.restart(func() { r.must(os.Rename(r.file, r.dir+"/elsewhere")) })
		r.turn(5)
		r.expectLosses()
		r.must(os.Rename(r.dir+"/elsewhere", r.file))
		r.write(text(2, 2))
		r.turn(1)
		r.expect(lines(0, 4)...)
		r.expectLosses()
	})
}

// File systems use the inode of a removed file for the next one.
func TestResumeInodeReused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		was, err := statPath(hostroot.Root{}, r.file)
		r.must(err)
		reused := false
		r.restart(func() {
			for range 100 {
				r.must(os.Remove(r.file))
				r.write(text(2, 20))
				is, err := statPath(hostroot.Root{}, r.file)
				r.must(err)
				if reused = is.id == was.id; reused {
					return
				}
			}
		})
		if !reused {
			t.Skip("this file system does not use inode numbers again")
		}
		r.turn(1)
		r.expect(lines(0, 22)...)
		r.expectLosses("position 1 0")
	})
}

func TestResumeUnreadablePosition(t *testing.T) {
	for _, start := range []logtail.Position{
		{Stream: "", Offset: 5},
		{Stream: "12-xyz", Offset: 5},
		{Stream: "99999-0000000000000000", Offset: 5},
		{Stream: "0-0000000000000000", Offset: -1},
		{Stream: "0-0000000000000000", Offset: 1 << 60, Hint: "1-2"},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			r.write(text(0, 2))
			r.start(func(c *Config) { c.Start = &start })
			r.expect(lines(0, 2)...)
			r.expectLosses("position 1 0")
		})
	}
}

// The places of records, by which they are recognised when they are read again, are
// those that they had in the file that they were copied from.
func TestResumePlacesAreStable(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		for i := range 6 { // the file grows from nothing
			r.write(text(i, 1))
			r.turn(1)
		}
		first := r.Records()
		start := first[1].Pos
		r.stop()
		logtailtest.CopyTruncate(t, r.file)
		r.write(text(6, 2))
		r.start(func(c *Config) { c.Start = &start })
		r.turn(2)
		again := r.Records()[6:]
		if len(again) != 7 {
			t.Fatalf("got %d records again, want 7", len(again))
		}
		for i, rec := range again[:5] {
			if want := first[1+i]; rec.Pos.Stream != want.Pos.Stream || rec.Pos.Offset != want.Pos.Offset {
				t.Errorf("record %d: got place %v, want %v as before", i, rec.Pos, want.Pos)
			}
		}
	})
}

func TestRunAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		r.stop()
		r.write(text(2, 2))
		stop := logtailtest.Start(t, r.src, &r.Recorder)
		r.turn(1)
		stop()
		r.expect(lines(0, 4)...)
		recs := r.Records()
		if !recs[1].End.Before(recs[3].Pos) {
			t.Errorf("positions over runs: got %v, then %v; want them to grow", recs[1].End, recs[3].Pos)
		}
	})
}
