package journal

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/klauspost/compress/s2"

	"pullcause/logtail"
)

// FuzzFile reads any bytes as a journal file. It fails where one makes the reader
// panic, go round in a circle or keep more memory than it should.
func FuzzFile(f *testing.F) {
	for _, flags := range []flags{0, flagKeyed, flagCompact, flagKeyed | flagCompact} {
		f.Add(tinyFile(flags))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size := func() (int64, error) { return int64(len(b)), nil }
		file := newFile(bytes.NewReader(b), size, fixtureMatches, &decompressor{})
		if _, err := file.readHeader(); err != nil {
			return
		}
		file.count()
		file.finished = true // so that what is not there is an error
		readThrough(t, file)
		file.seek(func(e *entry) bool { return e.realtime < 3 })
		readThrough(t, file)
		if n, err := file.countBetween(end{next: 2}, end{next: 4, time: 1 << 62}); err == nil && n > uint64(len(b)) {
			t.Errorf("got %d entries with the numbers 2 and 3 in %d bytes", n, len(b))
		}
	})
}

func readThrough(t *testing.T, f *file) {
	t.Helper()
	var v values
	last := uint64(0)
	for {
		if ok, _ := f.peek(); !ok {
			break
		}
		if f.next.off <= last {
			t.Fatalf("the entry at %#x follows the one at %#x", f.next.off, last)
		}
		last = f.next.off
		if err := f.readValues(&v); err == nil && len(v.message) > logtail.MaxLine {
			t.Fatalf("got a message of %d bytes", len(v.message))
		}
		f.advance()
	}
	if n := cap(f.next.items) + len(f.fields); n > 4*maxItems {
		t.Errorf("the reader keeps %d places of fields", n)
	}
	if n := cap(f.unpacked) + cap(f.data.scratch) + cap(f.data.window); n > 4*(logtail.MaxLine+maxScratch) {
		t.Errorf("the reader keeps %d bytes", n)
	}
}

// TestTinyFile makes sure that FuzzFile begins with files that can be read.
func TestTinyFile(t *testing.T) {
	for _, flags := range []flags{0, flagKeyed, flagCompact, flagKeyed | flagCompact} {
		b := tinyFile(flags)
		size := func() (int64, error) { return int64(len(b)), nil }
		f := newFile(bytes.NewReader(b), size, fixtureMatches, &decompressor{})
		if _, err := f.readHeader(); err != nil {
			t.Fatal(err)
		}
		if errs := f.count(); len(errs) > 0 {
			t.Fatal(errs)
		}
		var v values
		for n := range uint64(tinyEntries) {
			if ok, errs := f.peek(); !ok || len(errs) > 0 || f.next.seqnum != n+1 {
				t.Fatalf("flags %#x: got entry %d, errors %v, want %d", flags, f.next.seqnum, errs, n+1)
			}
			if err := f.readValues(&v); err != nil || string(v.message) != "hi" {
				t.Fatalf("flags %#x: got message %q, error %v", flags, v.message, err)
			}
			f.advance()
		}
	}
}

const tinyEntries = 4

// tinyFile makes a file by hand that is small enough to be mutated at a good rate,
// unlike those of systemd: a hash table of two buckets, two fields, four entries
// that have both, and two arrays of two places.
func tinyFile(flags flags) []byte {
	const table, buckets = headerSize, 2
	h := header{flags: flags, fileID: id128{1, 2, 3}, buckets: buckets}
	b := slices.Repeat([]byte{0}, table+buckets*bucketSize)
	u64 := binary.LittleEndian.PutUint64
	object := func(typ uint8, size int) (off uint64) {
		b = append(b, make([]byte, (-len(b))&7)...)
		off = uint64(len(b))
		b = append(b, make([]byte, size)...)
		b[off] = typ
		u64(b[off+8:], uint64(size))
		return off
	}
	item, payloadAt, entryItem := 8, dataHeader, 16
	if h.is(flagCompact) {
		item, payloadAt, entryItem = 4, dataHeader+8, 4
	}
	var fields []uint64
	for _, payload := range []string{string(fixtureMatches[0].payload), "MESSAGE=hi"} {
		at := object(typeData, payloadAt+len(payload))
		copy(b[at+uint64(payloadAt):], payload)
		hash := h.hash([]byte(payload))
		u64(b[at+dataHash:], hash)
		bucket := b[table+hash%buckets*bucketSize:]
		u64(b[at+dataNext:], binary.LittleEndian.Uint64(bucket))
		if first := binary.LittleEndian.Uint64(bucket); first != 0 {
			u64(b[at+dataNext:], 0)
			u64(b[first+dataNext:], at)
		} else {
			u64(bucket, at)
		}
		u64(b[at+dataEntries:], tinyEntries)
		fields = append(fields, at)
	}
	put := func(at, value uint64, size int) {
		if size == 4 {
			binary.LittleEndian.PutUint32(b[at:], uint32(value))
			return
		}
		u64(b[at:], value)
	}
	var entries [tinyEntries]uint64
	for i := range entries {
		at := object(typeEntry, entryHeader+len(fields)*entryItem)
		for j, n := range []uint64{uint64(i) + 1, uint64(i) + 1, uint64(i) + 1} { // number and times
			u64(b[at+16+uint64(j)*8:], n)
		}
		for j, f := range fields {
			put(at+entryHeader+uint64(j*entryItem), f, min(entryItem, 8))
		}
		entries[i] = at
	}
	var arrays [2]uint64
	for i := range arrays {
		arrays[i] = object(typeEntryArray, arrayHeader+2*item)
		for j := range 2 {
			put(arrays[i]+arrayHeader+uint64(j*item), entries[min(2*i+j+1, tinyEntries-1)], item)
		}
	}
	u64(b[arrays[0]+16:], arrays[1])
	for _, f := range fields { // the first entry stands apart
		u64(b[f+dataFirst:], entries[0])
		u64(b[f+dataArray:], arrays[0])
	}
	tinyHeader(b, h, arrays[0])
	return b
}

func tinyHeader(b []byte, h header, array uint64) {
	copy(b, signature)
	binary.LittleEndian.PutUint32(b[12:], uint32(h.flags))
	b[16] = stateArchived
	copy(b[24:], h.fileID[:])
	for at, value := range map[int]uint64{
		88: headerSize, 96: uint64(len(b)) - headerSize, 104: headerSize, 112: h.buckets * bucketSize,
		152: tinyEntries, 160: tinyEntries, 168: 1, 176: array, 184: 1, 192: tinyEntries,
	} {
		binary.LittleEndian.PutUint64(b[at:], value)
	}
}

// FuzzUnpack unpacks anything. It fails where a payload makes a codec panic or
// return more than was asked for, where the beginning of a text depends on how much
// of it is asked for, and where a block of LZ4 is not what another decoder says.
func FuzzUnpack(f *testing.F) {
	for _, b := range bombs() {
		f.Add(b.bytes[:min(len(b.bytes), 4096)], b.codec, uint16(100))
	}
	f.Add([]byte("\x0c\x00\x00\x00\x00\x00\x00\x00\x17a\x01\x00\x50bbbbb"), uint8(objectLZ4), uint16(12))
	f.Fuzz(func(t *testing.T, packed []byte, codec uint8, limit uint16) {
		var d decompressor
		all, err := d.unpack(nil, packed, codec, 1<<16)
		if len(all) > 1<<16 {
			t.Fatalf("got %d bytes, want at most %d", len(all), 1<<16)
		}
		begin, beginErr := d.unpack([]byte("x"), packed, codec, int(limit))
		if len(begin) > 1+int(limit) || begin[0] != 'x' {
			t.Fatalf("got %d bytes behind %q, want at most %d behind \"x\"", len(begin)-1, begin[0], limit)
		}
		if err == nil && (beginErr != nil || !bytes.Equal(begin[1:], all[:min(len(all), int(limit))])) {
			t.Errorf("the first %d bytes are %.100q, error %v, want %.100q", limit, begin[1:], beginErr, all)
		}
		if codec == objectLZ4 && err == nil {
			compareLZ4(t, packed, all)
		}
	})
}

// compareLZ4 compares with klauspost/compress, if that takes the block and the size
// before it is right.
func compareLZ4(t *testing.T, packed, got []byte) {
	t.Helper()
	var converter s2.LZ4Converter
	block, size, err := converter.ConvertBlock(make([]byte, 0, 1<<17), packed[8:])
	if err != nil || uint64(size) != binary.LittleEndian.Uint64(packed) || size > 1<<16 {
		return
	}
	want, err := s2.Decode(nil, append(binary.AppendUvarint(nil, uint64(size)), block...))
	if err == nil && !bytes.Equal(got, want) {
		t.Errorf("got %.100q, want %.100q", got, want)
	}
}
