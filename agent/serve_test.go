package agent

import (
	"testing"
	"time"

	"pullcause/logtail"
)

// A source that learns of new text at once rests for several polls while there is none.
func TestQuietSourceIsNotStuck(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond: sourceTurn + 50*time.Millisecond,
		time.Second:           sourceTurn + 5*time.Second,
		10 * time.Second:      sourceTurn + 50*time.Second,
		time.Hour:             sourceTurn + 5*time.Hour,
	} {
		if got := sourceLoop(logtail.Status{}, poll).MaxAge; got != want {
			t.Errorf("with a poll of %s a turn may take %s, want %s", poll, got, want)
		}
	}
}
