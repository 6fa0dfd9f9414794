package journal

import (
	"bytes"
	"encoding/binary"
)

// The fields of a DATA object that are read, by offset.
const (
	dataHash    = 16
	dataNext    = 24 // next object of the same hash bucket
	dataFirst   = 40 // place of the first entry
	dataArray   = 48 // first array of the further ones
	dataEntries = 56
)

// find looks a payload, as "FIELD=value", up in the hash table; 0 if no entry has it.
func (f *file) find(payload []byte) (uint64, error) {
	if f.head.buckets == 0 {
		if f.head.entries > 0 {
			return 0, corrupt(0, "there are entries and no hash table")
		}
		return 0, nil
	}
	hash := f.head.hash(payload)
	bucket := hash % f.head.buckets
	b, err := f.data.read(f.head.table+bucket*bucketSize, bucketSize)
	if err != nil {
		return 0, err
	}
	var last uint64
	n := 0
	for off := binary.LittleEndian.Uint64(b); off != 0; n++ {
		// Later objects lie behind earlier ones, so no chain is a loop.
		if off <= last || n > maxChain {
			return 0, corrupt(last, "the next object of its bucket, the %dth, is %#x", n+1, off)
		}
		b, size, err := f.data.object(off, typeData, dataHeader)
		if err != nil {
			return 0, err
		}
		next := binary.LittleEndian.Uint64(b[dataNext:])
		got := binary.LittleEndian.Uint64(b[dataHash:])
		if got%f.head.buckets != bucket {
			return 0, corrupt(off, "its hash %#x is not one of bucket %d of %d", got, bucket, f.head.buckets)
		}
		if got == hash {
			if ok, err := f.payloadIs(off, size, b[1], payload); ok || err != nil {
				return off, err
			}
		}
		last, off = off, next
	}
	return 0, f.checkTable()
}

// checkTable makes sure, once, that the hash table finds a field of the first entry.
// Else a file with a damaged header would look as if it had nothing of interest.
func (f *file) checkTable() error {
	if f.tableChecked || f.head.entries == 0 {
		return nil
	}
	f.tableChecked = true
	var e entry
	all := &chain{file: f, head: f.head.array, total: 1}
	place, err := all.peek()
	if err != nil {
		return err
	}
	if err := f.entry(place, &e); err != nil {
		return err
	}
	for _, at := range e.items {
		b, size, err := f.data.object(at, typeData, dataHeader)
		if err != nil {
			return err
		}
		if size > 2*maxValue {
			continue // a short one is enough
		}
		payload, _, err := f.payload(at, size, b[1], maxValue+1)
		if err != nil {
			return err
		}
		if len(payload) > maxValue {
			continue
		}
		found, err := f.find(bytes.Clone(payload))
		if err == nil && found != at {
			err = corrupt(at, "the hash table does not lead to it")
		}
		return err
	}
	return nil
}

// payloadIs reports whether an object that has the hash of a payload has the payload
// too. One that has another hash than it should is corrupt.
func (f *file) payloadIs(off, size uint64, codec uint8, payload []byte) (bool, error) {
	limit := max(len(payload), maxValue)
	got, _, err := f.payload(off, size, codec, limit+1)
	if err != nil || bytes.Equal(got, payload) {
		return err == nil, err
	}
	if len(got) > limit {
		return false, nil
	}
	return false, f.check(off, got, f.head.hash(payload))
}

// payload reads up to limit bytes of a DATA object's payload, and tells how many
// more there are, as far as that is known. They are valid until the next call.
func (f *file) payload(off, size uint64, codec uint8, limit int) (b []byte, more uint64, err error) {
	at := uint64(dataHeader)
	if f.head.is(flagCompact) {
		at += 8
	}
	if size < at {
		return nil, 0, corrupt(off, "got size %d, want %d at least", size, at)
	}
	n := size - at
	if codec &= objectXZ | objectLZ4 | objectZSTD; codec == 0 {
		if n > uint64(limit) {
			n, more = uint64(limit), n-uint64(limit)
		}
		b, err = f.data.read(off+at, int(n))
		return b, more, err
	}
	if n > maxPacked {
		return nil, 0, corrupt(off, "%d packed bytes are too many", n)
	}
	packed, err := f.data.read(off+at, int(n))
	if err != nil {
		return nil, 0, err
	}
	if cap(f.unpacked) > maxScratch && limit < maxScratch {
		f.unpacked = nil
	}
	f.unpacked, err = f.codecs.unpack(f.unpacked[:0], packed, codec, limit)
	if err != nil {
		return nil, 0, corrupt(off, "%v", err)
	}
	return f.unpacked, 0, nil
}

// maxPacked bounds a compressed payload, in bytes: the beginning of a longer one
// would have to be read whole.
const maxPacked = 16 << 20

// newChain returns the chain of a DATA object.
func (f *file) newChain(data uint64) (*chain, error) {
	c := &chain{file: f}
	return c, f.recount(c, data)
}

// recount takes notice of entries that have come since.
func (f *file) recount(c *chain, data uint64) error {
	b, _, err := f.data.object(data, typeData, dataHeader)
	if err != nil {
		return err
	}
	c.total = binary.LittleEndian.Uint64(b[dataEntries:])
	c.first = binary.LittleEndian.Uint64(b[dataFirst:])
	c.head = binary.LittleEndian.Uint64(b[dataArray:])
	return nil
}
