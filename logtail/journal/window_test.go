package journal

import (
	"encoding/binary"
	"testing"
)

// growing is a file whose later part is written between two reads.
type growing struct{ text []byte }

func (g *growing) ReadAt(b []byte, off int64) (int, error) { return copy(b, g.text[off:]), nil }

// What stands around an entry was read when it was; journald goes on writing behind it,
// and what it links then was not there yet.
func TestWindowIsOlderThanTheObject(t *testing.T) {
	const entry, object = 4096, 4096 + 512
	g := &growing{make([]byte, 8192)}
	c := &content{at: g, size: func() (int64, error) { return int64(len(g.text)), nil }}
	if err := c.look(entry); err != nil {
		t.Fatal(err)
	}
	g.text[object] = typeData
	binary.LittleEndian.PutUint64(g.text[object+8:], dataHeader)
	if _, size, err := c.object(object, typeData, objectHeader); err != nil || size != dataHeader {
		t.Errorf("got size %d, %v", size, err)
	}
	g.text[object] = 0
	if _, _, err := c.object(object, typeData, objectHeader); err == nil {
		t.Error("an object that is not there was found")
	}
}
