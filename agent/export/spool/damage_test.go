package spool_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"pullcause/agent/export/spool"
)

const (
	segment1 = "00000000000000000001.jsonl"
	segment2 = "00000000000000000006.jsonl"
	segment3 = "00000000000000000011.jsonl"
)

// threeSegments makes a spool of records 0 to 14, five in a segment.
func threeSegments(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, spool.Config{Dir: dir, SegmentBytes: 1000})
	for i := range 15 {
		add(t, s, record(i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "files", files(t, dir), []string{segment1, segment2, segment3})
	return dir
}

func edit(t testing.TB, path string, change func(text []byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flip changes a byte of the n-th line, at a place from its start, or from its
// end if that is negative.
func flip(n, at int, to byte) func([]byte) []byte {
	return func(text []byte) []byte {
		lines := bytes.SplitAfter(text, []byte("\n"))
		if at < 0 {
			at += len(lines[n])
		}
		lines[n][at] = to
		return bytes.Join(lines, nil)
	}
}

// line is one whose checksum holds, whatever its text.
func line(text string) []byte {
	return fmt.Appendf(nil, "%08x %d %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), len(text), text)
}

func replaceLine(n int, by []byte) func([]byte) []byte {
	return func(text []byte) []byte {
		lines := bytes.SplitAfter(text, []byte("\n"))
		lines[n] = by
		return bytes.Join(lines, nil)
	}
}

func cut(n int) func([]byte) []byte { return func(text []byte) []byte { return text[:n] } }

func tail(more []byte) func([]byte) []byte {
	return func(text []byte) []byte { return append(text, more...) }
}

func TestDamage(t *testing.T) {
	none := map[string]int64{}
	corrupt := func(n int64) map[string]int64 { return map[string]int64{"spool_corrupt": n} }
	zeros := make([]byte, 9000)
	copied := line(`{"v":1,"uid":"u000099"}`)
	for _, tc := range []struct {
		name   string
		file   string
		change func([]byte) []byte // nil: the file is removed
		absent []int
		lost   map[string]int64
	}{
		{"nothing", segment1, cut(990), nil, none},
		{"a letter", segment1, flip(1, 60, 'X'), []int{1}, corrupt(1)},
		{"the first letter", segment1, flip(0, 0, 'X'), []int{0}, corrupt(1)},
		{"a bit of the checksum", segment1, flip(1, 3, '0'), []int{1}, corrupt(1)},
		{"a smaller length", segment1, flip(1, 9, '0'), []int{1}, corrupt(1)},
		{"a larger length", segment1, flip(1, 9, '9'), []int{1}, corrupt(1)},
		{"a blank", segment1, flip(1, 8, '!'), []int{1}, corrupt(1)},
		{"the other blank", segment1, flip(1, 12, '0'), []int{1}, corrupt(1)},
		{"a line feed", segment1, flip(1, -1, '\v'), nil, none},
		{"the last line feed", segment1, flip(4, -1, '\v'), nil, none},
		{"the very last line feed", segment3, flip(4, -1, '\v'), nil, none},
		{"a line feed more", segment1, flip(1, 60, '\n'), []int{1}, corrupt(1)},
		{"a line feed more, in the newest", segment3, flip(4, 60, '\n'), []int{14}, corrupt(2)}, // nothing tells that it was one
		{"a bit of the newest", segment3, flip(4, 60, 'X'), []int{14}, corrupt(1)},
		{"a sector", segment1, func(b []byte) []byte { copy(b[300:812], zeros); return b }, []int{1, 2, 3, 4}, corrupt(4)},
		{"all", segment2, func(b []byte) []byte { clear(b); return b }, span(5, 10), corrupt(5)},
		{"all of the newest", segment3, func(b []byte) []byte { clear(b); return b }, span(10, 15), none},
		{"half", segment1, cut(500), span(2, 5), corrupt(3)},
		{"half, at a line", segment1, cut(3 * 198), span(3, 5), corrupt(2)},
		{"an empty file", segment2, cut(0), span(5, 10), corrupt(5)},
		{"a removed file", segment2, nil, span(5, 10), corrupt(5)},
		{"the oldest removed", segment1, nil, span(0, 5), none}, // as if acknowledged
		{"a torn tail", segment3, cut(900), []int{14}, none},
		{"an empty newest", segment3, cut(0), span(10, 15), none},
		{"a tail without its line feed", segment3, cut(989), []int{14}, none},
		{"zeros behind", segment3, tail(zeros), nil, none},
		{"zeros behind an older one", segment1, tail(zeros), nil, none},
		{"a header behind", segment3, tail([]byte("0123abcd 17")), nil, none},
		{"what an Append that failed left", segment1, tail(copied), nil, none},
		{"another version", segment1, replaceLine(1, line(`{"v":2,"uid":"u000001"}`)), []int{1}, corrupt(1)},
		{"no version", segment1, replaceLine(1, line(`{}`)), []int{1}, corrupt(1)},
		{"an object as a value", segment1, replaceLine(1, line(`{"v":1,"attributes":[{"k":"a","v":{}}]}`)), []int{1}, corrupt(1)},
		{"numbers in an array", segment1, replaceLine(1, line(`{"v":1,"attributes":[{"k":"a","v":[1]}]}`)), []int{1}, corrupt(1)},
		{"too large a number", segment1, replaceLine(1, line(`{"v":1,"attributes":[{"k":"a","v":99999999999999999999}]}`)), []int{1}, corrupt(1)},
		{"no JSON", segment1, replaceLine(4, line(``)), []int{4}, corrupt(1)},
		{"two values", segment1, replaceLine(4, line(`{"v":1}{"v":1}`)), []int{4}, corrupt(1)},
		{"no JSON at all", segment2, func([]byte) []byte { return bytes.Repeat(line(`x`), 5) }, span(5, 10), corrupt(5)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := threeSegments(t)
			if path := filepath.Join(dir, tc.file); tc.change == nil {
				os.Remove(path)
			} else {
				edit(t, path, tc.change)
			}
			want := slices.DeleteFunc(span(0, 15), func(n int) bool { return slices.Contains(tc.absent, n) })
			for range 2 { // what is not acknowledged is there again
				var lost lossLog
				s := open(t, spool.Config{Dir: dir, Lost: lost.add})
				same(t, "records", numbers(t, s.Next(100, 1<<20, nil)), want)
				same(t, "records again", numbers(t, s.Next(100, 1<<20, nil)), want)
				same(t, "lost", lost.records(), tc.lost)
				add(t, s, record(15))
				want = append(want, 15)
				same(t, "records with one more", numbers(t, s.Next(100, 1<<20, nil)), want)
				if st := s.Status(); st.Records != int64(len(want)) || st.Err != "" {
					t.Errorf("got status %+v, want %d records", st, len(want))
				}
			}
			s := open(t, spool.Config{Dir: dir})
			same(t, "drained", drain(t, s), want)
			same(t, "files", files(t, dir), []string{})
			if st := s.Status(); st.Records != 0 || st.Bytes != 0 {
				t.Errorf("got status %+v of an empty spool", st)
			}
		})
	}
}

// Damage that comes while the spool is open is found when it is read.
func TestDamageMeanwhile(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func([]byte) []byte
		absent []int
		reason string
	}{
		{"a letter", flip(1, 60, 'X'), []int{1}, spool.ReasonCorrupt},
		{"the last letter", flip(4, 60, 'X'), []int{4}, spool.ReasonCorrupt},
		{"half", cut(500), span(2, 5), spool.ReasonCorrupt},
		{"removed", nil, span(0, 5), spool.ReasonUnreadable},
	} {
		for _, step := range []int{1, 3, 100} {
			t.Run(fmt.Sprint(tc.name, " by ", step), func(t *testing.T) {
				dir := threeSegments(t)
				var lost lossLog
				s := open(t, spool.Config{Dir: dir, Lost: lost.add})
				if tc.change != nil {
					edit(t, filepath.Join(dir, segment1), tc.change)
				} else {
					os.Remove(filepath.Join(dir, segment1))
				}
				got := []int{}
				for {
					batch := s.Next(step, 1<<20, nil)
					if len(batch) == 0 {
						break
					}
					got = append(got, numbers(t, batch)...)
					s.Ack(len(batch))
				}
				same(t, "records", got, slices.DeleteFunc(span(0, 15), func(n int) bool { return slices.Contains(tc.absent, n) }))
				same(t, "lost", lost.records(), map[string]int64{tc.reason: int64(len(tc.absent))})
				if len(lost) != 1 || lost[0].Bytes < 190*int64(len(tc.absent)) {
					t.Errorf("got losses %+v, want one", lost)
				}
				if st := s.Status(); st.Records != 0 || st.Bytes != 0 {
					t.Errorf("got status %+v of an empty spool", st)
				}
			})
		}
	}
}

// What is not ours stays, even under a name like ours.
func TestForeignFiles(t *testing.T) {
	dir := threeSegments(t)
	foreign := []string{
		"00000000000000000016.jsonl", "0000000000000000001.jsonl", "18446744073709551617.jsonl", "99999999999999999999.jsonl",
		"lost+found", "notes.txt",
	}
	for _, name := range foreign {
		var err error
		switch path := filepath.Join(dir, name); name {
		case "00000000000000000016.jsonl":
			err = syscall.Mkfifo(path, 0o600) // whoever opens it hangs
		case "lost+found":
			err = os.Mkdir(path, 0o700)
		default:
			err = os.WriteFile(path, []byte("mine"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, spool.Config{Dir: dir})
	add(t, s, record(15))
	same(t, "records", drain(t, s), span(0, 16))
	same(t, "files", files(t, dir), slices.Sorted(slices.Values(foreign)))
}

func TestFolderIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	var lost lossLog
	s := open(t, spool.Config{Dir: dir, Lost: lost.add})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	add(t, s, record(0))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	same(t, "records", drain(t, s), []int{})
	same(t, "lost", lost.records(), map[string]int64{spool.ReasonUnreadable: 1})
	add(t, s, record(1))
	same(t, "records", drain(t, s), []int{1})

	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(spool.Config{Dir: filepath.Join(filepath.Dir(dir), "file", "spool")}); err == nil {
		t.Error("opened below a file")
	}
}
