package agent

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
	"pullcause/logtail"
)

// dayFiles are real files without the waits for the disk, which a day of a test would
// consist of.
type dayFiles struct{}

type dayFile struct{ *os.File }

func (dayFile) Sync() error { return nil }

func (dayFiles) MakeDir(dir string) error                  { return os.MkdirAll(dir, 0o700) }
func (dayFiles) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (dayFiles) Remove(path string) error                  { return os.Remove(path) }
func (dayFiles) SyncDir(string) error                      { return nil }
func (dayFiles) Open(path string) (spool.File, error)      { return openDay(path, os.O_RDONLY) }
func (dayFiles) Create(path string) (spool.File, error) {
	return openDay(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func openDay(path string, flags int) (spool.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return dayFile{f}, nil
}

// daySink is a receiver that is away until it is not.
type daySink struct {
	well  atomic.Bool
	first string
	last  string
	n     int
}

func (s *daySink) Export(_ context.Context, batch []export.Record) export.Verdict {
	if !s.well.Load() {
		return export.Verdict{Outcome: export.Retry}
	}
	for _, r := range batch {
		if s.n == 0 {
			s.first = r.UID
		}
		s.n, s.last = s.n+1, r.UID
	}
	return export.Verdict{Outcome: export.Acknowledged}
}

// A day without a receiver, ten records a second: the disk holds the newest, up to its
// bound, the oldest go and are counted, and memory holds next to nothing.
func TestADayWithoutReceiver(t *testing.T) {
	if testing.Short() {
		t.Skip("writes gigabytes; run without -short")
	}
	const (
		perSecond = 10
		total     = 24 * 3600 * perSecond
		limit     = 16 << 20
	)
	dir := filepath.Join(t.TempDir(), "spool")
	synctest.Test(t, func(t *testing.T) {
		var lost losses
		store, err := spool.Open(spool.Config{
			Dir: dir, MaxBytes: limit, Files: dayFiles{},
			Lost: func(l spool.Loss) { lost.add(logtail.Loss{Reason: l.Reason, Count: l.Records, Bytes: l.Bytes}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		sink := &daySink{}
		e := export.New(sink, export.Config{Store: store}).Start()
		before := heap()
		most, start := int64(0), time.Now()
		for n := range total {
			r := export.Record{Version: 1, UID: fmt.Sprintf("%08d", n), Name: export.EventFailed, Time: time.Now(), Body: "cannot pull registry.example.com/team/app:v1: 403 Forbidden"}
			e.Enqueue(r, nil)
			time.Sleep(time.Second / perSecond)
			if n%10_000 == 0 {
				most = max(most, store.Status().Bytes)
			}
		}
		away := time.Since(start)
		grown := int64(heap()) - int64(before)
		st := store.Status()
		if most > limit || st.Bytes > limit || st.Bytes < limit/2 || grown > 8<<20 {
			t.Errorf("after a day: at most %d bytes, %d now, heap grown by %d", most, st.Bytes, grown)
		}
		if files := sizeOf(t, dir); files > limit {
			t.Errorf("the files take %d bytes, want at most %d", files, limit)
		}
		sink.well.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		told := lost.due(time.Now(), false)
		if len(told) != 1 || told[0].Reason != spool.ReasonFull || told[0].Count != int64(total-sink.n) {
			t.Errorf("told %+v, want %d records of %s", told, total-sink.n, spool.ReasonFull)
		}
		if want := fmt.Sprintf("%08d", total-sink.n); sink.first != want || sink.last != fmt.Sprintf("%08d", total-1) {
			t.Errorf("got records from %s to %s, want the newest, from %s on", sink.first, sink.last, want)
		}
		t.Logf("away for %s: %d records, %d delivered, %d told as lost, at most %d bytes on disk, heap grown by %d KiB",
			away, total, sink.n, total-sink.n, most, grown>>10)
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if st := store.Status(); st.Records != 0 || st.Segments != 0 {
			t.Errorf("left: %+v", st)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}
