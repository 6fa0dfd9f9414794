package file

import (
	"testing"
	"time"
)

// The status tells when the last line was written, not only when it was read: a log that
// ended an hour ago is told from one that is being written to.
func TestStatusTellsWhenTheLastLineWasWritten(t *testing.T) {
	tests := map[string]struct {
		text string
		want time.Time
	}{
		"last line":                   {"time=\"2026-01-02T15:04:05Z\" first\ntime=\"2026-01-02T15:04:06Z\" second\n", time.Date(2026, 1, 2, 15, 4, 6, 0, time.UTC)},
		"a record of several lines":   {"time=\"2026-01-02T15:04:05Z\" err=<\n\tone\n\ttwo\n >\n", time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)},
		"a line that is not complete": {"time=\"2026-01-02T15:04:05Z\" first\ntime=\"2026-01-02T15:04:06Z\" sec", time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)},
		"no line has a time":          {"Flag --config has been deprecated\n", time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(tt.text)
				r.start(func(c *Config) { c.LineTime = lineTime })
				st := r.src.Status()
				if !st.LastLine.Equal(tt.want) {
					t.Errorf("got the last line's time %s, want %s", st.LastLine, tt.want)
				}
				if !st.LastRead.Equal(time.Now()) {
					t.Errorf("got the last read at %s, want %s", st.LastRead, time.Now())
				}
			})
		})
	}
}
