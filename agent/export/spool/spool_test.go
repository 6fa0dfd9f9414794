package spool_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
	"pullcause/logtail"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// record is the n-th of a test.
func record(n int) export.Record { return recordOf(n, "") }

func recordOf(n int, body string) export.Record {
	return export.Record{
		Version: 1, UID: fmt.Sprintf("u%06d", n), Name: "pullcause.image_pull.failed", Severity: "ERROR", Body: body,
		Time: start.Add(time.Duration(n) * time.Second), Observed: start,
		Attributes: []export.Attribute{{Key: "n", Value: int64(n)}},
	}
}

func recordsOf(first, n int) []export.Record {
	out := make([]export.Record, n)
	for i := range out {
		out[i] = record(first + i)
	}
	return out
}

// number is the n of a record.
func number(t testing.TB, r export.Record) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(r.UID, "u%d", &n); err != nil {
		t.Fatalf("uid %q: %v", r.UID, err)
	}
	return n
}

func numbers(t testing.TB, batch []export.Record) []int {
	t.Helper()
	out := []int{}
	for _, r := range batch {
		out = append(out, number(t, r))
	}
	return out
}

// span is first, first+1, … before end.
func span(first, end int) []int {
	out := []int{}
	for i := first; i < end; i++ {
		out = append(out, i)
	}
	return out
}

// lossLog keeps what Lost was told.
type lossLog []spool.Loss

func (l *lossLog) add(loss spool.Loss) { *l = append(*l, loss) }

// records by reason.
func (l *lossLog) records() map[string]int64 {
	sum := map[string]int64{}
	for _, loss := range *l {
		sum[loss.Reason] += loss.Records
	}
	return sum
}

func (l *lossLog) bytes() (sum int64) {
	for _, loss := range *l {
		sum += loss.Bytes
	}
	return sum
}

func open(t testing.TB, cfg spool.Config) *spool.Spool {
	t.Helper()
	s, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t testing.TB, s *spool.Spool, records ...export.Record) {
	t.Helper()
	if err := s.Append(records, 0); err != nil {
		t.Fatal(err)
	}
}

// drain reads and acknowledges all.
func drain(t testing.TB, s *spool.Spool) []int {
	t.Helper()
	out := []int{}
	for {
		batch := s.Next(7, 1<<20, nil)
		if len(batch) == 0 {
			return out
		}
		out = append(out, numbers(t, batch)...)
		s.Ack(len(batch))
	}
}

// files are the names in a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by us")
	want := record(1)
	want.Time = start.Add(123456789)
	want.Body = "no \"such\" <image>:\n\t\x00 &  ü 漢"
	want.Attributes = nil
	for _, v := range []any{
		"a", "", int64(-1 << 62), int64(0), 3.0, 0.1, 1e300, -5e-324, true, false, []string{"x", "y"}, []string{},
	} {
		want.Attributes = append(want.Attributes, export.Attribute{Key: fmt.Sprintf("%T", v), Value: v})
	}
	loss := export.DataLoss(logtail.Loss{Source: "kubelet", Reason: "rotated", Count: 3}, "node", start)
	s := open(t, spool.Config{Dir: dir})
	add(t, s, want, loss)
	for range 2 {
		same(t, "records", s.Next(10, 1<<20, nil), []export.Record{want, loss})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, spool.Config{Dir: dir})
	}
	for path, mode := range map[string]os.FileMode{dir: os.ModeDir | 0o700, filepath.Join(dir, "00000000000000000001.jsonl"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: got %v, %v; want %v", path, info, err, mode)
		}
	}
}

// What JSON has no form for does not cost the record.
func TestNoNumber(t *testing.T) {
	r := record(1)
	r.Attributes = []export.Attribute{{Key: "a", Value: math.NaN()}, {Key: "b", Value: math.Inf(-1)}, {Key: "c", Value: nil}}
	s := open(t, spool.Config{Dir: t.TempDir()})
	add(t, s, r)
	want := []export.Attribute{{Key: "a", Value: "NaN"}, {Key: "b", Value: "-Inf"}, {Key: "c", Value: nil}}
	same(t, "attributes", s.Next(1, 1, nil)[0].Attributes, want)
}

// The file is what the package comment says.
func TestFormat(t *testing.T) {
	dir := t.TempDir()
	add(t, open(t, spool.Config{Dir: dir}), record(1), recordOf(2, "<&>"))
	got, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := `f9e2b585 184 {"v":1,"uid":"u000001","name":"pullcause.image_pull.failed","time":"2026-03-01T12:00:01Z",` +
		`"observed":"2026-03-01T12:00:00Z","severity":"ERROR","body":"","attributes":[{"k":"n","v":1}]}` + "\n" +
		`24b72ae3 187 {"v":1,"uid":"u000002","name":"pullcause.image_pull.failed","time":"2026-03-01T12:00:02Z",` +
		`"observed":"2026-03-01T12:00:00Z","severity":"ERROR","body":"<&>","attributes":[{"k":"n","v":2}]}` + "\n"
	same(t, "file", string(got), want)
}

func TestNextAndAck(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Config{Dir: dir, SegmentBytes: 500}) // two records each
	for i := range 10 {
		add(t, s, record(i))
	}
	same(t, "first", numbers(t, s.Next(3, 1<<20, nil)), span(0, 3))
	same(t, "again", numbers(t, s.Next(5, 1<<20, nil)), span(0, 5))
	before := []export.Record{record(77)}
	same(t, "appended", numbers(t, s.Next(1, 1<<20, before)), []int{77, 0})
	same(t, "by bytes", numbers(t, s.Next(100, 650, nil)), span(0, 3))
	same(t, "at least one", numbers(t, s.Next(0, 0, nil)), span(0, 1))
	s.Next(5, 1<<20, nil)
	s.Ack(0)
	s.Ack(-1)
	s.Ack(2)
	s.Ack(1)
	same(t, "after parts", numbers(t, s.Next(3, 1<<20, nil)), span(3, 6))
	same(t, "files", files(t, dir), []string{
		"00000000000000000003.jsonl", "00000000000000000005.jsonl", "00000000000000000007.jsonl", "00000000000000000009.jsonl",
	})
	if st := s.Status(); !st.Oldest.Equal(record(3).Time) || st.Records != 7 || st.Segments != 4 || st.Appends != 10 || st.Syncs != 15 {
		t.Errorf("got status %+v", st)
	}
	s.Ack(100) // more than were given
	same(t, "the rest", drain(t, s), span(6, 10))
	same(t, "files of an idle spool", files(t, dir), []string{})
	if st := s.Status(); st.Records != 0 || st.Bytes != 0 || st.Segments != 0 || !st.Oldest.IsZero() {
		t.Errorf("got status %+v of an empty spool", st)
	}
	add(t, s, record(10))
	same(t, "file after that", files(t, dir), []string{"00000000000000000011.jsonl"})
	s.Ack(5) // of what Next did not give
	same(t, "last", drain(t, s), span(10, 11))
}

func TestBound(t *testing.T) {
	dir := t.TempDir()
	var lost lossLog
	s := open(t, spool.Config{Dir: dir, MaxBytes: 2000, SegmentBytes: 500, Lost: lost.add})
	for i := range 8 {
		add(t, s, record(i))
	}
	given := s.Next(3, 1<<20, nil)
	same(t, "given", numbers(t, given), span(0, 3))
	for i := 8; i < 11; i++ { // one segment goes, and the next
		add(t, s, record(i))
	}
	s.Ack(3) // 0 and 1 are gone, and not lost; 2 is the only one that is acknowledged
	same(t, "next", numbers(t, s.Next(100, 1<<20, nil)), span(3, 11))
	s.Ack(1)
	same(t, "lost", lost.records(), map[string]int64{})
	same(t, "rest", drain(t, s), span(4, 11))
	if st := s.Status(); st.Bytes != 0 {
		t.Errorf("got %d bytes, want 0", st.Bytes)
	}
}

func TestBoundIsKept(t *testing.T) {
	dir := t.TempDir()
	var lost lossLog
	s := open(t, spool.Config{Dir: dir, MaxBytes: 10_000, Lost: lost.add})
	for i := range 500 {
		add(t, s, record(2*i), record(2*i+1))
		var size int64
		for _, name := range files(t, dir) {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
		if st := s.Status(); size > 10_000 || size != st.Bytes {
			t.Fatalf("got %d bytes on disk and %d in the status, want 10000 at most", size, st.Bytes)
		}
	}
	left := drain(t, s)
	if len(left) < 30 || int64(len(left))+lost.records()["spool_full"] != 1000 {
		t.Errorf("got %d records and lost %v of 1000", len(left), lost.records())
	}
	same(t, "the newest", left, span(1000-len(left), 1000))
}

func TestLargeRecords(t *testing.T) {
	dir := t.TempDir()
	var lost lossLog
	s := open(t, spool.Config{Dir: dir, MaxBytes: 4000, SegmentBytes: 1000, Lost: lost.add})
	add(t, s, record(0))
	add(t, s, recordOf(1, strings.Repeat("x", 1500)))
	add(t, s, record(2))
	same(t, "files", len(files(t, dir)), 3)
	same(t, "lost", len(lost), 0)

	err := s.Append([]export.Record{record(3), recordOf(4, strings.Repeat("x", 4000)), record(5)}, 0)
	if !errors.Is(err, spool.ErrDropped) || !strings.Contains(err.Error(), "more than the spool may hold") {
		t.Errorf("got %v, want that a record is dropped", err)
	}
	same(t, "lost", lost.records(), map[string]int64{"spool_full": 1})
	same(t, "records", drain(t, s), []int{0, 1, 2, 3, 5})

	lost = nil
	add(t, s, recordsOf(10, 100)...) // more than the bound at once
	left := drain(t, s)
	same(t, "the newest", left, span(110-len(left), 110))
	same(t, "lost", lost.records(), map[string]int64{"spool_full": 100 - int64(len(left))})
	if st := s.Status(); st.Err != "" {
		t.Errorf("got error %q", st.Err)
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	var lost lossLog
	s := open(t, spool.Config{Dir: t.TempDir(), Lost: lost.add})
	newer, late, odd := record(1), record(2), record(3)
	newer.Version = 2
	late.Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	odd.Attributes[0].Value = make(chan int)
	err := s.Append([]export.Record{newer, record(10), late, odd, record(11)}, 0)
	if !errors.Is(err, spool.ErrDropped) {
		t.Errorf("got %v, want %v", err, spool.ErrDropped)
	}
	same(t, "lost", lost.records(), map[string]int64{"spool_corrupt": 3})
	same(t, "records", drain(t, s), []int{10, 11})
	if err := s.Append([]export.Record{newer}, 0); !errors.Is(err, spool.ErrDropped) {
		t.Errorf("got %v, want %v", err, spool.ErrDropped)
	}
	add(t, s)
}

func TestClosed(t *testing.T) {
	s := open(t, spool.Config{Dir: t.TempDir()})
	add(t, s, record(1))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Append(recordsOf(2, 1), 0); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("got %v, want %v", err, spool.ErrClosed)
	}
	same(t, "records", len(s.Next(1, 1, nil)), 0)
}
