package file

import (
	"fmt"
	"time"

	"pullcause/logtail"
)

// leftFor is how long a file is kept open after it was left. If it was removed it takes
// disk space till then.
const leftFor = 10 * time.Second

// left is a file that was left for another one. What a writer adds to it that is later
// still than [lateWriter] is not read, but counted.
type left struct {
	*stream // nil if there is none
	off     int64
	at      time.Time
}

// leaveBehind keeps an eye on the current file as the next one is gone over to, unless
// one is a copy: nobody writes to that, and its original goes on.
func (f *follower) leaveBehind(next *stream) {
	if f.cur.copied || next.copied {
		f.cur.close()
		return
	}
	f.closeLeft(next)
	f.left = left{f.cur, f.lines.off, time.Now()}
}

// checkLeft closes the file that was left once that was long ago.
func (f *follower) checkLeft() {
	if time.Since(f.left.at) >= leftFor {
		f.closeLeft(f.cur)
	}
}

// closeLeft counts what was added to the file that was left, unless that is the current
// one again.
func (f *follower) closeLeft(cur *stream) {
	old := f.left
	if old.stream == nil {
		return
	}
	f.left = left{}
	defer old.close()
	i, err := old.stat()
	if err != nil || i.size <= old.off || cur != nil && cur.id == old.id {
		return
	}
	f.past.add(old.stream, i.size) // or it might be read after all
	f.lost(logtail.LostRotation, i.size-old.off, fmt.Sprintf("%s was written to after it had been rotated and left; rotate it while nobody writes to it, or have all writers open the new one at once", old.real))
}
