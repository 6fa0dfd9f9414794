package file

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

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
	got := uint64(0)
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

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
