package journal

import (
	"encoding/binary"
	"math/bits"

	"github.com/dchest/siphash"
)

// hash is that of a payload in this file: siphash24 keyed with the file's id
// where the file is so flagged, else [jenkins].
func (h *header) hash(payload []byte) uint64 {
	if h.is(flagKeyed) {
		return siphash.Hash(binary.LittleEndian.Uint64(h.fileID[:]), binary.LittleEndian.Uint64(h.fileID[8:]), payload)
	}
	return jenkins(payload)
}

// jenkins is Bob Jenkins' lookup3, hashlittle2 with both seeds 0, the first word
// in the upper half (systemd v257, src/basic/lookup3.c, jenkins_hash64).
func jenkins(p []byte) uint64 {
	a := 0xdeadbeef + uint32(len(p))
	b, c := a, a
	for len(p) > 12 {
		a += binary.LittleEndian.Uint32(p)
		b += binary.LittleEndian.Uint32(p[4:])
		c += binary.LittleEndian.Uint32(p[8:])
		a, b, c = jenkinsMix(a, b, c)
		p = p[12:]
	}
	if len(p) > 0 {
		var last [12]byte
		copy(last[:], p)
		a += binary.LittleEndian.Uint32(last[0:])
		b += binary.LittleEndian.Uint32(last[4:])
		c += binary.LittleEndian.Uint32(last[8:])
		b, c = jenkinsFinal(a, b, c)
	}
	return uint64(c)<<32 | uint64(b)
}

func jenkinsMix(a, b, c uint32) (x, y, z uint32) {
	a = a - c ^ bits.RotateLeft32(c, 4)
	c += b
	b = b - a ^ bits.RotateLeft32(a, 6)
	a += c
	c = c - b ^ bits.RotateLeft32(b, 8)
	b += a
	a = a - c ^ bits.RotateLeft32(c, 16)
	c += b
	b = b - a ^ bits.RotateLeft32(a, 19)
	a += c
	c = c - b ^ bits.RotateLeft32(b, 4)
	b += a
	return a, b, c
}

func jenkinsFinal(a, b, c uint32) (y, z uint32) {
	c = c ^ b - bits.RotateLeft32(b, 14)
	a = a ^ c - bits.RotateLeft32(c, 11)
	b = b ^ a - bits.RotateLeft32(a, 25)
	c = c ^ b - bits.RotateLeft32(b, 16)
	a = a ^ c - bits.RotateLeft32(c, 4)
	b = b ^ a - bits.RotateLeft32(a, 14)
	c = c ^ b - bits.RotateLeft32(b, 24)
	return b, c
}
