package file

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pullcause/logtail"
)

// anchors is a filter like the agent's: a few substrings with a rare first byte.
func anchors(block []byte) int {
	first := -1
	for _, a := range [][]byte{[]byte("PullImage"), []byte("ErrImagePull"), []byte("Failed to pull image")} {
		if i := bytes.Index(block, a); i >= 0 {
			first, block = i, block[:i]
		}
	}
	return first
}

// discard takes everything and keeps nothing.
type discard struct {
	lines, bytes, records int64
}

func (d *discard) Handle(logtail.Record) bool  { d.records++; return false }
func (d *discard) Progress(p logtail.Progress) { d.lines += p.Lines; d.bytes += p.Bytes }
func (d *discard) Lost(logtail.Loss)           {}

// noise writes a log of about size bytes, one in so many lines being a hit.
func noise(b *testing.B, size, oneIn int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "x.log")
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		msg := "RemoveContainer for"
		if oneIn > 0 && i%oneIn == 0 {
			msg = "PullImage"
		}
		fmt.Fprintf(&text, `time="2026-01-02T15:04:05.%09dZ" level=info msg="%s \"%064x\" returns successfully" runtime=io.containerd.runc.v2 namespace=k8s.io id=%048x`+"\n", i, msg, i*7919, i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

const benchSize = 64 << 20

func benchRead(b *testing.B, oneIn int, filter logtail.Filter) {
	path := noise(b, benchSize, oneIn)
	src, err := New(Config{Path: path, Lookback: -1, Filter: filter})
	if err != nil {
		b.Fatal(err)
	}
	var d discard
	f := newFollower(src, &d)
	defer f.stop()
	f.turn(b.Context(), false) // the buffer is made, the file is in the page cache
	b.ReportAllocs()
	b.SetBytes(d.bytes)
	for b.Loop() {
		if _, err := f.cur.file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		f.lines.reset(0)
		for f.lines.end() < f.seen.size {
			f.drain(b.Context())
		}
	}
	b.ReportMetric(float64(d.lines)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

func BenchmarkReadNoise(b *testing.B)       { benchRead(b, 0, anchors) }
func BenchmarkReadHits1in1000(b *testing.B) { benchRead(b, 1000, anchors) }
func BenchmarkReadHits1in10(b *testing.B)   { benchRead(b, 10, anchors) }
func BenchmarkReadAllLines(b *testing.B)    { benchRead(b, 0, nil) }
func BenchmarkReadNoFilterCost(b *testing.B) {
	benchRead(b, 0, func([]byte) int { return -1 })
}

// BenchmarkPlainRead is the floor: the same file read into a buffer.
func BenchmarkPlainRead(b *testing.B) {
	f, err := os.Open(noise(b, benchSize, 0))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, blockSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		for {
			if n, _ := f.Read(buf); n == 0 {
				break
			}
		}
	}
}

func BenchmarkIdleTurn(b *testing.B) {
	path := noise(b, 1<<20, 0)
	src, err := New(Config{Path: path, Lookback: -1, Filter: anchors})
	if err != nil {
		b.Fatal(err)
	}
	f := newFollower(src, new(discard))
	defer f.stop()
	f.turn(b.Context(), false)
	f.settled = true
	b.ReportAllocs()
	for b.Loop() {
		f.turn(b.Context(), false)
	}
}

// BenchmarkLiveTurn is a turn that finds twenty new lines: one of a hundred a second
// at 2,000 lines a second.
func BenchmarkLiveTurn(b *testing.B) {
	path := noise(b, 1<<20, 0)
	src, err := New(Config{Path: path, Lookback: -1, Filter: anchors})
	if err != nil {
		b.Fatal(err)
	}
	f := newFollower(src, new(discard))
	defer f.stop()
	f.turn(b.Context(), false)
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	lines := []byte(strings.Repeat(strings.Repeat("x", 245)+"\n", 20))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if _, err := w.Write(lines); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		f.turn(b.Context(), false)
	}
}
