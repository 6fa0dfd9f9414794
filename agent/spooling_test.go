package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// taker is a receiver that takes everything, the first batch after a while.
type taker struct {
	first time.Duration

	mu  sync.Mutex
	got []export.Record
}

func (s *taker) Export(_ context.Context, batch []export.Record) export.Verdict {
	if len(s.records()) == 0 {
		time.Sleep(s.first)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, batch...)
	return export.Verdict{Outcome: export.Acknowledged}
}

func (s *taker) records() []export.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// The state folder is unusable at the start, and an earlier run has left records there.
// When it is well again, a batch that the receiver has is stored behind them.
func TestSpoolOpenedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		left, state := filepath.Join(dir, "left"), filepath.Join(dir, "state")
		earlier := &spooler{cfg: spool.Config{Dir: filepath.Join(left, "spool")}}
		err := earlier.Append([]export.Record{{Version: 1, UID: "old-1"}, {Version: 1, UID: "old-2"}}, 0)
		if err := errors.Join(err, earlier.close()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(state, nil, 0o600); err != nil { // no folder
			t.Fatal(err)
		}
		s := &spooler{cfg: spool.Config{Dir: filepath.Join(state, "spool")}}
		s.start()
		sink := &taker{first: 8 * time.Second}
		e := export.New(sink, export.Config{Store: s}).Start()
		e.Enqueue(export.Record{Version: 1, UID: "new-1"}, nil)
		time.Sleep(time.Second)
		if st := s.status(); st.Err == "" {
			t.Errorf("it is open: %+v", st)
		}
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(left, state); err != nil {
			t.Fatal(err)
		}
		e.Enqueue(export.Record{Version: 1, UID: "new-2"}, nil)
		time.Sleep(time.Minute)
		var got []string
		for _, r := range sink.records() {
			got = append(got, r.UID)
		}
		if diff := cmp.Diff([]string{"new-1", "old-1", "old-2", "new-2"}, got); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if st := s.status(); st.Records != 0 {
			t.Errorf("%d records wait", st.Records)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

// A disk that hangs does not keep the process from ending.
func TestStopWhereTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		err := stopSoon(ctx, func() error {
			<-disk
			return nil
		})
		if took := time.Since(begin); took != time.Hour+stopTime || err == nil {
			t.Errorf("got %v after %s, want an error after %s", err, took, time.Hour+stopTime)
		}
		close(disk)
	})
}
