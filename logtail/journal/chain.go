package journal

import (
	"encoding/binary"
	"sort"
)

// maxBlock is how many places of entries are read at once.
const maxBlock = 512

// chain walks the entries that have one field, in their order, or all of a
// file. The places of entries stand in arrays that are linked and grow; a DATA
// object keeps the first one itself.
//
// journald writes a place before it counts it, so what is counted can be read.
// What is not there all the same is taken to come.
type chain struct {
	file  *file
	first uint64 // place of the first entry where it stands apart; 0 = in the arrays
	head  uint64 // first array; 0 = none yet
	total uint64 // how many entries are counted

	taken uint64 // entries passed
	last  uint64 // place of the one passed last
	array uint64 // array that is being read; 0 = before the first
	size  uint64 // how many places it has
	index uint64 // of the next one in it
	hops  int    // arrays gone through

	block []uint64 // places read already, from index on
}

// peek returns the place of the next entry; 0 if there is none yet.
func (c *chain) peek() (uint64, error) {
	if c.taken >= c.total {
		return 0, nil
	}
	if c.taken == 0 && c.first != 0 {
		return c.first, nil
	}
	for c.array == 0 || c.index >= c.size {
		ok, err := c.nextArray()
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, c.missing()
		}
	}
	if len(c.block) == 0 {
		n := min(c.size-c.index, c.total-c.taken, maxBlock)
		if err := c.readBlock(int(n)); err != nil {
			return 0, err
		}
	}
	place := c.block[0]
	if place != 0 && place <= c.last {
		return 0, corrupt(c.array, "entry %#x follows %#x", place, c.last)
	}
	if place == 0 {
		c.block = c.block[:0] // not there yet: read again
		return 0, c.missing()
	}
	return place, nil
}

// missing is what is wrong where counted entries are not there: nothing, unless
// the file is done with, and they cannot come any more.
func (c *chain) missing() error {
	if !c.file.finished {
		return nil
	}
	return corrupt(c.array, "of %d entries only %d are there", c.total, c.taken)
}

// take passes the entry that peek returned.
func (c *chain) take(place uint64) {
	c.last = place
	if !(c.taken == 0 && c.first != 0) {
		c.index++
		c.block = c.block[1:]
	}
	c.taken++
}

func (c *chain) nextArray() (ok bool, err error) {
	next := c.head
	if c.array != 0 {
		b, _, err := c.file.data.object(c.array, typeEntryArray, arrayHeader)
		if err != nil {
			return false, err
		}
		next = binary.LittleEndian.Uint64(b[16:])
	}
	if next == 0 {
		return false, nil
	}
	return true, c.enter(next)
}

// enter goes to an array. Later ones lie behind earlier ones, so no chain is a loop.
func (c *chain) enter(array uint64) error {
	if array <= c.array || c.hops > maxArrays {
		return corrupt(c.array, "its next array, the %dth, is %#x", c.hops+1, array)
	}
	_, size, err := c.file.data.object(array, typeEntryArray, arrayHeader)
	if err != nil {
		return err
	}
	n := (size - arrayHeader) / c.itemSize()
	if n == 0 {
		return corrupt(array, "it has no room for an entry")
	}
	c.array, c.size, c.index, c.hops, c.block = array, n, 0, c.hops+1, nil
	return nil
}

func (c *chain) itemSize() uint64 {
	if c.file.head.is(flagCompact) {
		return 4
	}
	return 8
}

func (c *chain) readBlock(n int) error {
	b, err := c.file.data.read(c.array+arrayHeader+c.index*c.itemSize(), n*int(c.itemSize()))
	if err != nil {
		return err
	}
	c.block = make([]uint64, 0, n)
	for range n {
		c.block = append(c.block, c.place(b))
		b = b[c.itemSize():]
	}
	return nil
}

func (c *chain) place(b []byte) uint64 {
	if c.file.head.is(flagCompact) {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// seek goes to the first entry that is not before a place in time, which before
// tells of an entry: a few reads, however long the chain is.
func (c *chain) seek(before func(*entry) bool) error {
	*c = chain{file: c.file, first: c.first, head: c.head, total: c.total}
	var e entry
	if c.first != 0 && c.total > 0 {
		if err := c.file.stamp(c.first, &e); err != nil || !before(&e) {
			return err
		}
		c.taken, c.last = 1, c.first
	}
	for c.taken < c.total {
		if ok, err := c.nextArray(); !ok || err != nil {
			return err
		}
		filled := min(c.size, c.total-c.taken)
		end, err := c.passed(filled-1, before)
		if err != nil {
			return err
		}
		if !end {
			return c.bisect(filled-1, before)
		}
		c.index = filled
		c.taken += filled
	}
	return nil
}

// bisect finds the entry in the array of which it is known that the one at most is
// not before.
func (c *chain) bisect(most uint64, before func(*entry) bool) error {
	var failed error
	at := sort.Search(int(most), func(i int) bool {
		if failed != nil {
			return true
		}
		passed, err := c.passed(uint64(i), before)
		failed = err
		return !passed
	})
	c.index = uint64(at)
	c.taken += uint64(at)
	c.last = 0
	return failed
}

// passed reports whether the entry at an index of the array is before.
func (c *chain) passed(index uint64, before func(*entry) bool) (bool, error) {
	b, err := c.file.data.read(c.array+arrayHeader+index*c.itemSize(), int(c.itemSize()))
	if err != nil {
		return false, err
	}
	var e entry
	if err := c.file.stamp(c.place(b), &e); err != nil {
		return false, err
	}
	return before(&e), nil
}
