package file

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"

	"pullcause/logtail"
	"pullcause/logtail/hostroot"
)

// headLen is how many bytes at the start of a file tell it from others.
const headLen = 256

// fileID is a file while it exists. After a restart it may name another one:
// file systems use inode numbers again.
type fileID struct {
	dev, ino uint64
}

// info is what a stat tells.
type info struct {
	id     fileID
	size   int64
	mtime  time.Time
	links  uint64
	mode   fs.FileMode
	packed bool // an open file was unpacked from a compressed one
}

// isRemoved reports whether an open file has no name any more.
func (i info) isRemoved() bool { return i.links == 0 }

func newInfo(fi fs.FileInfo) info {
	i := info{size: fi.Size(), mtime: fi.ModTime(), links: 1, mode: fi.Mode()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		i.id = fileID{dev: uint64(st.Dev), ino: st.Ino}
		i.links = uint64(st.Nlink)
	}
	return i
}

// statPath follows symlinks.
func statPath(root hostroot.Root, path string) (info, error) {
	fi, err := root.Stat(path)
	if err != nil {
		return info{}, err
	}
	return newInfo(fi), nil
}

// fingerprint identifies a file by its first line, so by its content alone: the
// file keeps it when it is renamed and hands it on when it is copied. The first
// line is whole before anything is handed over, so the fingerprint is the same
// for all records of a file, before and after a restart. Log lines begin with a
// time, which makes first lines differ.
type fingerprint struct {
	size int // bytes that it covers; 0 = the first line is not there yet
	sum  uint64
}

// newFingerprint takes the first bytes of a file, [headLen] if there are as many.
func newFingerprint(head []byte) fingerprint {
	head = head[:min(len(head), headLen)]
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i+1]
	} else if len(head) < headLen {
		return fingerprint{}
	}
	return fingerprint{size: len(head), sum: xxhash.Sum64(head)}
}

// wholeFingerprint covers all of head: for a file that ends within its first line.
func wholeFingerprint(head []byte) fingerprint {
	return fingerprint{size: len(head), sum: xxhash.Sum64(head)}
}

// fits reports whether a file that begins with head may be the one.
func (f fingerprint) fits(head []byte) bool {
	return len(head) >= f.size && (f.size == 0 || xxhash.Sum64(head[:f.size]) == f.sum)
}

// String is the form of [logtail.Position].Stream: "118-5d41402abc4b2a76".
func (f fingerprint) String() string {
	return fmt.Sprintf("%d-%016x", f.size, f.sum)
}

func parseFingerprint(s string) (fingerprint, error) {
	size, sum, _ := strings.Cut(s, "-")
	n, err := strconv.ParseUint(size, 10, 16)
	if err != nil || n > headLen {
		return fingerprint{}, fmt.Errorf("stream %.80q: got length %.20q, want 0 to %d", s, size, headLen)
	}
	h, err := strconv.ParseUint(sum, 16, 64)
	if err != nil || len(sum) != 16 {
		return fingerprint{}, fmt.Errorf("stream %.80q: got checksum %.20q, want 16 hexadecimal digits", s, sum)
	}
	return fingerprint{size: int(n), sum: h}, nil
}

// tailLen is how much is remembered at most of what was read last.
const tailLen = 256

// tail is what was read last of a file. Files may begin alike, as those of a kubelet
// that is started with deprecated flags and says so before it writes a time; they do
// not go on alike.
type tail struct {
	end  int64 // the place behind it
	size int   // 0 = nothing is known, which every file has
	sum  uint64
}

// newTail takes the last of what was read up to a place.
func newTail(read []byte, end int64) tail {
	read = read[max(len(read)-tailLen, 0):]
	return tail{end: end, size: len(read), sum: xxhash.Sum64(read)}
}

// hint is where a file was: enough to find it again before others that begin
// alike, and to tell which ones were made and written to after it.
type hint struct {
	id      fileID
	born    int64 // nanoseconds since 1970; 0 = the file system does not say
	written int64 // likewise, of the last write that was seen
	tail    tail
}

// hintNumbers is how many numbers a hint has.
const hintNumbers = 7

// String is the beginning of [logtail.Position].Hint; predecessors follow.
func (h hint) String() string {
	var b [hintNumbers * 17]byte
	s := b[:0]
	for _, n := range []uint64{
		h.id.dev, h.id.ino, uint64(h.born), uint64(h.written), uint64(h.tail.end), uint64(h.tail.size), h.tail.sum,
	} {
		s = append(strconv.AppendUint(s, n, 16), '-')
	}
	return string(s[:len(s)-1])
}

// parseHint never fails: without a hint the fingerprint decides alone. The first hints
// that were stored have four numbers, and no tail; later ones may have more than are
// known here.
func parseHint(s string) hint {
	var n [hintNumbers]uint64
	parts := strings.Split(s, "-")
	if len(parts) < 4 {
		return hint{}
	}
	for i, p := range parts[:min(len(parts), len(n))] {
		v, err := strconv.ParseUint(p, 16, 64)
		if err != nil {
			return hint{}
		}
		n[i] = v
	}
	h := hint{id: fileID{dev: n[0], ino: n[1]}, born: int64(n[2]), written: int64(n[3])}
	if n[5] <= tailLen && n[5] <= n[4] && n[4] <= math.MaxInt64 {
		h.tail = tail{end: int64(n[4]), size: int(n[5]), sum: n[6]}
	}
	return h
}

// place is a stored position, taken apart.
type place struct {
	fp     fingerprint
	hint   hint
	offset int64
}

func newPlace(p logtail.Position) (place, error) {
	fp, err := parseFingerprint(p.Stream)
	if err != nil {
		return place{}, err
	}
	if p.Offset < 0 {
		return place{}, fmt.Errorf("stream %s: got offset %d, want 0 or more", p.Stream, p.Offset)
	}
	return place{fp: fp, hint: parseHint(p.Hint), offset: p.Offset}, nil
}
