package alerts

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// alertCase is some series and which alerts of one rule fire on them.
type alertCase struct {
	alert, name string
	at          time.Duration
	input       string // a series with its values a line, as promtool writes them: one a minute
	want        []string
	step        time.Duration // instead of a minute
}

var cases = slices.Concat(kubernetesCases, causeCases, agentCases)

// series are the lines of a case, each cut into the series and its values.
func (c alertCase) series() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(strings.TrimSpace(c.input)) {
			series, values, _ := strings.Cut(strings.TrimSpace(line), "} ")
			if !yield(series+"}", values) {
				return
			}
		}
	}
}

func (c alertCase) every() time.Duration {
	if c.step == 0 {
		return time.Minute
	}
	return c.step
}

// load is the case as a command of promqltest.
func (c alertCase) load() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load %s\n", c.every())
	for series, values := range c.series() {
		fmt.Fprintf(&b, "  %s %s\n", series, values)
	}
	return b.String()
}
