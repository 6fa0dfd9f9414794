package detect

import (
	"slices"
	"time"

	"pullcause/logtail"
)

// Bounds of the unfinished records of a source.
const (
	maxWriters = 64
	maxOpen    = 2 << 20 // bytes of all of them
	maxSpare   = 64 << 10
)

// Assembler joins the lines of records, those of each writer by themselves, whatever
// others write in between. Unfinished records beyond its bounds are cut, the oldest
// first. The zero Assembler is ready.
type Assembler struct {
	open  []*assembly // the one begun first is first
	size  int         // bytes of all of them
	spare []byte      // reused for the next one
}

// assembly is a record whose end has not come yet.
type assembly struct {
	logtail.Record        // its first line
	text           []byte // all lines so far
	last           time.Time
}

// Assembled receives whole records. The body is valid until it returns. cut is set
// if the record lacks its end, because it is too long or the end did not come.
type Assembled func(rec logtail.Record, cut bool)

// Add takes the next line of a source. It reports whether the record of this
// writer is unfinished.
func (a *Assembler) Add(rec logtail.Record, emit Assembled) (more bool) {
	i := slices.IndexFunc(a.open, func(p *assembly) bool { return p.Writer == rec.Writer })
	if i < 0 {
		if !rec.Broken && !Unfinished(rec.Body) {
			emit(rec, false)
			return false
		}
		if len(a.open) == maxWriters {
			a.finish(0, true, emit)
		}
		a.open = append(a.open, &assembly{Record: rec, text: append(a.spare[:0], rec.Body...), last: rec.Time})
		a.spare = nil
		a.size += len(rec.Body)
		return !a.shed(a.open[len(a.open)-1], emit)
	}
	p := a.open[i]
	a.size -= len(p.text)
	if !p.Broken {
		p.text = append(p.text, '\n')
	}
	room := max(logtail.MaxLine-len(p.text), 0)
	p.Truncated = p.Truncated || rec.Truncated || len(rec.Body) > room
	p.text = append(p.text, rec.Body[:min(len(rec.Body), room)]...)
	p.Broken, p.End, p.last = rec.Broken, rec.End, rec.Time
	a.size += len(p.text)
	if p.Broken && len(rec.Body) <= room || Unfinished(p.text) {
		return !a.shed(p, emit)
	}
	a.finish(i, GaveUp(p.text) || len(rec.Body) > room, emit)
	return false
}

// shed cuts the oldest records until the others are within [maxOpen]. It reports
// whether p was one of them.
func (a *Assembler) shed(p *assembly, emit Assembled) (cut bool) {
	for a.size > maxOpen {
		cut = cut || a.open[0] == p
		a.finish(0, true, emit)
	}
	return cut
}

// Expire emits the records whose next line has not come within [logtail.MaxSilence].
// now is the time of what the source reads: that of its latest record, or the clock's
// once it has read all there is. Records without a time do not expire.
func (a *Assembler) Expire(now time.Time, emit Assembled) {
	for i := 0; i < len(a.open); {
		if last := a.open[i].last; last.IsZero() || now.Sub(last) <= logtail.MaxSilence {
			i++
			continue
		}
		a.finish(i, true, emit)
	}
}

// Flush emits what there is of all records.
func (a *Assembler) Flush(emit Assembled) {
	for len(a.open) > 0 {
		a.finish(0, true, emit)
	}
}

// Begin is where the first of the unfinished records begins; ok is false if there
// is none.
func (a *Assembler) Begin() (pos logtail.Position, ok bool) {
	for i, p := range a.open {
		if i == 0 || p.Pos.Before(pos) {
			pos = p.Pos
		}
	}
	return pos, len(a.open) > 0
}

func (a *Assembler) finish(i int, cut bool, emit Assembled) {
	p := a.open[i]
	a.open = slices.Delete(a.open, i, i+1)
	whole := p.Record
	whole.Body, whole.Broken = p.text, false
	a.size -= len(p.text)
	emit(whole, cut)
	if cap(p.text) <= maxSpare {
		a.spare = p.text
	}
}
