package journal

import (
	"encoding/binary"
	"math/rand/v2"
)

// damage is one kind of what can befall a file.
type damage struct {
	name string
	// silent says why entries may be missing or wrong without a loss that is counted;
	// empty if they must not be.
	silent string
	do     func(*mutation) []byte
}

// mutation is one file that is being damaged.
type mutation struct {
	*rand.Rand
	s *sample
	b []byte
}

// The reader checks what it uses: the kind and size of each object, that chains go
// forward and hold as many entries as they claim, that the hash table leads to what
// is there, and the hash of each field that it hands over. Nothing in a file covers
// the rest: the times and numbers of entries, the ids of file and boot, the number of
// entries that a field claims to have if it is too small, the beginning of a chain of
// the hash table.
//
// What is damaged is the same each time, so a kind that must not be silent is not so
// by chance.
func damages() []damage {
	return []damage{
		{name: "truncated", do: (*mutation).truncate},
		{name: "zeroed blocks", do: (*mutation).zero},
		{name: "overwritten blocks", do: (*mutation).overwrite},
		{name: "few bits flipped", silent: "nothing covers times and ids", do: (*mutation).flipFew},
		{name: "many bits flipped", do: (*mutation).flipMany},
		{name: "bits flipped in the header", silent: "nothing covers the id of the sequence", do: (*mutation).flipHeader},
		{name: "bits flipped in the headers of objects", silent: "nothing covers times, ids and counts", do: (*mutation).flipObjects},
		{name: "loops", do: (*mutation).loop},
		{name: "absurd sizes of objects", do: (*mutation).resize},
		{name: "absurd numbers in the header", do: (*mutation).absurdHeader},
		{name: "too many entries claimed", do: (*mutation).claimMany},
		{name: "too few entries claimed", silent: "an entry is there before it is counted, maybe half of it", do: (*mutation).claimFew},
		{name: "places of entries anywhere", do: (*mutation).misplaceEntries},
		{name: "places of fields anywhere", do: (*mutation).misplaceFields},
		{name: "bombs", do: (*mutation).bomb},
	}
}

func (m *mutation) set(at, value uint64) {
	binary.LittleEndian.PutUint64(m.b[at:], value)
}

func (m *mutation) get(at uint64) uint64 { return binary.LittleEndian.Uint64(m.b[at:]) }

// absurd is a number that no object has.
func (m *mutation) absurd() uint64 {
	numbers := []uint64{0, 1, 15, 16, 24, 63, 64, 71, 1 << 20, 1 << 31, 1 << 32, 1 << 60, 1<<63 - 1, 1 << 63, 1<<64 - 8, 1<<64 - 1}
	return numbers[m.IntN(len(numbers))]
}

// some returns each object of a type with the given probability, but one at least.
func (m *mutation) some(typ uint8, share float64) []object {
	var all, some []object
	for _, o := range m.s.objects {
		if o.typ != typ {
			continue
		}
		all = append(all, o)
		if m.Float64() < share {
			some = append(some, o)
		}
	}
	if len(some) == 0 {
		some = append(some, all[m.IntN(len(all))])
	}
	return some
}

// used is the place of a byte that something was written to: most of a file is an
// empty hash table.
func (m *mutation) used() uint64 {
	for {
		at := m.Uint64N(uint64(len(m.b)))
		if m.b[at] != 0 || m.IntN(1000) == 0 {
			return at
		}
	}
}

func (m *mutation) truncate() []byte {
	if m.IntN(10) == 0 {
		return m.b[:headerSize+m.IntN(100)] // journald has not begun a shorter one
	}
	return m.b[:max(m.used(), headerSize)]
}

// zero overwrites pages of a disk, which begin where those of the file do.
func (m *mutation) zero() []byte {
	for range 1 + m.IntN(4) {
		size := uint64(512) << m.IntN(6)
		at := m.used() &^ (size - 1)
		clear(m.b[at:min(at+size, uint64(len(m.b)))])
	}
	return m.b
}

// overwrite puts other pages of the file, or anything, in the place of some.
func (m *mutation) overwrite() []byte {
	for range 1 + m.IntN(4) {
		const size = 4096
		at := m.used() &^ (size - 1)
		block := m.b[at:min(at+size, uint64(len(m.b)))]
		copy(block, m.b[m.used()&^(size-1):])
		if m.IntN(2) == 0 {
			for i := range block {
				block[i] = byte(m.Uint32())
			}
		}
	}
	return m.b
}

func (m *mutation) flip(at uint64) { m.b[at] ^= 1 << m.IntN(8) }

func (m *mutation) flipFew() []byte {
	for range 1 + m.IntN(8) {
		m.flip(m.used())
	}
	return m.b
}

func (m *mutation) flipMany() []byte {
	for range 100 + m.IntN(5000) {
		m.flip(m.used())
	}
	return m.b
}

func (m *mutation) flipHeader() []byte {
	for range 1 + m.IntN(3) {
		m.flip(m.Uint64N(headerSize))
	}
	return m.b
}

func (m *mutation) flipObjects() []byte {
	for range 1 + m.IntN(100) {
		o := m.s.objects[m.IntN(len(m.s.objects))]
		m.flip(o.off + m.Uint64N(min(o.size, dataHeader)))
	}
	return m.b
}

// loop makes chains return to where they were.
func (m *mutation) loop() []byte {
	first := map[uint8]uint64{}
	for _, o := range m.s.objects {
		if first[o.typ] == 0 {
			first[o.typ] = o.off
		}
	}
	back := func(o object) uint64 {
		if m.IntN(2) == 0 {
			return o.off
		}
		return first[o.typ]
	}
	share := m.Float64()
	for _, o := range m.some(typeData, share) {
		m.set(o.off+dataNext, back(o))
	}
	for _, o := range m.some(typeEntryArray, share) {
		const next = 16
		m.set(o.off+next, back(o))
	}
	return m.b
}

func (m *mutation) resize() []byte {
	typ := []uint8{typeData, typeEntry, typeEntryArray}[m.IntN(3)]
	for _, o := range m.some(typ, m.Float64()) {
		m.set(o.off+8, m.absurd())
	}
	return m.b
}

// absurdHeader sets the sizes of the header and of the rest, the hash table or the
// number and first array of entries.
func (m *mutation) absurdHeader() []byte {
	fields := []uint64{88, 96, 104, 112, 152, 160, 168, 176}
	m.set(fields[m.IntN(len(fields))], m.absurd())
	return m.b
}

func (m *mutation) claimMany() []byte {
	for _, o := range m.some(typeData, m.Float64()) {
		at := o.off + dataEntries
		m.set(at, max(m.absurd(), m.get(at)+1))
	}
	return m.b
}

func (m *mutation) claimFew() []byte {
	for _, o := range m.some(typeData, m.Float64()) {
		at := o.off + dataEntries
		m.set(at, m.Uint64N(m.get(at)+1))
	}
	return m.b
}

// misplaceEntries changes the first entries and arrays of fields, or what is in arrays.
func (m *mutation) misplaceEntries() []byte {
	for _, o := range m.some(typeData, m.Float64()) {
		m.set(o.off+[]uint64{dataFirst, dataArray}[m.IntN(2)], m.anywhere())
	}
	for _, o := range m.some(typeEntryArray, m.Float64()) {
		for range 1 + m.IntN(4) {
			m.set((o.off+arrayHeader+m.Uint64N(o.size-arrayHeader))&^7, m.anywhere())
		}
	}
	return m.b
}

func (m *mutation) misplaceFields() []byte {
	for _, o := range m.some(typeEntry, m.Float64()) {
		m.set((o.off+entryHeader+m.Uint64N(o.size-entryHeader))&^7, m.anywhere())
	}
	return m.b
}

// anywhere is a place in the file, of an object or not, or outside of it.
func (m *mutation) anywhere() uint64 {
	switch m.IntN(4) {
	case 0:
		return m.absurd()
	case 1:
		return m.used()
	case 2:
		return m.used() &^ 7
	}
	return m.s.objects[m.IntN(len(m.s.objects))].off
}
