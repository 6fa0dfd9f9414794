package torture

import (
	"context"
	"log/slog"
	"testing"

	"pullcause/logtail"
	"pullcause/logtail/journal"
	"pullcause/logtail/journal/journaltest"
	"pullcause/logtail/logtailtest"
	"pullcause/logtail/watch"
)

// TestJournalLive follows two units in a journal that is rotated each second: all
// that journalctl reads in the end must have been handed over, in its order, once.
func TestJournalLive(t *testing.T) {
	eachSystemd(t, func(t *testing.T, j *journald) {
		var got logtailtest.Recorder
		source := j.source(t)
		stop := logtailtest.Start(t, source, &got)
		j.run(t, func(context.Context) error { return nil })
		j.last(t)
		want := j.read(t)
		defer func() { // also where some never come
			stop()
			j.report(t)
			compare(t, got.Records(), want)
			for _, l := range got.Losses() {
				t.Errorf("lost %+v", l)
			}
			if lines, _ := got.Passed(); lines != int64(len(want)) {
				t.Errorf("the progress adds up to %d lines, want %d", lines, len(want))
			}
		}()
		got.Until(t, "what journalctl reads", func() bool { return got.Len() >= len(want) })
	})
}

// source follows containerd and the kubelet.
func (j *journald) source(t *testing.T) *journal.Source {
	t.Helper()
	w := watch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := journal.New(journal.Config{
		Roots: journal.Roots(j.host), Machine: j.daemon.MachineID(), Lookback: -1, Watcher: w,
		Follow: []journal.Candidate{
			{Unit: j.containerd.name, Program: "containerd"}, {Unit: j.kubelet.name, Program: "kubelet"},
		},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// last rotates and writes one more line: what is handed over once too often comes
// before it.
func (j *journald) last(t *testing.T) {
	t.Helper()
	if err := j.daemon.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.rotations++
	w, err := j.daemon.Writer(t.Context(), "kubelet", j.kubelet.name)
	if err != nil {
		t.Fatal(err)
	}
	u := unit{out: w, keep: true}
	if err := u.write([]byte("the last line\n")); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	j.kubelet.lines = append(j.kubelet.lines, u.lines...)
}

// compare demands the same entries in the same order.
func compare(t *testing.T, got []logtail.Record, want []journaltest.Line) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.Pos.Hint != w.Cursor || string(g.Body) != string(w.Message) || g.Program+".service" != string(w.Values("_SYSTEMD_UNIT")[0]) {
			t.Errorf("entry %d:\n got %s of %s: %.200q\nwant %s: %.200q", i, g.Pos.Hint, g.Program, g.Body, w.Cursor, w.Message)
			break
		}
		if i > 0 && g.Pos.Before(got[i-1].End) {
			t.Errorf("entry %d begins at %+v, the one before it ends at %+v", i, g.Pos, got[i-1].End)
			break
		}
	}
	times := make(map[string]int)
	for _, g := range got {
		times[g.Pos.Hint]++
	}
	missing, twice, known := 0, 0, 0
	for _, w := range want {
		n := times[w.Cursor]
		known += n
		switch {
		case n == 0:
			missing++
			if missing <= 5 {
				t.Errorf("%s is missing: %.200q", w.Cursor, w.Message)
			}
		case n > 1:
			twice++
		}
	}
	t.Logf("journalctl reads %d entries; %d handed over: %d missing, %d more than once, %d that it does not know",
		len(want), len(got), missing, twice, len(got)-known)
	if len(got) != len(want) || missing+twice > 0 {
		t.Fail()
	}
}
