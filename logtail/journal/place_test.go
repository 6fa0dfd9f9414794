package journal

import (
	"testing"

	"pullcause/logtail"
)

// journalctl --rotate --vacuum-files=1 leaves nothing but the file that journald has just
// begun, without an entry. Of the sequence that was read it is all the same.
func TestEmptyFileOfTheSequence(t *testing.T) {
	for name, c := range map[string]struct {
		sequence id128
		lost     int
	}{
		"that was read": {id128{1}, 0},
		"another":       {id128{2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var losses []logtail.Loss
			r := newReader(roots{}, nil, func(l logtail.Loss) { losses = append(losses, l) })
			r.origin = &cursor{sequence: id128{1}, next: 100}
			r.ends[r.origin.sequence] = end{next: 100}
			r.files = []*file{{head: header{sequence: c.sequence, tailSeqnum: 99}}}
			r.account()
			r.files[0].head.headSeqnum, r.files[0].head.tailSeqnum = 100, 100
			if r.torn() {
				t.Error("got numbers missing before the first entry, want none")
			}
			r.account()
			if len(losses) != c.lost {
				t.Errorf("got losses %+v, want %d", losses, c.lost)
			}
		})
	}
}
