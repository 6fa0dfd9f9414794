package logtailtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a log of the fake source.
type fakeLog struct {
	lines logtailtest.Lines
}

func (l *fakeLog) Write(_ testing.TB, lines ...string) { l.lines.Write(lines...) }
func (l *fakeLog) Rotate(testing.TB)                   { l.lines.Rotate() }

func (l *fakeLog) Source(_ testing.TB, start *logtail.Position, filter logtail.Filter) logtail.Source {
	s := logtailtest.NewSource("fake", &l.lines)
	s.Start, s.Filter = start, filter
	return s
}

func TestFakeSource(t *testing.T) {
	logtailtest.Suite(t, func(*testing.T) logtailtest.Log { return new(fakeLog) })
}
