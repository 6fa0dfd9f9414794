package spool_test

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pullcause/agent/export/spool"
)

// A disk that does not give back a segment costs that segment only, and once.
func TestUnreadable(t *testing.T) {
	for _, tc := range []struct {
		name    string
		recover bool // it fails at Open already
		action  string
		lost    map[string]int64
	}{
		{"open fails", true, "open", map[string]int64{spool.ReasonUnreadable: 5}},
		{"read fails", true, "read", map[string]int64{spool.ReasonUnreadable: 5}},
		{"open fails later", false, "open", map[string]int64{spool.ReasonUnreadable: 5}},
		{"read fails later", false, "read", map[string]int64{spool.ReasonUnreadable: 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := newMemFS()
			var lost lossLog
			cfg := spool.Config{Dir: "spool", SegmentBytes: 1000, Files: disk, Lost: lost.add}
			s := open(t, cfg)
			for i := range 15 {
				add(t, s, record(i))
			}
			disk.fail = func(action, path string) error {
				if action == tc.action && strings.HasSuffix(path, segment2) {
					return syscall.EIO
				}
				return nil
			}
			if tc.recover {
				s = open(t, cfg)
			}
			want := append(span(0, 5), span(10, 15)...)
			same(t, "records", numbers(t, s.Next(100, 1<<20, nil)), want)
			same(t, "records again", numbers(t, s.Next(100, 1<<20, nil)), want)
			same(t, "lost", lost.records(), tc.lost)
			if st := s.Status(); st.Records != 10 {
				t.Errorf("got status %+v, want 10 records", st)
			}
			same(t, "drained", drain(t, s), want)
			same(t, "lost", lost.records(), tc.lost)
			same(t, "files", len(disk.files), 0)
		})
	}
}

// What is appended to a segment after the disk refused to give it back would be
// lost with it.
func TestUnreadableNewest(t *testing.T) {
	disk := newMemFS()
	var lost lossLog
	s := open(t, spool.Config{Dir: "spool", Files: disk, Lost: lost.add})
	add(t, s, record(0))
	disk.fail = func(action, _ string) error {
		if action == "read" {
			return syscall.EIO
		}
		return nil
	}
	same(t, "records", len(s.Next(1, 1, nil)), 0)
	if st := s.Status(); !strings.Contains(st.Err, "input/output error") {
		t.Errorf("got status %+v, want that the disk fails", st)
	}
	disk.fail = nil
	add(t, s, record(1))
	same(t, "records", drain(t, s), []int{1})
	same(t, "lost", lost.records(), map[string]int64{spool.ReasonUnreadable: 1})
}

// Too many open files are nothing that a segment should pay for.
func TestTooManyOpenFiles(t *testing.T) {
	disk := newMemFS()
	var lost lossLog
	cfg := spool.Config{Dir: "spool", SegmentBytes: 1000, Files: disk, Lost: lost.add}
	s := open(t, cfg)
	add(t, s, recordsOf(0, 5)...)
	add(t, s, recordsOf(5, 5)...)
	disk.fail = func(action, path string) error {
		if action == "open" && strings.HasSuffix(path, segment2) {
			return syscall.EMFILE
		}
		return nil
	}
	same(t, "records", numbers(t, s.Next(100, 1<<20, nil)), span(0, 5))
	if _, err := spool.Open(cfg); err == nil {
		t.Error("Open counted what it could not read")
	}
	disk.fail = nil
	same(t, "records", drain(t, s), span(0, 10))
	same(t, "lost", len(lost), 0)
}

// On a disk that became read-only all is delivered, and none of it twice.
func TestReadOnly(t *testing.T) {
	disk := newMemFS()
	s := open(t, spool.Config{Dir: "spool", SegmentBytes: 1000, MaxBytes: 5000, Files: disk})
	for i := range 15 {
		add(t, s, record(i))
	}
	disk.fail = func(action, _ string) error {
		if action == "open" || action == "read" || action == "readdir" {
			return nil
		}
		return syscall.EROFS
	}
	same(t, "records", drain(t, s), span(0, 15))
	if err := s.Append(recordsOf(15, 12), 0); err == nil || !strings.HasPrefix(err.Error(), "write spool: ") {
		t.Errorf("got %v, want that nothing can be written", err)
	}
	if st := s.Status(); st.Records != 0 || st.Segments != 3 || st.Err == "" {
		t.Errorf("got status %+v, want three segments that cannot be removed", st)
	}
	disk.fail = nil
	add(t, s, record(15))
	same(t, "files", len(disk.files), 1)
	same(t, "records", drain(t, s), []int{15})
	if st := s.Status(); st.Err != "" {
		t.Errorf("got error %q, want none", st.Err)
	}
}

// slow is a disk whose syncs take until they are let go.
type slow struct {
	spool.FS
	syncing, letGo chan struct{}
}

type slowFile struct {
	spool.File
	disk *slow
}

func (d *slow) Create(path string) (spool.File, error) {
	f, err := d.FS.Create(path)
	return slowFile{f, d}, err
}

func (f slowFile) Sync() error {
	f.disk.syncing <- struct{}{}
	<-f.disk.letGo
	return f.File.Sync()
}

// during starts something that syncs and waits until it does.
func (d *slow) during(work func()) {
	go work()
	<-d.syncing
}

// Delivery goes on while an Append waits for the disk; even the segment that it
// writes to may be acknowledged meanwhile.
func TestReadingWhileSyncing(t *testing.T) {
	d := &slow{FS: spool.Disk(), syncing: make(chan struct{}), letGo: make(chan struct{}, 1)}
	s := open(t, spool.Config{Dir: t.TempDir(), Files: d})
	result := make(chan error)
	start := func(n int) { d.during(func() { result <- s.Append(recordsOf(n, 1), 0) }) }
	finish := func() {
		d.letGo <- struct{}{}
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	start(0)
	same(t, "before it is synced", len(s.Next(9, 1<<20, nil)), 0)
	finish()
	start(1)
	same(t, "while the next one is", drain(t, s), []int{0})
	same(t, "segments", s.Status().Segments, 1)
	finish()
	same(t, "after that", drain(t, s), []int{1})
	same(t, "segments", s.Status().Segments, 0)
}

// A segment that turns out to be unreadable while an Append writes to it must not
// take what that stores with it.
func TestUnreadableWhileSyncing(t *testing.T) {
	disk := newMemFS()
	d := &slow{FS: disk, syncing: make(chan struct{}), letGo: make(chan struct{}, 9)}
	var lost lossLog
	s := open(t, spool.Config{Dir: "spool", Files: d, Lost: lost.add})
	result := make(chan error, 1)
	d.letGo <- struct{}{}
	d.during(func() { result <- s.Append(recordsOf(0, 1), 0) })
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	d.during(func() { result <- s.Append(recordsOf(1, 1), 0) })
	disk.fail = (&faulty{err: syscall.EIO, many: 1, only: "read"}).fail
	same(t, "records", len(s.Next(9, 1<<20, nil)), 0)
	d.letGo <- struct{}{}
	if err := <-result; err == nil {
		t.Error("what nobody can read counts as stored")
	}
	d.letGo <- struct{}{}
	d.during(func() { result <- s.Append(recordsOf(1, 1), 0) })
	same(t, "error", <-result, nil)
	same(t, "records", drain(t, s), []int{1})
	same(t, "lost", lost.records(), map[string]int64{spool.ReasonUnreadable: 1})
}

// What an Append that failed has written is cut off.
func TestFailedAppendIsCut(t *testing.T) {
	for _, action := range []string{"write", "sync"} {
		disk := newMemFS()
		disk.cut = func(size int) int { return size / 2 }
		s := open(t, spool.Config{Dir: "spool", Files: disk})
		add(t, s, record(0))
		disk.fail = (&faulty{err: syscall.ENOSPC, many: 1, only: action}).fail
		err := s.Append(recordsOf(1, 1), 0)
		if !errors.Is(err, syscall.ENOSPC) || s.Status().Err != err.Error() {
			t.Errorf("%s: got %v and status %+v, want that the disk is full", action, err, s.Status())
		}
		if size := int64(len(disk.files["spool/"+segment1].data)); size != s.Status().Bytes || size > 200 {
			t.Errorf("%s: got %d bytes on disk and %d in the status, want those of one record", action, size, s.Status().Bytes)
		}
		add(t, s, record(2))
		same(t, "files", len(disk.files), 2)
		same(t, "records", drain(t, s), []int{0, 2})
	}
}

// meanwhile is a disk on which something happens before a file is read.
type meanwhile struct {
	spool.FS
	do func()
}

func (d *meanwhile) Open(path string) (spool.File, error) {
	f, err := d.FS.Open(path)
	if do := d.do; do != nil {
		d.do = nil
		do()
	}
	return f, err
}

// The bound may take a segment while it is read.
func TestBoundWhileReading(t *testing.T) {
	d := &meanwhile{FS: newMemFS()}
	var lost lossLog
	s := open(t, spool.Config{Dir: "spool", MaxBytes: 4000, SegmentBytes: 1000, Files: d, Lost: lost.add})
	for i := range 20 {
		add(t, s, record(i))
	}
	d.do = func() { add(t, s, recordsOf(20, 8)...) }
	batch := s.Next(7, 1<<20, nil)
	same(t, "records", numbers(t, batch), span(10, 17))
	same(t, "lost", lost.records(), map[string]int64{spool.ReasonFull: 10})
	s.Ack(len(batch))
	same(t, "records", drain(t, s), span(17, 28))
}

// What is stored between the failing read and the moment that it is noticed is
// lost with the rest of the segment.
func TestUnreadableWhileGrowing(t *testing.T) {
	disk := newMemFS()
	d := &meanwhile{FS: disk}
	var lost lossLog
	s := open(t, spool.Config{Dir: "spool", Files: d, Lost: lost.add})
	add(t, s, record(0))
	d.do = func() { add(t, s, record(1)) }
	disk.fail = (&faulty{err: syscall.EIO, many: 1, only: "read"}).fail
	same(t, "records", len(s.Next(9, 1<<20, nil)), 0)
	same(t, "lost", lost.records(), map[string]int64{spool.ReasonUnreadable: 2})
	same(t, "files", len(disk.files), 0)
	add(t, s, record(2))
	same(t, "records", drain(t, s), []int{2})
}

// One goroutine appends, another reads, a third looks on; the detector watches.
func TestConcurrency(t *testing.T) {
	const n = 2000
	var mu sync.Mutex
	lost := int64(0)
	s := open(t, spool.Config{Dir: "spool", MaxBytes: 20_000, Files: newMemFS(), Lost: func(l spool.Loss) {
		mu.Lock()
		defer mu.Unlock()
		lost += l.Records
	}})
	var work sync.WaitGroup
	done := make(chan struct{})
	work.Go(func() {
		defer close(done)
		for i := range n {
			if err := s.Append(recordsOf(i, 1), 0); err != nil {
				t.Error(err)
			}
		}
	})
	got := []int{}
	work.Go(func() {
		for over := false; ; {
			batch := s.Next(10, 1<<20, nil)
			got = append(got, numbers(t, batch)...)
			s.Ack(len(batch))
			s.Status()
			switch {
			case len(batch) > 0:
			case over:
				return
			default:
				select {
				case <-done:
					over = true
				default:
				}
			}
		}
	})
	work.Wait()
	found(t, "together", got, n, n, n)
	if int64(len(got))+lost != n {
		t.Errorf("got %d records and lost %d of %d", len(got), lost, n)
	}
	if st := s.Status(); st.Records != 0 || st.Bytes != 0 {
		t.Errorf("got status %+v of an empty spool", st)
	}
}
