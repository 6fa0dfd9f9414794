package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// slowAtFirst is a receiver that takes half a minute for its first batch.
type slowAtFirst struct {
	mu  sync.Mutex
	got []string
}

func (s *slowAtFirst) Export(_ context.Context, batch []export.Record) export.Verdict {
	if len(s.uids()) == 0 {
		time.Sleep(30 * time.Second)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range batch {
		s.got = append(s.got, r.UID)
	}
	return export.Verdict{Outcome: export.Acknowledged}
}

func (s *slowAtFirst) uids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// A batch is stored while the receiver has it. Whatever becomes of it on disk meanwhile,
// its acknowledgement is that of no other records.
func TestStoredInFlight(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after int // records that are stored behind the batch
		spoil func(t *testing.T, file string)
		loses bool
	}{
		{"all is well", 800, func(*testing.T, string) {}, false},
		{"the disk does not give it back", 0, truncate, false},
		{"the disk gives nothing back", 10, truncate, true},
		{"the bound takes it", 1600, func(*testing.T, string) {}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storeInFlight(t, tt.after, tt.spoil, tt.loses) })
		})
	}
}

func truncate(t *testing.T, file string) {
	t.Helper()
	if err := os.Truncate(file, 0); err != nil {
		t.Error(err)
	}
}

func storeInFlight(t *testing.T, after int, spoil func(*testing.T, string), loses bool) {
	t.Helper()
	dir, lost := t.TempDir(), 0
	store, err := spool.Open(spool.Config{Dir: dir, MaxBytes: 1 << 20, Lost: func(l spool.Loss) { lost += int(l.Records) }})
	if err != nil {
		t.Fatal(err)
	}
	sink := &slowAtFirst{}
	e := export.New(sink, export.Config{Store: store}).Start()
	body := strings.Repeat("x", 1024)
	put := func(uid string) { e.Enqueue(export.Record{Version: 1, UID: uid, Body: body}, nil) }
	put("first")
	time.Sleep(3 * time.Second) // it is stored
	var want []string
	for i := range after {
		put(fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // these are as well
	spoil(t, filepath.Join(dir, "00000000000000000001.jsonl"))
	time.Sleep(time.Minute)
	put("last") // the receiver is well: it is not held up
	time.Sleep(time.Second)
	got := sink.uids()
	gone := after + 2 - len(got)
	if want = append(append([]string{"first"}, want[max(gone, 0):]...), "last"); !slices.Equal(got, want) {
		t.Errorf("got %d records, want the first, the newest and the last: %.60s…", len(got), fmt.Sprint(got))
	}
	if gone > 0 != loses || lost != gone {
		t.Errorf("%d records did not arrive, %d were told as lost", gone, lost)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if st := store.Status(); st.Records != 0 {
		t.Errorf("%d records wait", st.Records)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
