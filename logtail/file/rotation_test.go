package file

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

func TestRename(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		old := logtailtest.RenameCreate(t, r.file)
		logtailtest.Append(t, old, text(2, 1)+"no newline")
		r.write(text(10, 2))
		r.turn(1)
		r.expect(lines(0, 3)...) // some time must pass first: one of several writers may be late
		logtailtest.Append(t, old, ", yet\nnor here")
		r.turn(1)
		r.expect(append(append(lines(0, 3), "no newline, yet", "nor here"), lines(10, 2)...)...)
		sleep(leftFor + poll)
		if open := r.openFiles(); len(open) != 1 || open[0] != r.file {
			t.Errorf("open files: got %q, want the new one alone", open)
		}
		if st := r.src.Status(); st.Rotations != 1 || st.Behind != 0 {
			t.Errorf("status: got %+v, want 1 rotation and nothing unread", st)
		}
		r.expectLosses()
	})
}

// As long as the new file is empty the old one is read: its writer has not
// noticed yet.
func TestRenameNewStaysEmpty(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		old := logtailtest.RenameCreate(t, r.file)
		for i := range 5 {
			logtailtest.Append(t, old, text(1+i, 1))
			r.turn(3)
			r.expect(lines(0, 2+i)...)
		}
		r.write(text(6, 1))
		r.turn(2)
		r.expect(lines(0, 7)...)
	})
}

func TestRenameWithoutCreate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		old := logtailtest.Rename(t, r.file)
		r.turn(5)
		logtailtest.Append(t, old, text(1, 1))
		r.turn(5)
		r.expect(lines(0, 2)...)
		if st := r.src.Status(); st.State != logtail.StateReading {
			t.Errorf("status: got %+v, want it to read on", st)
		}
		r.write(text(2, 1))
		r.turn(2)
		r.expect(lines(0, 3)...)
	})
}

func TestRenameBack(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		old := logtailtest.Rename(t, r.file)
		r.turn(2)
		r.must(os.Rename(old, r.file))
		r.write(text(1, 1))
		r.turn(1)
		r.expect(lines(0, 2)...)
	})
}

func TestSeveralRotationsBetweenTurns(t *testing.T) {
	for name, rotate := range map[string]func(*rig){
		"named by date":  func(r *rig) { logtailtest.RenameCreate(r.t, r.file) },
		"shifted":        func(r *rig) { logtailtest.Shift(r.t, r.file, 9) },
		"copied":         func(r *rig) { logtailtest.CopyTruncate(r.t, r.file) },
		"old compressed": func(r *rig) { old := logtailtest.RenameCreate(r.t, r.file); r.must(os.Rename(old, old+".gz")) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 3))
				r.start()
				r.write(text(3, 3))
				if name == "old compressed" {
					rotate(r) // the file that we hold is read though it has another name
					r.write(text(6, 3))
					r.turn(2)
					r.expect(lines(0, 9)...)
					return
				}
				for i := range 4 {
					rotate(r)
					r.write(text(6+3*i, 3))
				}
				r.turn(2)
				r.expect(lines(0, 18)...)
				r.expectLosses()
			})
		})
	}
}

func TestSymlinkSwap(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		if r.file == r.path {
			r.file = filepath.Join(r.dir, "x-1.log")
			r.must(os.Symlink(r.file, r.path))
		}
		r.write(text(0, 2))
		r.start()
		first := r.file
		for i := range 3 { // the two between are found by their names
			r.file = filepath.Join(filepath.Dir(first), "x-"+string(rune('2'+i))+".log")
			r.write(text(2+2*i, 2))
			logtailtest.SymlinkSwap(t, r.path, r.file)
		}
		r.turn(2)
		r.expect(lines(0, 8)...)
		logtailtest.SymlinkSwap(t, r.path, first) // what was read of it is not read again
		logtailtest.Append(t, first, text(8, 1))
		r.turn(2)
		r.expect(lines(0, 9)...)
		r.expectLosses()
	})
}

func TestCopyTruncate(t *testing.T) {
	for name, refill := range map[string]int{
		"empty": 0, "shorter": 1, "same size": 3, "longer": 20,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 3))
				r.start()
				logtailtest.CopyTruncate(t, r.file)
				if refill > 0 {
					r.write(text(3, refill))
				}
				r.turn(1)
				r.expect(lines(0, 3+refill)...)
				r.write(text(3+refill, 1))
				r.turn(1)
				r.expect(lines(0, 4+refill)...)
				r.expectLosses()
			})
		})
	}
}

// What was written before the truncation and not yet read is in the copy.
func TestCopyTruncateUnread(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		r.write(text(2, 2) + "cut ")
		logtailtest.CopyTruncate(t, r.file)
		r.write(text(10, 9))
		r.turn(1)
		r.expect(append(append(lines(0, 4), "cut "), lines(10, 9)...)...)
		r.expectLosses()
	})
}

func TestTruncateWithoutCopy(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2) + "this much is lost")
		r.start()
		r.must(os.Truncate(r.file, 0))
		r.write(text(2, 9))
		r.turn(1)
		r.expect(lines(0, 11)...)
		r.expectLosses("rotation 1 17")
	})
}

// A writer that does not append leaves a hole when its file is truncated under it, in which
// nothing is lost.
func TestTruncateLeavesHole(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		w, err := os.Create(r.file)
		r.must(err)
		write := func(s string) { _, err := w.WriteString(s); r.must(err) }
		write(text(0, 5000))
		r.start()
		r.must(os.Truncate(r.file, 0))
		write(text(5000, 2))
		r.turn(1)
		r.expect(lines(0, 5002)...)
		r.expectLosses()
		if st := r.src.Status(); st.Behind != 0 {
			t.Errorf("behind: got %d, want 0", st.Behind)
		}
		r.must(w.Close())
		r.restart()
		r.turn(1)
		r.expectLosses()
	})
}

// Files that begin with holes are told apart by what stands behind the hole.
func TestHolesDoNotLookAlike(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		n := 0
		write := func(w *os.File, count int) {
			_, err := w.WriteString(text(n, count))
			r.must(err)
			n += count
		}
		create := func() *os.File {
			w, err := os.Create(r.file)
			r.must(err)
			return w
		}
		w := create()
		write(w, 3000)
		r.start()
		for range 3 { // each file with a smaller hole than the last
			r.must(os.Truncate(r.file, 0))
			write(w, 2)
			r.turn(2)
			logtailtest.Rename(t, r.file)
			r.must(w.Close())
			w = create()
			write(w, 1000)
			r.turn(2)
			logtailtest.CopyTruncate(t, r.file)
			write(w, 5)
			logtailtest.Rename(t, r.file) // made and rotated between two looks
			r.must(w.Close())
			w = create()
			write(w, 100)
			r.turn(3)
			r.expect(lines(0, n)...)
		}
		size, err := w.Seek(0, io.SeekCurrent)
		r.must(err)
		r.must(w.Close())
		r.restart(func() {
			r.must(os.Truncate(r.file, 0))
			w, err = os.OpenFile(r.file, os.O_WRONLY, 0)
			r.must(err)
			_, err = w.Seek(size, io.SeekStart)
			r.must(err)
			write(w, 3)
			r.must(w.Close())
			logtailtest.Rename(t, r.file)
			w = create()
			write(w, 1)
			r.must(w.Close())
		})
		r.turn(3)
		r.expect(lines(0, n)...)
	})
}

func TestDeleteCreate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		r.write(text(1, 1))
		logtailtest.DeleteCreate(t, r.file)
		r.write(text(2, 1))
		r.turn(3)
		r.expect(lines(0, 3)...)
		r.expectLosses()
	})
}

// A file may be removed before the older one is left for it.
func TestDeletedBeforeItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		n := 1
		for range 3 {
			logtailtest.Rename(t, r.file)
			r.write(text(n, 10))
			time.Sleep(poll) // found, but some time must pass
			synctest.Wait()
			time.Sleep(lateWriter / 2)
			logtailtest.DeleteCreate(t, r.file)
			r.write(text(n+10, 5))
			r.turn(3)
			n += 15
			r.expect(lines(0, n)...)
		}
		sleep(leftFor + poll)
		r.expectLosses()
		if open := r.openFiles(); len(open) != 1 || open[0] != r.file {
			t.Errorf("open files: got %q, want the new one alone", open)
		}
	})
}

func TestTruncatedThenDeletedBeforeItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		logtailtest.Rename(t, r.file)
		r.write(text(1, 10))
		time.Sleep(poll) // found, but some time must pass
		synctest.Wait()
		r.must(os.Truncate(r.file, 0)) // what stood there is lost
		r.write(text(11, 3))
		logtailtest.DeleteCreate(t, r.file)
		r.write(text(14, 5))
		r.turn(3)
		r.expect(append(lines(0, 1), lines(11, 8)...)...)
	})
}

// A removed file takes space on the disk as long as it is open.
func TestDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		w, err := os.OpenFile(r.file, os.O_WRONLY|os.O_APPEND, 0)
		r.must(err)
		r.must(os.Remove(r.file))
		_, err = w.WriteString(text(1, 1) + "the end")
		r.must(err)
		r.must(w.Close())
		r.turn(3)
		r.expect(append(lines(0, 2), "the end")...)
		if open := r.openFiles(); len(open) > 0 {
			t.Errorf("open files: got %q, want none", open)
		}
		if st := r.src.Status(); st.State != logtail.StateWaiting || !strings.Contains(st.Error, "waiting for it to appear") {
			t.Errorf("status: got %+v, want state %q and the reason", st, logtail.StateWaiting)
		}
		r.write(text(10, 1))
		logtailtest.Rename(t, r.file) // made and rotated between two looks
		r.write(text(11, 1))
		r.turn(2)
		r.expect(append(append(lines(0, 2), "the end"), lines(10, 2)...)...)
		r.expectLosses()
	})
}

func TestDeletedNewStaysEmpty(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 1))
		r.start()
		logtailtest.DeleteCreate(t, r.file)
		r.turn(3)
		if open := r.openFiles(); len(open) != 1 || open[0] != r.file {
			t.Errorf("open files: got %q, want the new one alone", open)
		}
		r.restart() // the position is in the new file already
		r.write(text(1, 1))
		r.turn(1)
		r.expect(lines(0, 2)...)
		r.expectLosses()
	})
}

func TestDirectoryRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.mkdir("log")
		r.file = filepath.Join(r.dir, "log", "x.log")
		if t.Name() == "TestDirectoryRemoved/plain" {
			r.path = r.file
		} else {
			logtailtest.SymlinkSwap(t, r.path, r.file)
		}
		r.write(text(0, 1))
		r.start()
		r.must(os.RemoveAll(filepath.Dir(r.file)))
		r.turn(3)
		r.mkdir("log")
		r.write(text(1, 1))
		r.turn(2)
		r.expect(lines(0, 2)...)
	})
}
