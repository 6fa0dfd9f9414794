package journal

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"pullcause/logtail"
)

// cursor is a place between two entries.
type cursor struct {
	sequence id128
	next     uint64 // number of the first entry behind the place
	// mark is an entry beside the place, by which it is found in other sequences too:
	// the one that has next as its number, else one before the place.
	mark mark
}

// mark is what tells an entry from others, as a cursor of journalctl does.
type mark struct {
	sequence  id128
	seqnum    uint64 // 0 = no entry, only a time
	boot      id128
	monotonic uint64 // µs since the boot
	realtime  uint64 // µs since 1970
	xor       uint64
}

func markOf(sequence id128, e *entry) mark {
	return mark{sequence, e.seqnum, e.boot, e.monotonic, e.realtime, e.xor}
}

// before is the place before an entry.
func before(sequence id128, e *entry) cursor {
	return cursor{sequence, e.seqnum, markOf(sequence, e)}
}

// behind is the place behind an entry.
func behind(sequence id128, e *entry) cursor {
	return cursor{sequence, e.seqnum + 1, markOf(sequence, e)}
}

// isBeforeMark reports whether the place is before the mark.
func (c *cursor) isBeforeMark() bool {
	return c.mark.seqnum == c.next && c.mark.sequence == c.sequence
}

// String is the entry's cursor as journalctl prints and takes it (systemd v257,
// sd_journal_get_cursor).
func (m mark) String() string {
	return fmt.Sprintf("s=%s;i=%x;b=%s;m=%x;t=%x;x=%x", m.sequence, m.seqnum, m.boot, m.monotonic, m.realtime, m.xor)
}

// parseMark reads what String wrote.
func parseMark(s string) (mark, error) {
	var c mark
	numbers := map[string]*uint64{"i": &c.seqnum, "m": &c.monotonic, "t": &c.realtime, "x": &c.xor}
	ids := map[string]*id128{"s": &c.sequence, "b": &c.boot}
	for part := range strings.SplitSeq(s, ";") {
		key, value, _ := strings.Cut(part, "=")
		if number := numbers[key]; number != nil {
			n, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return mark{}, fmt.Errorf("cursor %.200q: %s is %.40q, want a hexadecimal number", s, key, value)
			}
			*number = n
			continue
		}
		id, err := parseID(value)
		if err != nil || ids[key] == nil {
			return mark{}, fmt.Errorf("cursor %.200q: got the part %.60q, want s=, i=, b=, m=, t= and x=", s, part)
		}
		*ids[key] = id
	}
	return c, nil
}

func parseID(s string) (id128, error) {
	var id id128
	if len(s) != hex.EncodedLen(len(id)) {
		return id, fmt.Errorf("got %.60q, want 32 hexadecimal digits", s)
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err
}

// isAfter reports whether the mark was written after an entry of any file. It is
// approximate where the boot is another one.
func (m *mark) isAfter(e *entry) bool {
	if e.boot == m.boot {
		return e.monotonic < m.monotonic
	}
	return e.realtime < m.realtime
}

// sameMoment reports whether an entry was written at the moment of the mark.
// journald stamps all that it read at once alike.
func (m *mark) sameMoment(e *entry) bool {
	return e.boot == m.boot && e.monotonic == m.monotonic && e.realtime == m.realtime
}

// newCursor reads a stored position.
func newCursor(p logtail.Position) (cursor, error) {
	sequence, err := parseID(p.Stream)
	if err != nil {
		return cursor{}, fmt.Errorf("stream: %w", err)
	}
	if p.Offset < 0 {
		return cursor{}, fmt.Errorf("got offset %d, want 0 or more", p.Offset)
	}
	m, err := parseMark(p.Hint)
	return cursor{sequence, uint64(p.Offset), m}, err
}

// position is the form in which a place is stored.
func (c cursor) position(source string, generation uint64) logtail.Position {
	return logtail.Position{
		Source: source, Stream: c.sequence.String(), Offset: bounded(c.next),
		Hint: c.mark.String(), Generation: generation,
	}
}
