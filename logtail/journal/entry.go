package journal

import (
	"encoding/binary"
	"slices"
)

// entry is an ENTRY object: when, and where its fields are.
type entry struct {
	off       uint64
	seqnum    uint64
	realtime  uint64 // µs since 1970
	monotonic uint64 // µs since the boot
	boot      id128
	xor       uint64 // of the hashes of its fields
	items     []uint64
}

// compare orders entries of different files as sd-journal does (systemd v257,
// compare_locations): by number within one sequence, by the clock of one boot,
// else by time.
func (e *entry) compare(f *entry, sameSequence bool) int {
	switch {
	case sameSequence:
		return compare(e.seqnum, f.seqnum)
	case e.boot == f.boot && e.monotonic != f.monotonic:
		return compare(e.monotonic, f.monotonic)
	case e.realtime != f.realtime:
		return compare(e.realtime, f.realtime)
	}
	return compare(e.xor, f.xor)
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// entry reads an entry with the places of its fields into e.
func (f *file) entry(off uint64, e *entry) error {
	if err := f.data.look(off); err != nil {
		return err
	}
	b, size, err := f.data.object(off, typeEntry, entryHeader)
	if err != nil {
		return err
	}
	readEntry(b, off, e)
	item := uint64(16)
	if f.head.is(flagCompact) {
		item = 4
	}
	n := (size - entryHeader) / item
	if n > maxItems {
		return corrupt(off, "got %d fields, want at most %d", n, maxItems)
	}
	b, err = f.data.read(off+entryHeader, int(n*item))
	if err != nil {
		return err
	}
	e.items = slices.Grow(e.items[:0], int(n))
	for ; len(b) > 0; b = b[item:] {
		at := uint64(binary.LittleEndian.Uint32(b))
		if item == 16 {
			at = binary.LittleEndian.Uint64(b)
		}
		e.items = append(e.items, at)
	}
	return nil
}

// stamp reads an entry without its fields.
func (f *file) stamp(off uint64, e *entry) error {
	b, _, err := f.data.object(off, typeEntry, entryHeader)
	if err != nil {
		return err
	}
	readEntry(b, off, e)
	return nil
}

func readEntry(b []byte, off uint64, e *entry) {
	e.off = off
	e.seqnum = binary.LittleEndian.Uint64(b[16:])
	e.realtime = binary.LittleEndian.Uint64(b[24:])
	e.monotonic = binary.LittleEndian.Uint64(b[32:])
	e.boot = id128(b[40:56])
	e.xor = binary.LittleEndian.Uint64(b[56:])
}
