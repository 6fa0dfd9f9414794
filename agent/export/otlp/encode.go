package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"

	"pullcause/agent/export"
)

// The field numbers of opentelemetry-proto v1.11.0: collector/logs/v1,
// logs/v1, resource/v1 and common/v1.
const (
	requestResourceLogs = 1

	resourceLogsResource  = 1
	resourceLogsScopeLogs = 2
	resourceAttributes    = 1

	scopeLogsScope   = 1
	scopeLogsRecords = 2
	scopeName        = 1
	scopeVersion     = 2

	recordTime           = 1
	recordSeverityNumber = 2
	recordSeverityText   = 3
	recordBody           = 5
	recordAttributes     = 6
	recordObserved       = 11
	recordEventName      = 12

	keyValueKey   = 1
	keyValueValue = 2

	anyString = 1
	anyBool   = 2
	anyInt    = 3
	anyDouble = 4
	anyArray  = 5
	arrayItem = 1
)

// encoder writes ExportLogsServiceRequest messages. Nested messages are written
// to a buffer first, which is kept, since their length comes before them.
type encoder struct {
	attributes func() []attribute.KeyValue // of the resource
	described  []attribute.KeyValue        // those that resource was made of
	scope      []byte                      // the scope field of ScopeLogs

	resource, message, record, pair, value []byte
}

func newEncoder(resource func() []attribute.KeyValue, name, version string) *encoder {
	e := &encoder{attributes: resource}
	in := appendString(nil, scopeName, name)
	if version != "" {
		in = appendString(in, scopeVersion, version)
	}
	e.scope = appendBytes(nil, scopeLogsScope, in)
	return e
}

// describe writes the resource field of ResourceLogs, if it is not what it was.
func (e *encoder) describe() {
	described := e.attributes()
	if e.resource != nil && slices.Equal(described, e.described) {
		return
	}
	e.described = described
	e.record = e.record[:0]
	for _, kv := range described {
		e.record = e.attribute(e.record, resourceAttributes, string(kv.Key), resourceValue(kv.Value))
	}
	e.resource = appendBytes(e.resource[:0], resourceLogsResource, e.record)
}

// resourceValue is a value of the SDK as one of ours.
func resourceValue(v attribute.Value) any {
	switch v.Type() {
	case attribute.INT64:
		return v.AsInt64()
	case attribute.FLOAT64:
		return v.AsFloat64()
	case attribute.BOOL:
		return v.AsBool()
	case attribute.STRINGSLICE:
		return v.AsStringSlice()
	default:
		return v.String()
	}
}

// request returns the message that carries the batch. The next one overwrites it.
func (e *encoder) request(batch []export.Record) []byte {
	e.describe()
	// What comes before the records has the length of all of them in it: there is room left
	// for it, and it is written last, so that it ends where they begin.
	room := len(e.resource) + len(e.scope) + 2*maxLength
	e.message = slices.Grow(e.message[:0], room)[:room]
	for i := range batch {
		e.record = e.logRecord(e.record[:0], &batch[i])
		e.message = appendBytes(e.message, scopeLogsRecords, e.record)
	}
	scopeLogs := len(e.scope) + len(e.message) - room
	resourceLogs := len(e.resource) + protowire.SizeTag(resourceLogsScopeLogs) + protowire.SizeBytes(scopeLogs)

	head := appendLength(e.record[:0], requestResourceLogs, resourceLogs)
	head = append(head, e.resource...)
	head = appendLength(head, resourceLogsScopeLogs, scopeLogs)
	head = append(head, e.scope...)
	e.record = head
	begin := room - len(head)
	copy(e.message[begin:], head)
	return e.message[begin:]
}

// maxLength is how many bytes a tag and a length take, at most.
const maxLength = 1 + binary.MaxVarintLen64

func (e *encoder) logRecord(b []byte, r *export.Record) []byte {
	observed := r.Observed
	if observed.IsZero() {
		observed = r.Time
	}
	b = appendTime(b, recordTime, r.Time)
	b = protowire.AppendTag(b, recordSeverityNumber, protowire.VarintType)
	b = protowire.AppendVarint(b, severityNumber(r.Severity))
	b = appendString(b, recordSeverityText, r.Severity)
	e.value = appendString(e.value[:0], anyString, r.Body)
	b = appendBytes(b, recordBody, e.value)
	for _, a := range r.Attributes {
		b = e.attribute(b, recordAttributes, a.Key, a.Value)
	}
	b = appendTime(b, recordObserved, observed)
	return appendString(b, recordEventName, r.Name)
}

// severityNumber is the first number of the range that OTLP gives to a text.
func severityNumber(text string) uint64 {
	switch text {
	case export.SeverityError:
		return 17
	case export.SeverityWarn:
		return 13
	default:
		return 9
	}
}

// attribute appends a KeyValue as the given field.
func (e *encoder) attribute(b []byte, field protowire.Number, key string, value any) []byte {
	if s, ok := value.(string); ok {
		return stringAttribute(b, field, key, s)
	}
	e.value = anyValue(e.value[:0], value)
	e.pair = appendString(e.pair[:0], keyValueKey, key)
	e.pair = appendBytes(e.pair, keyValueValue, e.value)
	return appendBytes(b, field, e.pair)
}

// stringAttribute is attribute for most values: lengths are known beforehand,
// and nothing is copied twice.
func stringAttribute(b []byte, field protowire.Number, key, value string) []byte {
	key, value = validUTF8(key), validUTF8(value)
	const tag = 1 // the size of a tag below 16
	inner := tag + protowire.SizeBytes(len(value))
	b = appendLength(b, field, tag+protowire.SizeBytes(len(key))+tag+protowire.SizeBytes(inner))
	b = protowire.AppendTag(b, keyValueKey, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = appendLength(b, keyValueValue, inner)
	b = protowire.AppendTag(b, anyString, protowire.BytesType)
	return protowire.AppendString(b, value)
}

// anyValue appends the fields of an AnyValue.
func anyValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendString(b, anyString, v)
	case bool:
		b = protowire.AppendTag(b, anyBool, protowire.VarintType)
		return protowire.AppendVarint(b, protowire.EncodeBool(v))
	case int64:
		b = protowire.AppendTag(b, anyInt, protowire.VarintType)
		return protowire.AppendVarint(b, uint64(v))
	case float64:
		b = protowire.AppendTag(b, anyDouble, protowire.Fixed64Type)
		return protowire.AppendFixed64(b, math.Float64bits(v))
	case []string:
		var items []byte
		for _, s := range v {
			items = appendBytes(items, arrayItem, appendString(nil, anyString, s))
		}
		return appendBytes(b, anyArray, items)
	default:
		return appendString(b, anyString, fmt.Sprint(v))
	}
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, validUTF8(s))
}

// validUTF8 is s, or s mended: a receiver refuses the whole message where a
// string is not UTF-8.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return append(appendLength(b, field, len(v)), v...)
}

func appendLength(b []byte, field protowire.Number, n int) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(n))
}

func appendTime(b []byte, field protowire.Number, t time.Time) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, uint64(max(t.UnixNano(), 0)))
}
