package file

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

// A file that has nothing to read costs no buffer, be it one of thousands in a folder.
func TestManyQuietFiles(t *testing.T) {
	const files, each = 200, 16 << 10
	dir := t.TempDir()
	w := newWatcher(t)
	text := strings.Repeat(line(1)+"\n", 2000)
	for i := range files {
		logtailtest.Append(t, filepath.Join(dir, fmt.Sprintf("x%04d.log", i)), text)
	}
	before := heap()
	recorders := make([]logtailtest.Recorder, files)
	for i := range files {
		src, err := New(Config{
			Path: filepath.Join(dir, fmt.Sprintf("x%04d.log", i)), Poll: 50 * time.Millisecond, Lookback: -1,
			Filter: func([]byte) int { return -1 }, Watcher: w,
		})
		if err != nil {
			t.Fatal(err)
		}
		logtailtest.Start(t, src, &recorders[i])
	}
	for i := range files {
		recorders[i].Until(t, "all files are read", func() bool {
			p := recorders[i].Position()
			return p != nil && p.Offset == int64(len(text))
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	var got uint64
	for {
		if got = (heap() - before) / files; got <= each || time.Now().After(deadline) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if got > each {
		t.Errorf("a quiet file takes %d bytes of heap, want at most %d", got, each)
	}
	runtime.KeepAlive(recorders)
}

// holdingHandler waits with its first line, as where the receiver is slow.
type holdingHandler struct {
	discard
	waiting chan<- struct{}
	release <-chan struct{}
}

func (h *holdingHandler) Handle(logtail.Record) bool {
	h.waiting <- struct{}{}
	<-h.release
	return false
}

// Files that all have a backlog while the receiver is slow cost a block each.
func TestManyWaitingFiles(t *testing.T) {
	const files, block, each = 200, 8 << 10, 24 << 10
	dir := t.TempDir()
	text := strings.Repeat(line(1)+"\n", 10000)
	waiting, release := make(chan struct{}, files*10000), make(chan struct{})
	before := heap()
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("x%04d.log", i))
		logtailtest.Append(t, path, text)
		src, err := New(Config{Path: path, Lookback: -1, Block: block})
		if err != nil {
			t.Fatal(err)
		}
		stop := logtailtest.Start(t, src, &holdingHandler{waiting: waiting, release: release})
		t.Cleanup(stop)
	}
	for range files {
		<-waiting
	}
	if got := (heap() - before) / files; got > each {
		t.Errorf("a file that waits takes %d bytes of heap, want at most %d", got, each)
	}
	close(release)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
