package spool

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"strings"

	"pullcause/agent/export"
)

// version is that of export.Record which is written and read here.
const version = 1

const (
	sumDigits = 8
	// maxLength is of the number, and so bounds a record to 10 GB.
	maxLength = 10
	maxHeader = sumDigits + 1 + maxLength + 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// coder makes lines of records.
type coder struct {
	lines []byte
	json  bytes.Buffer
	attrs []export.Attribute
}

// appendLine adds a record's line to c.lines, or leaves it as it was.
func (c *coder) appendLine(r *export.Record) error {
	if r.Version != version {
		return fmt.Errorf("got a record of version %d, want %d", r.Version, version)
	}
	stored := *r
	stored.Attributes = c.exact(r.Attributes)
	c.json.Reset()
	enc := json.NewEncoder(&c.json)
	enc.SetEscapeHTML(false) // people read it
	if err := enc.Encode(&stored); err != nil {
		return err
	}
	text := c.json.Bytes() // with Encode's line feed
	sum := crc32.Checksum(text[:len(text)-1], castagnoli)
	c.lines = fmt.Appendf(c.lines, "%08x %d ", sum, len(text)-1)
	c.lines = append(c.lines, text...)
	return nil
}

// reset forgets the lines, and the memory of those if they were unusually many.
func (c *coder) reset() {
	if cap(c.lines) > maxIdle {
		c.lines = nil
	}
	if c.json.Cap() > maxIdle {
		c.json = bytes.Buffer{}
	}
	clear(c.attrs)
	c.lines, c.attrs = c.lines[:0], c.attrs[:0]
}

// exact makes numbers with a fraction look so, that they are read as such.
func (c *coder) exact(attrs []export.Attribute) []export.Attribute {
	isFraction := func(a export.Attribute) bool {
		_, ok := a.Value.(float64)
		return ok
	}
	if !slices.ContainsFunc(attrs, isFraction) {
		return attrs
	}
	c.attrs = append(c.attrs[:0], attrs...)
	for i := range c.attrs {
		if f, ok := c.attrs[i].Value.(float64); ok {
			c.attrs[i].Value = fraction(f)
		}
	}
	return c.attrs
}

func fraction(f float64) any {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return text // JSON has no such number
	case !strings.ContainsAny(text, ".e"):
		text += ".0"
	}
	return json.RawMessage(text)
}

// header is what stands before the JSON.
type header struct {
	sum    uint32
	start  int64 // of the JSON
	length int64
}

func parseHeader(b []byte) (h header, ok bool) {
	var sum [sumDigits / 2]byte
	if len(b) < sumDigits+2 || b[sumDigits] != ' ' {
		return h, false
	}
	if _, err := hex.Decode(sum[:], b[:sumDigits]); err != nil {
		return h, false
	}
	for _, c := range sum {
		h.sum = h.sum<<8 | uint32(c)
	}
	for i, c := range b[sumDigits+1:] {
		switch {
		case c == ' ' && i > 0:
			h.start = int64(sumDigits + 1 + i + 1)
			return h, true
		case c < '0' || c > '9' || i == maxLength:
			return h, false
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return h, false
}
