package file

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail/logtailtest"
)

// sleep lets time pass and what is due happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A late writer is waited for, and not for longer than other logs may be behind.
func TestLeavesOnceWritersHadTime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		logtailtest.RenameCreate(t, r.file)
		r.write(text(2, 2))
		sleep(poll) // found
		sleep(lateWriter - time.Millisecond)
		r.expect(lines(0, 2)...)
		sleep(time.Millisecond)
		r.expect(lines(0, 4)...)
	})
}

// A writer that is later still loses what it writes, and that is counted, once.
func TestWritersThatAreTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		old := logtailtest.RenameCreate(t, r.file)
		r.write(text(2, 1))
		sleep(poll + lateWriter)
		r.expect(lines(0, 3)...)
		logtailtest.Append(t, old, text(3, 1))
		sleep(leftFor - poll)
		r.expectLosses()
		sleep(2 * poll)
		late := fmt.Sprintf("rotation 1 %d", len(text(3, 1)))
		r.expectLosses(late)
		logtailtest.RenameCreate(t, r.file)
		r.write(text(4, 1))
		r.turn(3)
		logtailtest.Append(t, old, text(5, 1))
		sleep(leftFor + poll)
		r.expect(append(lines(0, 3), line(4))...)
		r.expectLosses(late)
	})
}

// The path's new file had text, and has none any more when it could be gone over to.
func TestNewFileIsEmptied(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.src = newSource(t, Config{Path: r.path, Poll: poll, Lookback: -1})
		f := newFollower(r.src, &r.Recorder)
		defer f.stop()
		f.turn(t.Context(), false)
		old := logtailtest.RenameCreate(t, r.file)
		r.write(text(2, 1))
		f.turn(t.Context(), false)
		r.must(os.Truncate(r.file, 0))
		for range 3 {
			sleep(poll)
			f.turn(t.Context(), false)
			if d := f.delay(); d <= 0 {
				t.Fatalf("delay: got %s, want a rest", d)
			}
		}
		logtailtest.Append(t, old, text(2, 1)) // its writer goes on
		f.turn(t.Context(), false)
		r.expect(lines(0, 3)...)
	})
}

// An empty file is filled, copied, truncated and filled again between two looks.
func TestFilledAndTruncatedBetweenTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(text(0, 2))
		r.start()
		logtailtest.CopyTruncate(t, r.file)
		r.turn(2)
		for i := range 2 {
			r.write(text(2+3*i, 3))
			r.writtenLater(logtailtest.CopyTruncate(t, r.file), i)
		}
		r.write(text(8, 1))
		r.turn(3)
		r.expect(lines(0, 9)...)
		r.expectLosses()
	})
}
