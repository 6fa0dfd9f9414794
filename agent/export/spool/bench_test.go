package spool_test

import (
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// unsynced is the real disk without its syncs.
type unsynced struct{ spool.FS }

type unsyncedFile struct{ spool.File }

func (unsyncedFile) Sync() error { return nil }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) Create(path string) (spool.File, error) {
	f, err := u.FS.Create(path)
	return unsyncedFile{f}, err
}

// usual is a record about as large as that of a failed pull: 4 KiB.
func usual() export.Record {
	r := recordOf(1, "Back-off pulling image")
	text := "failed to pull and unpack image: failed to resolve reference: unexpected status 503 Service Unavailable"
	for i := range 30 {
		r.Attributes = append(r.Attributes, export.Attribute{Key: "pullcause.some.attribute", Value: text[i:]})
	}
	return r
}

func batchOf(n int) []export.Record {
	out := make([]export.Record, n)
	for i := range out {
		out[i] = usual()
	}
	return out
}

func BenchmarkAppendAndRead(b *testing.B) {
	for _, disk := range []struct {
		name  string
		files spool.FS
	}{{"synced", spool.Disk()}, {"unsynced", unsynced{spool.Disk()}}} {
		for _, size := range []struct {
			name string
			n    int
		}{{"1", 1}, {"100", 100}} {
			b.Run(disk.name+"/"+size.name, func(b *testing.B) {
				s := open(b, spool.Config{Dir: b.TempDir(), Files: disk.files})
				records := batchOf(size.n)
				var batch []export.Record
				b.ReportAllocs()
				for b.Loop() {
					add(b, s, records...)
					batch = s.Next(size.n, 1<<20, batch[:0])
					s.Ack(len(batch))
				}
				b.ReportMetric(float64(b.N*size.n)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// What an outage of the receiver costs: only the first half of the work.
func BenchmarkAppend(b *testing.B) {
	for _, disk := range []struct {
		name  string
		files spool.FS
	}{{"synced", spool.Disk()}, {"unsynced", unsynced{spool.Disk()}}} {
		b.Run(disk.name, func(b *testing.B) {
			s := open(b, spool.Config{Dir: b.TempDir(), Files: disk.files})
			records := batchOf(10)
			b.ReportAllocs()
			for b.Loop() {
				add(b, s, records...)
			}
			b.ReportMetric(float64(b.N*10)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// A start with a full spool.
func BenchmarkOpen(b *testing.B) {
	cfg := spool.Config{Dir: b.TempDir(), Files: unsynced{spool.Disk()}}
	s := open(b, cfg)
	for records := batchOf(100); s.Status().Bytes < 63<<20; {
		add(b, s, records...)
	}
	b.SetBytes(s.Status().Bytes)
	b.ReportAllocs()
	for b.Loop() {
		open(b, cfg)
	}
}
