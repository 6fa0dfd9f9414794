package file

import (
	"os"
	"testing"

	"pullcause/logtail"
)

// A log with a hole of a terabyte, as after a crash of the machine or a truncation under a
// writer that does not append, is read on behind it, and at once.
func TestHoleIsSkipped(t *testing.T) {
	const hole = int64(1) << 40
	tests := map[string]struct {
		before string
		want   []string
	}{
		"at the beginning":      {"", lines(4, 2)},
		"between two lines":     {text(0, 2), append(lines(0, 2), lines(4, 2)...)},
		"in an unfinished line": {text(0, 1) + `time="2026`, append(append(lines(0, 1), `time="2026`), lines(4, 2)...)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(tt.before)
				sparse := func() {
					if err := os.Truncate(r.file, hole); err != nil {
						t.Skipf("no such large file can be made here: %v", err)
					}
					r.write(text(4, 2))
				}
				if name == "at the beginning" {
					sparse()
					r.start()
				} else {
					r.start()
					sparse()
				}
				r.turn(10)
				r.expect(tt.want...)
				lost := r.Loss(logtail.LostBinary).Bytes
				if name == "at the beginning" && lost > 0 || name != "at the beginning" && lost < hole-1<<20 {
					t.Errorf("got %d NUL bytes counted of %d", lost, hole)
				}
				at := r.Position()
				r.restart()
				r.write(text(6, 1))
				r.turn(10)
				r.expect(append(tt.want, lines(6, 1)...)...)
				if at.Offset < hole {
					t.Errorf("got position %d, want one behind the hole", at.Offset)
				}
			})
		})
	}
}
