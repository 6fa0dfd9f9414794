package export

import (
	"bytes"
	"context"
	"io"
	"time"

	"pullcause/agent/escape"
)

// WriterSink writes records as JSON Lines, one object a record, its attributes
// as an object in their order.
type WriterSink struct {
	w io.Writer
	// idle holds the memory for lines, and is empty while they are being written.
	idle chan *bytes.Buffer
}

// NewWriterSink returns a sink that writes to w, a batch at a time.
func NewWriterSink(w io.Writer) *WriterSink {
	s := &WriterSink{w: w, idle: make(chan *bytes.Buffer, 1)}
	s.idle <- new(bytes.Buffer)
	return s
}

// Name is what to call it where a receiver's address would stand.
func (s *WriterSink) Name() string { return "stdout" }

// Export implements [Sink]. What cannot be written is tried again. A pipe that nobody
// reads blocks for ever, and standard output has no deadlines unless it was opened for
// them (os.NewFile, Go 1.26): the goroutine that writes is left behind when ctx ends.
func (s *WriterSink) Export(ctx context.Context, batch []Record) Verdict {
	select {
	case buf := <-s.idle:
		return s.export(ctx, buf, batch)
	case <-ctx.Done(): // one is left behind
		return unwritten(context.Cause(ctx))
	}
}

func (s *WriterSink) export(ctx context.Context, buf *bytes.Buffer, batch []Record) Verdict {
	buf.Reset()
	for i := range batch {
		if err := appendLine(buf, &batch[i]); err != nil {
			s.idle <- buf
			return Verdict{Outcome: Rejected, Text: "encode record: " + err.Error()}
		}
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.w.Write(buf.Bytes())
		s.idle <- buf
		written <- err
	}()
	select {
	case err := <-written:
		if err != nil {
			return unwritten(err)
		}
		return Verdict{Outcome: Acknowledged, Text: "written"}
	case <-ctx.Done():
		return unwritten(context.Cause(ctx))
	}
}

func unwritten(err error) Verdict {
	return Verdict{Outcome: Retry, Text: "write records: " + err.Error()}
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
	if err := escape.NewEncoder(o.buf).Encode(v); err != nil {
		if o.err == nil {
			o.err = err
		}
		return
	}
	o.buf.Truncate(o.buf.Len() - 1) // Encode's newline
}
