package file

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// cutLine is a line as a reader of whole files sees it.
type cutLine struct {
	text     string
	off, end int64
	cut      int64
}

// naive cuts a whole text: the oracle.
func naive(data []byte, limit int) (all []cutLine, nuls int64) {
	for off := 0; off < len(data); {
		if data[off] == 0 {
			off++
			nuls++
			continue
		}
		end := len(data)
		next := end
		if i := bytes.IndexByte(data[off:], '\n'); i >= 0 {
			end = off + i
			next = end + 1
		}
		l := cutLine{text: string(data[off:end]), off: int64(off), end: int64(next)}
		if len(l.text) > limit {
			l.cut = int64(len(l.text) - limit)
			l.text = l.text[:limit]
		}
		all = append(all, l)
		off = next
	}
	return all, nuls
}

// cutAll feeds data to a cutter in chunks and splits its pieces as pass does, down
// to the lines.
func cutAll(t *testing.T, data []byte, block, limit, chunk int) (all []cutLine, nuls int64) {
	t.Helper()
	c := &cutter{block: block, max: limit}
	split := func(p piece) {
		nuls += p.nuls
		if p.cut > 0 {
			all = append(all, cutLine{string(p.text), p.off, p.end, p.cut})
			return
		}
		off := p.off
		for l := range bytes.Lines(p.text) {
			n := leadingNULs(l)
			nuls += int64(n)
			got, _ := naive(l[n:], limit)
			for _, g := range got {
				all = append(all, cutLine{g.text, off + int64(n), off + int64(len(l)), g.cut})
			}
			off += int64(len(l))
		}
		if off != p.end {
			t.Fatalf("piece %d to %d: got %d bytes of text", p.off, p.end, len(p.text))
		}
	}
	for rest := data; len(rest) > 0; {
		room := c.room(int64(len(rest)) - 1)
		if len(room) == 0 || cap(c.buf) > block+limit {
			t.Fatalf("got %d bytes of room and a buffer of %d, want some room and a buffer of at most %d", len(room), cap(c.buf), block+limit)
		}
		if want := int64(len(data) - len(rest)); c.end() != want {
			t.Fatalf("end: got %d, want %d", c.end(), want)
		}
		n := copy(room, rest[:min(len(rest), chunk)])
		rest = rest[n:]
		c.add(n)
		for p, ok := c.next(); ok; p, ok = c.next() {
			split(p)
		}
		if len(rest)%3 == 0 {
			c.idle()
		}
	}
	p, ok := c.rest()
	if ok {
		split(p)
	} else {
		nuls += p.nuls
	}
	if c.off != int64(len(data)) {
		t.Fatalf("offset after the rest: got %d, want %d", c.off, len(data))
	}
	return all, nuls
}

func checkCut(t *testing.T, data []byte, block, limit, chunk int) {
	t.Helper()
	got, gotNULs := cutAll(t, data, block, limit, chunk)
	want, wantNULs := naive(data, limit)
	if !slices.Equal(got, want) || gotNULs != wantNULs {
		t.Errorf("cut of %q in chunks of %d, block %d, limit %d:\n got %+v, %d NULs\nwant %+v, %d NULs",
			data, chunk, block, limit, got, gotNULs, want, wantNULs)
	}
}

func TestCutter(t *testing.T) {
	for _, s := range []string{
		"", "a", "a\n", "\n", "\n\n\n", "a\nb\nc\n", "a\nb\nc", "\r\n", "a\r\nb",
		"\x00\x00a\n", "a\n\x00\x00\x00b\nc\n", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a\x00b\n", "a\n\x00",
		"12345678\n", "123456789\n", "12345678", "123456789", "12345678\n\n123456789\n\n",
		strings.Repeat("x", 100) + "\n" + strings.Repeat("y", 100), strings.Repeat("long line\n", 30),
		strings.Repeat("\x00", 100) + strings.Repeat("z", 20) + "\nend\n",
		"\xff\xfe\x80\n\xc0\n",
	} {
		for _, block := range []int{1, 2, 3, 8, 64} {
			for _, chunk := range []int{1, 2, 5, 7, 100} {
				checkCut(t, []byte(s), block, 8, chunk)
			}
		}
	}
}

func FuzzCutter(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), uint8(4), uint8(8), uint8(3))
	f.Add([]byte("\x00\x00\x00a\nb\x00c\n\x00\n"), uint8(1), uint8(2), uint8(1))
	f.Add([]byte(`time="2026-01-02T15:04:05Z" level=info msg="PullImage"`+"\nI0102 15:04:05.000000    1 kubelet.go:1] x\n"), uint8(16), uint8(32), uint8(10))
	f.Fuzz(func(t *testing.T, data []byte, block, limit, chunk uint8) {
		checkCut(t, data, int(block)+1, int(limit)+1, int(chunk)+1)
	})
}
