package spool_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"pullcause/agent/export/spool"
)

// FuzzOpen puts damaged files before a spool. It must give only records, come to
// an end, and work afterwards.
func FuzzOpen(f *testing.F) {
	dir := threeSegments(f)
	whole, err := os.ReadFile(filepath.Join(dir, segment1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, whole, uint16(5))
	f.Add(whole[:500], whole[:300], uint16(4))
	f.Add(append(bytes.Clone(whole), make([]byte, 500)...), append(bytes.Clone(whole), make([]byte, 500)...), uint16(5))
	f.Add(bytes.Repeat([]byte("00000000 99999 x\n"), 100), []byte("00000000 0 \n"), uint16(0))
	f.Add(line(`{"v":1,"attributes":[{"k":"a","v":[1]},{"k":"b","v":1.5e3}]}`), line(`{"v":1,"time":"never"}`), uint16(65535))
	f.Add([]byte("00000000 9999999999 "), []byte{}, uint16(1))
	f.Fuzz(func(t *testing.T, older, newer []byte, apart uint16) {
		disk := newMemFS()
		disk.files["spool/"+segment1] = &inode{data: older}
		disk.files["spool/"+spool.NameOf(1+int64(apart))] = &inode{data: newer}
		var lost lossLog
		s := open(t, spool.Config{Dir: "spool", MaxBytes: 1 << 20, Files: disk, Lost: lost.add})
		waiting := s.Status().Records
		given := s.Next(100_000, 1<<40, nil)
		for i := range given {
			if _, err := json.Marshal(&given[i]); err != nil || given[i].Version != 1 {
				t.Errorf("got record %+v: %v", given[i], err)
			}
		}
		if int64(len(given)) > waiting || s.Status().Records != int64(len(given)) {
			t.Errorf("got %d records where %d and then %d wait", len(given), waiting, s.Status().Records)
		}
		for _, l := range lost {
			if l.Records <= 0 || l.Bytes < 0 {
				t.Errorf("got loss %+v", l)
			}
		}
		add(t, s, record(1))
		s.Ack(len(given))
		same(t, "afterwards", drain(t, s), []int{1})
		if st := s.Status(); len(disk.files) > 0 || st.Bytes != 0 || st.Records != 0 {
			t.Errorf("%d files are left, status %+v", len(disk.files), st)
		}
	})
}
