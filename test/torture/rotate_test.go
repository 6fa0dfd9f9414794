package torture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// keep is how many rotated files stay.
const keep = 12

// content is what stood in the log from one rotation to the next.
type content struct {
	opened time.Time
	// gone is when the last copy of it was removed; zero while there is one.
	gone time.Time
}

// rotator owns a log and its rotated files, as logrotate does. It is not safe
// for concurrent use.
type rotator struct {
	path    string
	rng     *rand.Rand
	file    *os.File
	content *content
	rotated []*content // those of path.1, path.2 …; nil where nothing is left
	counts  map[string]int
}

func newRotator(path string, rng *rand.Rand) (*rotator, error) {
	r := &rotator{path: path, rng: rng, counts: make(map[string]int)}
	err := r.create()
	return r, err
}

// create begins a new file. One in four is written by a program that does not
// append: when it is truncated a hole of NUL bytes is left before what follows.
func (r *rotator) create() error {
	flags := os.O_CREATE | os.O_EXCL | os.O_WRONLY
	if r.rng.IntN(4) > 0 {
		flags |= os.O_APPEND
	}
	f, err := os.OpenFile(r.path, flags, 0o600)
	if err != nil {
		return err
	}
	r.file, r.content = f, &content{opened: time.Now()}
	return nil
}

// rotate does one rotation. It calls more, which writes some more lines, where
// real rotations leave a gap: with true between a copy and the truncation.
func (r *rotator) rotate(more func(lost bool) error) error {
	switch r.rng.IntN(3) {
	case 0:
		r.counts["renamed"]++
		return r.rename(more)
	case 1:
		r.counts["copied and truncated"]++
		return r.copyTruncate(more)
	default:
		r.counts["removed"]++
		return r.remove(more)
	}
}

// rename lets the writer go on in the renamed file for a while.
func (r *rotator) rename(more func(bool) error) error {
	if err := r.shift(); err != nil {
		return err
	}
	if err := os.Rename(r.path, r.path+".1"); err != nil {
		return err
	}
	r.rotated[0] = r.content
	return errors.Join(more(false), r.file.Close(), r.create())
}

// remove lets the writer go on in the removed file for a while.
func (r *rotator) remove(more func(bool) error) error {
	if err := os.Remove(r.path); err != nil {
		return err
	}
	err := more(false)
	r.content.gone = time.Now()
	return errors.Join(err, r.file.Close(), r.create())
}

func (r *rotator) copyTruncate(more func(bool) error) error {
	if err := r.shift(); err != nil {
		return err
	}
	if err := duplicate(r.path, r.path+".1"); err != nil {
		return err
	}
	r.rotated[0] = r.content
	if err := more(true); err != nil {
		return err
	}
	r.content = &content{opened: time.Now()}
	return os.Truncate(r.path, 0)
}

func duplicate(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, src.Close(), dst.Close())
}

// shift makes room for path.1 and removes the oldest file.
func (r *rotator) shift() error {
	if len(r.rotated) >= keep {
		oldest := r.rotated[keep-1]
		if err := os.Remove(r.name(keep)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		oldest.gone = time.Now()
		r.rotated = r.rotated[:keep-1]
	}
	for n := len(r.rotated); n > 0; n-- {
		if err := os.Rename(r.name(n), r.name(n+1)); err != nil {
			return err
		}
	}
	r.rotated = append([]*content{nil}, r.rotated...)
	return nil
}

func (r *rotator) name(n int) string { return fmt.Sprintf("%s.%d", r.path, n) }
