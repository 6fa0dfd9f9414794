package otlptest

import (
	"errors"
	"fmt"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
)

// decode turns a request into records, or says what is wrong with it.
func decode(msg *collogpb.ExportLogsServiceRequest, received time.Time) ([]Record, error) {
	var records []Record
	for _, rl := range msg.GetResourceLogs() {
		resource, err := attributes(rl.GetResource().GetAttributes())
		if err != nil {
			return nil, fmt.Errorf("resource: %w", err)
		}
		if name, ok := resource["service.name"].(string); !ok || name == "" {
			return nil, errors.New("resource: has no service.name")
		}
		for _, sl := range rl.GetScopeLogs() {
			for _, lr := range sl.GetLogRecords() {
				record, err := decodeRecord(lr, resource)
				if err != nil {
					return nil, fmt.Errorf("record %d %q: %w", len(records), lr.GetEventName(), err)
				}
				record.Received = received
				records = append(records, record)
			}
		}
	}
	if len(records) == 0 {
		return nil, errors.New("request without a record")
	}
	return records, nil
}

func decodeRecord(lr *logspb.LogRecord, resource map[string]any) (Record, error) {
	body, isText := lr.GetBody().GetValue().(*commonpb.AnyValue_StringValue)
	number := int(lr.GetSeverityNumber())
	switch {
	case lr.GetTimeUnixNano() == 0:
		return Record{}, errors.New("time is not set")
	case lr.GetObservedTimeUnixNano() == 0:
		return Record{}, errors.New("observed time is not set")
	case number < 1 || number > 24:
		return Record{}, fmt.Errorf("severity number: got %d, want 1 to 24", number)
	case lr.GetSeverityText() == "":
		return Record{}, errors.New("severity text is not set")
	case lr.GetEventName() == "":
		return Record{}, errors.New("event name is not set")
	case !isText || body.StringValue == "":
		return Record{}, errors.New("body is not a string")
	}
	attrs, err := attributes(lr.GetAttributes())
	if err != nil {
		return Record{}, err
	}
	for key := range attrs {
		if _, twice := resource[key]; twice {
			return Record{}, fmt.Errorf("attribute %s is one of the resource too", key)
		}
	}
	return Record{
		Name:           lr.GetEventName(),
		Time:           timeOf(lr.GetTimeUnixNano()),
		Observed:       timeOf(lr.GetObservedTimeUnixNano()),
		Severity:       lr.GetSeverityText(),
		SeverityNumber: number,
		Body:           body.StringValue,
		Attributes:     attrs,
		Resource:       resource,
	}, nil
}

func timeOf(nanos uint64) time.Time { return time.Unix(0, int64(nanos)).UTC() }

// attributes refuses empty and repeated keys, and keys without a value.
func attributes(kvs []*commonpb.KeyValue) (map[string]any, error) {
	attrs := make(map[string]any, len(kvs))
	for _, kv := range kvs {
		key := kv.GetKey()
		_, twice := attrs[key]
		switch {
		case key == "":
			return nil, errors.New("attribute without a key")
		case twice:
			return nil, fmt.Errorf("attribute %s is there twice", key)
		}
		v, err := value(kv.GetValue())
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", key, err)
		}
		attrs[key] = v
	}
	return attrs, nil
}

func value(v *commonpb.AnyValue) (any, error) {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue, nil
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue, nil
	case *commonpb.AnyValue_IntValue:
		return v.IntValue, nil
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue, nil
	case *commonpb.AnyValue_ArrayValue:
		return array(v.ArrayValue.GetValues())
	case *commonpb.AnyValue_KvlistValue:
		return attributes(v.KvlistValue.GetValues())
	default:
		return nil, fmt.Errorf("value of type %T", v)
	}
}

// array is []string where every element is a string.
func array(values []*commonpb.AnyValue) (any, error) {
	all, texts := make([]any, 0, len(values)), make([]string, 0, len(values))
	for _, v := range values {
		element, err := value(v)
		if err != nil {
			return nil, err
		}
		all = append(all, element)
		if text, ok := element.(string); ok {
			texts = append(texts, text)
		}
	}
	if len(texts) == len(all) {
		return texts, nil
	}
	return all, nil
}
