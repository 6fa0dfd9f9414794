package export

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"
)

// WriterSink writes records as JSON Lines, one object a record, its attributes
// as an object in their order.
type WriterSink struct {
	w   io.Writer
	buf bytes.Buffer
}

// NewWriterSink returns a sink that writes to w, a batch at a time.
func NewWriterSink(w io.Writer) *WriterSink { return &WriterSink{w: w} }

// Name is what to call it where a receiver's address would stand.
func (s *WriterSink) Name() string { return "stdout" }

// Export implements [Sink]. What cannot be written is tried again.
func (s *WriterSink) Export(_ context.Context, batch []Record) Verdict {
	s.buf.Reset()
	for i := range batch {
		if err := appendLine(&s.buf, &batch[i]); err != nil {
			return Verdict{Outcome: Rejected, Text: "encode record: " + err.Error()}
		}
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return Verdict{Outcome: Retry, Text: "write records: " + err.Error()}
	}
	return Verdict{Outcome: Acknowledged, Text: "written"}
}

// appendLine writes what encoding/json cannot: an object that keeps its order.
func appendLine(buf *bytes.Buffer, r *Record) error {
	o := object{buf: buf}
	buf.WriteByte('{')
	o.field("time", r.Time.UTC().Format(time.RFC3339Nano))
	o.field("observed", r.Observed.UTC().Format(time.RFC3339Nano))
	o.field("severity", r.Severity)
	o.field("name", r.Name)
	o.field("uid", r.UID)
	o.field("body", r.Body)
	buf.WriteString(`,"attributes":{`)
	attrs := object{buf: buf}
	for _, a := range r.Attributes {
		attrs.field(a.Key, a.Value)
	}
	buf.WriteString("}}\n")
	if o.err != nil {
		return o.err
	}
	return attrs.err
}

// object writes the fields of a JSON object and keeps the first error.
type object struct {
	buf  *bytes.Buffer
	some bool
	err  error
}

func (o *object) field(key string, value any) {
	if o.some {
		o.buf.WriteByte(',')
	}
	o.some = true
	o.value(key)
	o.buf.WriteByte(':')
	o.value(value)
}

func (o *object) value(v any) {
	enc := json.NewEncoder(o.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		if o.err == nil {
			o.err = err
		}
		return
	}
	o.buf.Truncate(o.buf.Len() - 1) // Encode's newline
}
