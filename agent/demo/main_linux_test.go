package demo

import (
	"testing"

	"go.uber.org/goleak"

	"pullcause/logtail/journal/journaltest"
)

func TestMain(m *testing.M) {
	journaltest.Child()
	goleak.VerifyTestMain(m)
}
