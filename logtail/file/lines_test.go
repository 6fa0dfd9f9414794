package file

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pullcause/logtail"
	"pullcause/logtail/logtailtest"
)

func TestLongLines(t *testing.T) {
	const limit = logtail.MaxLine
	for name, c := range map[string]struct {
		size   int
		losses []string
	}{
		"a block":       {blockSize, nil},
		"the limit":     {limit, nil},
		"one more":      {limit + 1, []string{"line_too_long 1 1"}},
		"a buffer":      {limit + blockSize, []string{fmt.Sprint("line_too_long 1 ", blockSize)}},
		"a buffer less": {limit + blockSize - 1, []string{fmt.Sprint("line_too_long 1 ", blockSize-1)}},
		"5 MiB":         {5 << 20, []string{"line_too_long 1 4194304"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				long := strings.Repeat("x", c.size)
				r.start()
				r.write("before\n" + long[:c.size/2])
				r.turn(1)
				r.write(long[c.size/2:] + "\nafter\n")
				r.turn(1)
				want := []string{"before", long[:min(c.size, limit)], "after"}
				if got := r.Lines(); !slices.Equal(got, want) {
					t.Fatalf("got lines %q", short(got))
				}
				rec := r.Records()[1]
				if rec.Truncated != (c.size > limit) || rec.Pos.Offset != 7 || rec.End.Offset != int64(7+c.size+1) {
					t.Errorf("got truncated %t, from %d to %d", rec.Truncated, rec.Pos.Offset, rec.End.Offset)
				}
				r.expectLosses(c.losses...)
			})
		})
	}
}

// A line that never ends must not fill the memory, and must be told of when its
// file is rotated away.
func TestLongLineWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.write("before\n")
		for range 5 {
			r.write(strings.Repeat("x", 1<<20))
			r.turn(1)
		}
		r.expect("before")
		if at := r.Position(); at.Offset != 7 {
			t.Errorf("position: got %d, want 7, before the line", at.Offset)
		}
		logtailtest.RenameCreate(t, r.file)
		r.write(text(0, 1))
		r.turn(2)
		r.expect("before", strings.Repeat("x", 1<<20), line(0))
		r.expectLosses("line_too_long 1 4194304")
	})
}

func TestOnlyNewlines(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(strings.Repeat("\n", 1<<20))
		r.start(func(c *Config) { c.Filter = func([]byte) int { return -1 } })
		if n, b := r.Passed(); n != 1<<20 || b != 1<<20 || r.Len() != 0 {
			t.Errorf("got %d lines, %d bytes, %d records; want 1 Mi, 1 Mi and none", n, b, r.Len())
		}
	})
}

func TestBinaryGarbage(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		garbage := make([]byte, 3<<20)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(garbage)
		r.must(os.WriteFile(r.file, garbage, 0o600))
		r.start()
		r.write("\n" + text(0, 1))
		r.turn(1)
		var got int64
		for _, rec := range r.Records() {
			got += int64(len(rec.Body)) + 1
		}
		nuls := r.Loss(logtail.LostBinary).Bytes
		if want := int64(len(garbage) + 1 + len(text(0, 1))); got+nuls != want {
			t.Errorf("got %d bytes and lost %d, want %d in all", got, nuls, want)
		}
		if all := r.Lines(); all[len(all)-1] != line(0) {
			t.Errorf("the line behind: got %q", all[len(all)-1])
		}
	})
}

func TestNULsBeforeLines(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(line(0) + "\n\x00\x00\x00" + line(1) + "\n\x00\x00")
		r.start()
		r.write("\x00" + line(2) + "\n")
		r.turn(1)
		r.expect(lines(0, 3)...)
		r.expectLosses("binary 1 3", "binary 1 3")
		if at := r.Records()[1].Pos.Offset; at != int64(len(line(0))+4) {
			t.Errorf("position of the second line: got %d, want it behind the NULs", at)
		}
		r.write("\x00\x00")
		r.turn(1)
		logtailtest.RenameCreate(t, r.file)
		r.write(text(3, 1))
		r.turn(2)
		r.expect(lines(0, 4)...)
		r.expectLosses("binary 1 3", "binary 1 3", "binary 1 2")
	})
}

// Only hits are handed over, wherever in a block they are; what follows an
// unfinished one is, too, over the borders of blocks and files.
func TestFilterOverBlocks(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var b strings.Builder
		var want []string
		for i := range 20000 {
			if i%997 != 0 {
				b.WriteString(line(i) + "\n")
				continue
			}
			for _, l := range []string{"HIT " + line(i) + "<", "  " + line(i)} {
				b.WriteString(l + "\n")
				want = append(want, l)
			}
		}
		b.WriteString("HIT the last <\n")
		r.write(b.String())
		r.More = func(rec logtail.Record) bool { return bytes.HasSuffix(rec.Body, []byte("<")) }
		r.start(func(c *Config) {
			c.Filter = func(b []byte) int { return bytes.Index(b, []byte("HIT")) }
			c.Program = "containerd"
		})
		logtailtest.RenameCreate(t, r.file)
		r.write("  its second line\n" + text(0, 3))
		r.turn(2)
		r.expect(append(want, "HIT the last <", "  its second line")...)
		for _, rec := range r.Records() {
			if rec.Program != "containerd" || rec.Observed.IsZero() || rec.End.Offset-rec.Pos.Offset != int64(len(rec.Body))+1 {
				t.Fatalf("got record %+v", rec)
			}
		}
		if n, _ := r.Passed(); n != int64(20000+len(want)/2+1+4) {
			t.Errorf("got %d lines passed, want all", n)
		}
	})
}

// The memory that a long line took is given back.
func TestBufferShrinks(t *testing.T) {
	path := t.TempDir() + "/x.log"
	logtailtest.Append(t, path, strings.Repeat("x", 3<<20)+"\nshort\n")
	var r logtailtest.Recorder
	f := newFollower(newSource(t, Config{Path: path, Lookback: -1}), &r)
	defer f.stop()
	f.turn(t.Context(), false)
	if r.Len() != 2 || cap(f.lines.buf) > blockSize {
		t.Errorf("got %d lines and a buffer of %d bytes, want 2 and at most %d", r.Len(), cap(f.lines.buf), blockSize)
	}
	for range quietTurns + 1 {
		f.turn(t.Context(), false)
	}
	if cap(f.lines.buf) != 0 {
		t.Errorf("got a buffer of %d bytes in a quiet file, want none", cap(f.lines.buf))
	}
}
