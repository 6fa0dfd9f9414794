// Package export delivers incident changes as records: it makes a [Record] of a
// change, queues it and hands batches to a [Sink] until the receiver's answer
// settles them. The wire is in export/otlp. Start at [Exporter].
package export

import "time"

// Record is one event to deliver, in a form of our own that can be stored and
// read with plain tools; OTLP is made of it when it is sent.
type Record struct {
	Version  int       `json:"v"`
	UID      string    `json:"uid"`
	Name     string    `json:"name"` // pullcause.image_pull.failed …
	Time     time.Time `json:"time"`
	Observed time.Time `json:"observed"`
	Severity string    `json:"severity"` // WARN, ERROR, INFO
	Body     string    `json:"body"`
	// Attributes in the order in which they are sent. Values are string, int64,
	// float64, bool or []string.
	Attributes []Attribute `json:"attributes"`
}

// Attribute is a key and its value.
type Attribute struct {
	Key   string `json:"k"`
	Value any    `json:"v"`
}
