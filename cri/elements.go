package cri

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that ours wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// elements takes an answer that is a list: field 1 of the message, repeated. Decoded at
// once, 16 MiB of empty elements take more than a gigabyte: each costs two bytes in the
// message and a struct in memory.
type elements struct {
	// each takes one element, encoded.
	each func(element []byte) error
	// most bounds the elements, over all messages of a stream; seen and cut count them.
	most, seen, cut int
	buffer          []byte
}

// elementsOf decodes each element into the same message.
func elementsOf[Element any, P interface {
	*Element
	proto.Message
}](most int, each func(P),
) *elements {
	element := P(new(Element))
	return &elements{most: most, each: func(encoded []byte) error {
		if err := proto.Unmarshal(encoded, element); err != nil {
			return err
		}
		each(element)
		return nil
	}}
}

// decode reads one message (protobuf.dev/programming-guides/encoding).
func (e *elements) decode(r *mem.Reader) error {
	for r.Remaining() > 0 {
		tag, err := binary.ReadUvarint(r)
		if err != nil {
			return fmt.Errorf("decode list: %w", err)
		}
		number, kind := protowire.DecodeTag(tag)
		if number == 1 && kind == protowire.BytesType {
			err = e.element(r)
		} else {
			err = skip(r, kind)
		}
		if err != nil {
			return fmt.Errorf("decode list: %w", err)
		}
	}
	return nil
}

// element decodes one, or passes it where it is one too many or too long.
func (e *elements) element(r *mem.Reader) error {
	length, err := lengthOf(r)
	if err != nil {
		return err
	}
	if e.seen++; e.seen > e.most || length > maxElement {
		e.cut++
		return discard(r, length)
	}
	if e.buffer == nil {
		e.buffer = make([]byte, maxElement)
	}
	if _, err := io.ReadFull(r, e.buffer[:length]); err != nil {
		return err
	}
	return e.each(e.buffer[:length])
}

// skip passes a field that nobody asks for.
func skip(r *mem.Reader, kind protowire.Type) error {
	switch kind {
	case protowire.VarintType:
		_, err := binary.ReadUvarint(r)
		return err
	case protowire.Fixed32Type:
		return discard(r, 4)
	case protowire.Fixed64Type:
		return discard(r, 8)
	case protowire.BytesType:
		length, err := lengthOf(r)
		if err != nil {
			return err
		}
		return discard(r, length)
	default:
		return fmt.Errorf("got wire type %d, want 0, 1, 2 or 5", kind)
	}
}

// lengthOf reads the length of a field.
func lengthOf(r *mem.Reader) (int, error) {
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, err
	}
	if left := r.Remaining(); length > uint64(left) {
		return 0, fmt.Errorf("got a field of %d bytes, but %d are left: %w", length, left, io.ErrUnexpectedEOF)
	}
	return int(length), nil
}

func discard(r *mem.Reader, n int) error {
	_, err := r.Discard(n)
	return err
}

// listCodec encodes requests as usual and decodes answers into [elements].
func listCodec() encoding.CodecV2 { return elementCodec{encoding.GetCodecV2("proto")} }

type elementCodec struct{ encoding.CodecV2 }

// Unmarshal implements [encoding.CodecV2].
func (c elementCodec) Unmarshal(data mem.BufferSlice, v any) error {
	into, ok := v.(*elements)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	r := data.Reader()
	defer r.Close() //nolint:errcheck // it only gives buffers back
	return into.decode(r)
}
