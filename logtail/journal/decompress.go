package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

// maxDictionary bounds the memory that a compressed payload may ask for.
// journald's own need 1 MiB (XZ) and 2 MiB (Zstandard).
const maxDictionary = 8 << 20

// decompressor unpacks payloads. It keeps its memory for the next one.
type decompressor struct {
	zstd *zstd.Decoder
	src  bytes.Reader
}

// unpack appends the beginning of a payload, up to limit bytes, to dst. What an
// attacker packed into few bytes costs no more than what is asked for.
func (d *decompressor) unpack(dst, packed []byte, codec uint8, limit int) ([]byte, error) {
	var err error
	switch codec {
	case objectZSTD:
		dst, err = d.unpackZSTD(dst, packed, limit)
	case objectXZ:
		dst, err = d.unpackXZ(dst, packed, limit)
	case objectLZ4:
		dst, err = unpackLZ4(dst, packed, limit)
	default:
		err = fmt.Errorf("unknown compression %#x", codec)
	}
	return dst, err
}

func (d *decompressor) unpackZSTD(dst, packed []byte, limit int) ([]byte, error) {
	if d.zstd == nil {
		var err error
		// One that is not concurrent starts no goroutine, so it needs no Close.
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxDictionary), zstd.IgnoreChecksum(true))
		if err != nil {
			return dst, err
		}
	}
	d.src.Reset(packed)
	if err := d.zstd.Reset(&d.src); err != nil {
		return dst, fmt.Errorf("unpack zstd: %w", err)
	}
	return readUpTo(dst, d.zstd, limit)
}

// unpackXZ leaves the container format to parseXZ: the library would go on to the
// next block, and reserve whatever dictionary that one asks for. liblzma makes a
// single one. The sums in it are not needed: a DATA object has its own.
func (d *decompressor) unpackXZ(dst, packed []byte, limit int) ([]byte, error) {
	chunks, dictionary, err := parseXZ(packed)
	if err != nil {
		return dst, fmt.Errorf("unpack xz: %w", err)
	}
	d.src.Reset(chunks)
	r, err := lzma.Reader2Config{DictCap: dictionary}.NewReader2(&d.src)
	if err != nil {
		return dst, fmt.Errorf("unpack xz: %w", err)
	}
	return readUpTo(dst, r, limit)
}

// parseXZ returns what follows the header of the first block, and the size of its
// dictionary, unless that is too big. The layout is that of the .xz file format
// 1.2.1, sections 2.1.1, 3.1 and 5.3.1: a stream header, then the header of the
// block, here with one filter, LZMA2. liblzma puts the sizes into it.
func parseXZ(packed []byte) (chunks []byte, dictionary int, err error) {
	const streamHeader, lzma2 = 12, 0x21
	if !bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")) {
		return nil, 0, errors.New("it does not begin as XZ does")
	}
	if len(packed) <= streamHeader {
		return nil, 0, io.ErrUnexpectedEOF
	}
	size := (int(packed[streamHeader]) + 1) * 4
	if len(packed) < streamHeader+size {
		return nil, 0, io.ErrUnexpectedEOF
	}
	head, chunks := packed[streamHeader:][:size], packed[streamHeader+size:]
	flags, filter := head[1], head[2:]
	for _, sized := range []byte{0x40, 0x80} { // packed, unpacked
		if flags&sized != 0 {
			_, n := binary.Uvarint(filter)
			filter = filter[max(n, 0):]
		}
	}
	if flags&3 != 0 || len(filter) < 3 || filter[0] != lzma2 || filter[1] != 1 {
		return nil, 0, errors.New("the first block has other filters than LZMA2")
	}
	bits := filter[2]
	wanted := (2 | uint64(bits&1)) << (bits/2 + 11)
	if bits > 40 || wanted > maxDictionary {
		return nil, 0, fmt.Errorf("the dictionary is too big (%#x)", bits)
	}
	return chunks, int(wanted), nil
}

// readUpTo reads limit bytes, or less where the text is shorter.
func readUpTo(dst []byte, r io.Reader, limit int) ([]byte, error) {
	end := len(dst) + limit
	for len(dst) < end {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), end)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, fmt.Errorf("unpack: %w", err)
		}
	}
	return dst, nil
}

// unpackLZ4 unpacks what systemd stores: the size as 64 bits and one LZ4 block
// (systemd v257, src/basic/compress.c, compress_blob_lz4; the format is LZ4's
// lz4_Block_format.md). The libraries' decoders take all of a block or nothing; a
// payload of many MiB must not cost more than the beginning that is wanted.
func unpackLZ4(dst, packed []byte, limit int) ([]byte, error) {
	if len(packed) < 8 {
		return dst, errShortLZ4
	}
	if size := binary.LittleEndian.Uint64(packed); size < uint64(limit) {
		limit = int(size)
	}
	base, end := len(dst), len(dst)+limit
	var err error
	for src := packed[8:]; len(dst) < end; {
		if dst, src, err = unpackLZ4Sequence(dst, src, base, end); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

var errShortLZ4 = fmt.Errorf("unpack lz4: %w", io.ErrUnexpectedEOF)

// unpackLZ4Sequence unpacks literals and the match behind them, but nothing behind end.
func unpackLZ4Sequence(dst, src []byte, base, end int) (unpacked, rest []byte, err error) {
	if len(src) == 0 {
		return dst, nil, errShortLZ4
	}
	token := src[0]
	n, src, err := lz4Length(src[1:], token>>4)
	if err != nil || n > len(src) {
		return dst, nil, cmp.Or(err, errShortLZ4)
	}
	dst = append(dst, src[:min(n, end-len(dst))]...)
	src = src[n:]
	if len(dst) == end {
		return dst, src, nil
	}
	if len(src) < 2 {
		return dst, nil, errShortLZ4
	}
	back := int(binary.LittleEndian.Uint16(src))
	if back == 0 || back > len(dst)-base {
		return dst, nil, errors.New("unpack lz4: a match lies before the beginning")
	}
	if n, src, err = lz4Length(src[2:], token&15); err != nil {
		return dst, nil, err
	}
	return repeat(dst, back, min(n+4, end-len(dst))), src, nil
}

// lz4Length completes a length whose first four bits are given.
func lz4Length(src []byte, four byte) (n int, rest []byte, err error) {
	n = int(four)
	if four < 15 {
		return n, src, nil
	}
	for i, b := range src {
		n += int(b)
		if b < 255 {
			return n, src[i+1:], nil
		}
	}
	return 0, nil, errShortLZ4
}

// repeat appends n bytes that begin back bytes before the end, which may be less
// than n.
func repeat(dst []byte, back, n int) []byte {
	for n > 0 {
		from := len(dst) - back
		part := min(n, back)
		dst = append(dst, dst[from:from+part]...)
		n -= part
	}
	return dst
}
