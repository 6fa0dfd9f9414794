package debug

import (
	"bufio"
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"pullcause/agent/escape"
)

// The memory of one answer: its buffer, and the JSON of one element, which is given back
// if it was unusually large.
const (
	documentBuffer = 8 << 10
	maxElement     = 64 << 10
)

// document writes a JSON object of lists with one element on each line. Each element is
// made when it is its turn, so an answer of any size takes the memory of one.
type document struct {
	w       *bufio.Writer
	element bytes.Buffer
	encoder *json.Encoder
	err     error  // the client is gone
	next    string // what stands before the next member
}

func newDocument(w http.ResponseWriter) *document {
	w.Header().Set(contentType, jsonType)
	d := &document{w: bufio.NewWriterSize(w, documentBuffer), next: "{"}
	d.encoder = escape.NewEncoder(&d.element)
	return d
}

// value writes a member.
func (d *document) value(name string, v any) {
	d.name(name)
	d.write(v)
}

func (d *document) name(name string) {
	d.text(d.next + strconv.Quote(name) + ":")
	d.next = ","
}

func (d *document) text(s string) {
	if d.err == nil {
		_, d.err = d.w.WriteString(s)
	}
}

func (d *document) write(v any) {
	if d.err != nil {
		return
	}
	if d.element.Cap() > maxElement {
		d.element = bytes.Buffer{}
	}
	d.element.Reset()
	if d.err = d.encoder.Encode(v); d.err == nil {
		_, d.err = d.w.Write(bytes.TrimSuffix(d.element.Bytes(), []byte("\n")))
	}
}

func (d *document) end() {
	d.text("}\n")
	if d.err == nil {
		d.w.Flush() //nolint:errcheck // the client is gone: nobody to tell
	}
}

// list writes elements as a member until the answer is full or the client gone. place is
// where the next answer begins if v is the last one in this.
func list[T any](d *document, p *paging, name string, elements iter.Seq[T], place func(v *T) string) {
	d.name(name)
	separator := "[\n"
	for e := range elements {
		if p.left == 0 {
			p.more = true
			break
		}
		if d.err != nil {
			break
		}
		d.text(separator)
		d.write(&e)
		separator = ",\n"
		p.left--
		p.last = place(&e)
	}
	if separator == "[\n" {
		d.text("[]")
		return
	}
	d.text("\n]")
}

// values writes a list whose elements have no place but their number. The lists of one
// answer are numbered through.
func values[T any](d *document, p *paging, name string, all []T) {
	skipped := min(p.skip, len(all))
	p.skip -= skipped
	p.number += skipped
	list(d, p, name, slices.Values(all[skipped:]), func(*T) string {
		p.number++
		return strconv.Itoa(p.number)
	})
}
