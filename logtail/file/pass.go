package file

import (
	"bytes"
	"time"

	"pullcause/logtail"
)

// pass looks at a piece, hands over what is wanted of it and reports progress.
// This is the path that noise takes: it allocates nothing and cuts no line.
func (f *follower) pass(p piece, now time.Time) {
	f.passNULs(p.off-p.nuls, p.nuls)
	lines := int64(1)
	if p.cut > 0 {
		f.passLong(p, now)
	} else {
		lines = int64(bytes.Count(p.text, []byte{'\n'}))
		f.passLines(p.text, p.off, now)
	}
	f.noteTime(p.text)
	f.advance(logtail.Progress{Lines: lines, Bytes: p.end - p.off + p.nuls}, p.end, now)
}

// timeLines is how many lines are tried, from the last one back, for a time: those of a
// stack trace or a record of several lines have none.
const timeLines = 8

// noteTime puts the time that the last line bears into the status. Blocks are large where
// much is written, so this costs one parsed line for many.
func (f *follower) noteTime(text []byte) {
	if f.cfg.LineTime == nil {
		return
	}
	text = bytes.TrimSuffix(text, []byte{'\n'})
	for range timeLines {
		i := bytes.LastIndexByte(text, '\n')
		if at, ok := f.cfg.LineTime(text[i+1:]); ok {
			f.src.update(func(st *logtail.Status) { st.LastLine = at })
			return
		}
		if i < 0 {
			return
		}
		text = text[:i]
	}
}

func (f *follower) advance(p logtail.Progress, off int64, now time.Time) {
	p.Pos = f.cur.pos(off)
	f.src.passed(p, f.behind(), now)
	f.out.Progress(p)
}

// passLines goes through whole lines. text ends with a newline.
func (f *follower) passLines(text []byte, off int64, now time.Time) {
	for i := 0; i < len(text); {
		if !f.more && f.cfg.Filter != nil {
			hit := f.cfg.Filter(text[i:])
			if hit < 0 {
				return
			}
			i += bytes.LastIndexByte(text[i:i+hit], '\n') + 1
		}
		n := bytes.IndexByte(text[i:], '\n')
		f.hand(text[i:i+n], off+int64(i), off+int64(i+n)+1, 0, now)
		i += n + 1
	}
}

// passLong takes the first part of a line that is too long.
func (f *follower) passLong(p piece, now time.Time) {
	if f.more || f.cfg.Filter == nil || f.cfg.Filter(p.text) >= 0 {
		f.hand(p.text, p.off, p.end, p.cut, now)
		return
	}
	f.lostLong(p.cut)
}

// hand hands over one line. cut is how much of it is not in line.
func (f *follower) hand(line []byte, off, end, cut int64, now time.Time) {
	if n := leadingNULs(line); n > 0 {
		f.lost(logtail.LostBinary, int64(n), "NUL bytes stood before a line; a crash of the machine leaves such holes")
		line = line[n:]
		off += int64(n)
	}
	if n := len(line) - f.lines.max; n > 0 {
		line = line[:f.lines.max]
		cut += int64(n)
	}
	if cut > 0 {
		f.lostLong(cut)
	}
	f.more = f.out.Handle(logtail.Record{
		Source: f.cfg.Name, Program: f.cfg.Program, Observed: now,
		Body: line, Truncated: cut > 0,
		Pos: f.cur.pos(off), End: f.cur.pos(end),
	})
}

// finish hands over what stands behind the last newline of a file that will not
// grow any more, and remembers the file.
func (f *follower) finish() {
	f.passRest()
	f.past.add(f.cur, f.lines.off)
	f.older.add(f.cur.id.ino, f.cur.born)
}

// passRest hands over a line that lacks its newline and will not get it.
func (f *follower) passRest() {
	p, ok := f.lines.rest()
	if ok {
		f.passNULs(p.off-p.nuls, p.nuls)
		f.cur.identifyWhole()
		now := time.Now()
		if f.more || f.cfg.Filter == nil || f.cfg.Filter(p.text) >= 0 {
			f.hand(p.text, p.off, p.end, p.cut, now)
		} else if p.cut > 0 {
			f.lostLong(p.cut)
		}
		f.noteTime(p.text)
		f.advance(logtail.Progress{Lines: 1, Bytes: p.end - p.off + p.nuls}, p.end, now)
	} else {
		f.passNULs(f.lines.off-p.nuls, p.nuls)
	}
}

// passNULs counts NUL bytes that stood where a line should begin: a crash of the machine
// leaves them where text was lost. The hole that a file begins with is none of them: it is
// left by a truncation under a writer that does not append, and nothing ever stood there.
func (f *follower) passNULs(from, n int64) {
	if n == 0 || from == 0 && f.cur.beginsWithHole() {
		return
	}
	f.lost(logtail.LostBinary, n, "NUL bytes stood where a line should begin; a crash of the machine leaves them where text was lost")
}

func (f *follower) lostLong(cut int64) {
	f.lost(logtail.LostLineTooLong, cut, "a line is longer than 1 MiB; the rest of it was not looked at")
}

func (f *follower) lost(reason string, n int64, detail string) {
	f.out.Lost(logtail.Loss{Source: f.cfg.Name, Reason: reason, Count: 1, Bytes: n, Detail: detail})
}
