package agent

import (
	"strings"
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

// What was not looked for is not said to be missing.
func TestWhyNothingIsRead(t *testing.T) {
	for looked, want := range map[bool]string{
		true:  "neither a systemd journal nor one of the known files is there",
		false: "sources.auto is false, so none was looked for",
	} {
		if ok, why := readable(nil, looked); ok || !strings.Contains(why, want) {
			t.Errorf("sources.auto %t: got %t %q, want %q", looked, ok, why, want)
		}
	}
}
