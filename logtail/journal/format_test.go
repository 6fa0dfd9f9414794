package journal

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pullcause/logtail"
)

// TestJenkins knows the values that lookup3.c itself gives (driver5). It fails where
// the two words are the wrong way round.
func TestJenkins(t *testing.T) {
	for text, want := range map[string]uint64{
		"":                               0xdeadbeefdeadbeef,
		"Four score and seven years ago": 0x17770551ce7226e6,
	} {
		if got := jenkins([]byte(text)); got != want {
			t.Errorf("jenkins(%q) = %#x, want %#x", text, got, want)
		}
	}
}

// TestMark reads what journalctl prints as a cursor and takes as one.
func TestMark(t *testing.T) {
	const text = "s=2443b45d744c4fff86aa9d92fb4b2ff6;i=4;b=5653604a8c07d016f34ac1bc979921b7;m=13d143;t=82a4193a2bac1;x=5a70ce8990c0c913"
	got, err := parseMark(text)
	if err != nil {
		t.Fatal(err)
	}
	want := mark{
		sequence: id128{0x24, 0x43, 0xb4, 0x5d, 0x74, 0x4c, 0x4f, 0xff, 0x86, 0xaa, 0x9d, 0x92, 0xfb, 0x4b, 0x2f, 0xf6}, seqnum: 4,
		boot:      id128{0x56, 0x53, 0x60, 0x4a, 0x8c, 0x07, 0xd0, 0x16, 0xf3, 0x4a, 0xc1, 0xbc, 0x97, 0x99, 0x21, 0xb7},
		monotonic: 0x13d143, realtime: 0x82a4193a2bac1, xor: 0x5a70ce8990c0c913,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.String() != text {
		t.Errorf("got %s, want %s", got, text)
	}
}

// TestMarkErrors takes no position that was stored by something else: reading would
// begin anywhere.
func TestMarkErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "want s=",
		"i=":                                 "want a hexadecimal number",
		"i=1g":                               "want a hexadecimal number",
		"i=10000000000000000":                "want a hexadecimal number",
		"i=-1":                               "want a hexadecimal number",
		"i=1;q=2":                            "want s=",
		"s=2443":                             "want s=",
		"s=2443b45d744c4fff86aa9d92fb4b2ffg": "want s=",
		"q=2443b45d744c4fff86aa9d92fb4b2ff6": "want s=",
	} {
		if got, err := parseMark(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseMark(%q) = %v, error %v, want one with %q", text, got, err, want)
		}
	}
}

// TestPosition stores a place and takes it back.
func TestPosition(t *testing.T) {
	want := behind(id128{1}, &entry{seqnum: 7, realtime: 1, monotonic: 2, boot: id128{3}, xor: 1 << 63})
	p := want.position("journal", 5)
	if p.Source != "journal" || p.Generation != 5 || p.Offset != 8 {
		t.Errorf("got %+v, want source journal, generation 5, offset 8", p)
	}
	if got, err := newCursor(p); err != nil || got != want {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
	for _, wrong := range []logtail.Position{
		{Stream: "inode-5", Offset: 1, Hint: p.Hint}, {Stream: p.Stream, Offset: -1, Hint: p.Hint}, {Stream: p.Stream, Offset: 1, Hint: "1-2-3"},
	} {
		if got, err := newCursor(wrong); err == nil {
			t.Errorf("newCursor(%+v) = %+v, want an error", wrong, got)
		}
	}
}

// TestKindOf knows all names that journald gives its files: one that is taken for
// active is waited for, one that is taken for a user's is not read.
func TestKindOf(t *testing.T) {
	const no = kind(255)
	for name, want := range map[string]kind{
		"system.journal": active,
		"system@2443b45d744c4fff86aa9d92fb4b2ff6-0000000000000001-00066114d69ddb75.journal": closed,
		"system@00066114d69ddb75-2443b45d744c4fff.journal~":                                 closed,
		"user-1000.journal": others,
		"user-1000@2443b45d744c4fff86aa9d92fb4b2ff6-0000000000000001-00066114d69ddb75.journal": others,
		"user-1000@00066114d69ddb75-2443b45d744c4fff.journal~":                                 others,
		"remote-10.0.0.1.journal": others,
		"kubelet@x.journal":       others, // of a journal namespace
		"fss":                     no,
		"system.journal.gz":       no,
		".#system.journal4711":    no,
		"":                        no,
	} {
		got, ok := kindOf(name)
		if !ok {
			got = no
		}
		if got != want {
			t.Errorf("kindOf(%q) = %d, want %d", name, got, want)
		}
	}
}

// TestUnsupported finds a file of a systemd to come beside one of today's: the first
// one is counted, with what to do about it, the other is read.
func TestUnsupported(t *testing.T) {
	dir := t.TempDir()
	good, bad := readFixture(t, fixtures[0]), readFixture(t, fixtures[1])
	const incompatible, compactOfTomorrow = 12, 1 << 5
	binary.LittleEndian.PutUint32(bad[incompatible:], binary.LittleEndian.Uint32(bad[incompatible:])|compactOfTomorrow)
	for name, b := range map[string][]byte{"good.journal": good, "bad.journal": bad} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", fixtures[0]+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	got, losses := readLines(dir)
	if strings.Join(got, "") != string(want) {
		t.Errorf("got %d entries, want those of the other file", len(got))
	}
	if len(losses) != 1 || losses[0].Reason != logtail.LostUnsupported || losses[0].Count != 1 {
		t.Fatalf("got losses %+v, want one, %s", losses, logtail.LostUnsupported)
	}
	for _, part := range []string{"bad.journal", "features 0x20:", "a newer pullcause is needed", "SYSTEMD_JOURNAL_COMPACT=0"} {
		if !strings.Contains(losses[0].Detail, part) {
			t.Errorf("got %q, want it to say %q", losses[0].Detail, part)
		}
	}
}

// TestWindowGrows reads an entry near the end of what is written, and then one with
// more behind it: the room for what stands around an entry was once as large as the
// first needed, and the second made the program panic.
func TestWindowGrows(t *testing.T) {
	b := make([]byte, 16<<10)
	const size = 8 << 10
	c := content{at: strings.NewReader(string(b)), size: func() (int64, error) { return size, nil }}
	for _, off := range []uint64{size - 64, 4 << 10, 64, size - 72, 3 << 10} {
		if err := c.look(off); err != nil {
			t.Fatal(err)
		}
		if !c.inWindow(off) {
			t.Errorf("what stands at %#x was not read", off)
		}
	}
}
