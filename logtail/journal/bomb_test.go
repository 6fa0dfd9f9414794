package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// bomb is a compressed payload that takes more than its size lets expect.
type bomb struct {
	name  string
	codec uint8
	bytes []byte
}

const bombName = "MESSAGE="

// The dictionaries that an XZ block may ask for.
const (
	dictMiB   = 16 // 1 MiB
	dict8MiB  = 22
	dict3GiB  = 39
	dictTooMB = 40 // 4 GiB - 1
)

// bombs are made once: to pack them takes its time.
func bombs() []bomb {
	text := xzBlock(dictMiB, slices.Concat(lzmaChunk(bombName), bytes.Repeat(lzmaChunk(""), 1024), []byte{0}))
	small := xzBlock(dictMiB, lzmaText(bombName+"x"))
	return []bomb{
		{"zstd, 1 GiB of 32 KiB", objectZSTD, zstdFrame(0x00, []byte{0x58}, 8<<10)},
		{"zstd, a window of 2 GiB", objectZSTD, zstdFrame(0x00, []byte{0xa8}, 16)},
		{"zstd, a window of 3.75 TiB", objectZSTD, zstdFrame(0x00, []byte{0xff}, 16)},
		{"zstd, one segment of 1 EiB", objectZSTD, zstdFrame(0xe0, binary.LittleEndian.AppendUint64(nil, 1<<60), 16)},
		{"zstd, a second frame with a window of 2 GiB", objectZSTD, slices.Concat(zstdFrame(0x00, []byte{0x58}, 0), zstdFrame(0x00, []byte{0xa8}, 16))},
		{"xz, 1 GiB", objectXZ, slices.Concat(xzHeader(), text)},
		{"xz, a dictionary of 8 MiB", objectXZ, slices.Concat(xzHeader(), xzBlock(dict8MiB, lzmaText(bombName+"x")))},
		{"xz, a dictionary of 3 GiB", objectXZ, slices.Concat(xzHeader(), xzBlock(dict3GiB, lzmaText(bombName+"x")))},
		{"xz, a dictionary of 4 GiB", objectXZ, slices.Concat(xzHeader(), xzBlock(dictTooMB, lzmaText(bombName+"x")))},
		{"xz, a second block with a dictionary of 3 GiB", objectXZ, slices.Concat(xzHeader(), small, xzBlock(dict3GiB, lzmaText("x")))},
		{"lz4, 16 MiB of 64 KiB", objectLZ4, lz4Block(16<<20, 64<<10)},
		{"lz4, 1 EiB", objectLZ4, lz4Block(1<<60, 64<<10)},
		{"lz4, 16 EiB", objectLZ4, lz4Block(1<<64-1, 64<<10)},
		{"lz4, a length without an end", objectLZ4, lz4Block(1<<60, 1<<20)[:1<<20]},
		{"three codecs at once", objectXZ | objectLZ4 | objectZSTD, lz4Block(1<<60, 16)},
	}
}

// zstdFrame is a frame whose content begins as a message does and goes on with
// blocks of one byte that is repeated 128 Ki times (RFC 8878).
func zstdFrame(descriptor byte, window []byte, blocks int) []byte {
	const raw, rle = 0, 1
	b := slices.Concat([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, window)
	add := func(last, kind, size int, content string) {
		head := last | kind<<1 | size<<3
		b = append(append(b, byte(head), byte(head>>8), byte(head>>16)), content...)
	}
	add(0, raw, len(bombName), bombName)
	for range blocks {
		add(0, rle, 128<<10, "a")
	}
	add(1, raw, 0, "")
	return b
}

// lz4Block is what systemd stores: a size and a block, here of a message of which n
// bytes say how long it is (lz4_Block_format.md).
func lz4Block(size uint64, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, size)
	b = append(b, byte(len(bombName))<<4|15)
	b = append(append(b, bombName...), 1, 0)
	return append(append(b, bytes.Repeat([]byte{255}, n)...), 0)
}

// xzHeader begins a stream without checks (The .xz File Format 1.2.1, section 2.1.1).
func xzHeader() []byte {
	b := []byte{0xfd, '7', 'z', 'X', 'Z', 0, 0, 0}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[6:]))
}

// xzBlock is a block with one filter, LZMA2, and a dictionary of the given size
// (sections 3.1 and 5.3.1).
func xzBlock(dict byte, chunks []byte) []byte {
	b := []byte{2, 0, 0x21, 1, dict, 0, 0, 0}
	b = append(binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), chunks...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// lzmaChunk is a chunk of 1 MiB that begins with a text and needs no other chunk.
func lzmaChunk(begin string) []byte {
	b := lzmaText(begin + string(bytes.Repeat([]byte{'a'}, 1<<20-len(begin))))
	return b[:len(b)-1]
}

// lzmaText is a text as LZMA2, with the end mark.
func lzmaText(text string) []byte {
	var b bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: 1 << 20}.NewWriter2(&b)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bomb adds fields with bombs behind the end of a file and makes them the fields of
// entries. At most three: what they cost adds up.
func (m *mutation) bomb() []byte {
	all := m.s.bombs
	for range 1 + m.IntN(3) {
		b := all[m.IntN(len(all))]
		entries := m.some(typeEntry, 0)
		m.place(entries[0], m.add(b))
	}
	const headerBytes, arena = 88, 96
	m.set(arena, uint64(len(m.b))-m.get(headerBytes))
	return m.b
}

// add appends a DATA object.
func (m *mutation) add(b bomb) uint64 {
	head := make([]byte, dataHeader, dataHeader+8+len(b.bytes))
	if m.s.header.is(flagCompact) {
		head = head[:dataHeader+8]
	}
	head[0], head[1] = typeData, b.codec
	binary.LittleEndian.PutUint64(head[8:], uint64(len(head)+len(b.bytes)))
	for len(m.b)%8 != 0 {
		m.b = append(m.b, 0)
	}
	off := uint64(len(m.b))
	m.b = append(append(m.b, head...), b.bytes...)
	return off
}

// place makes an object the first field of an entry.
func (m *mutation) place(entry object, at uint64) {
	if m.s.header.is(flagCompact) {
		binary.LittleEndian.PutUint32(m.b[entry.off+entryHeader:], uint32(at))
		return
	}
	m.set(entry.off+entryHeader, at)
}
