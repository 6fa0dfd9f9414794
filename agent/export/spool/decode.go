package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pullcause/agent/export"
)

// decoder reads records from their JSON. It keeps its buffer between them.
type decoder struct {
	src  bytes.Reader
	json *json.Decoder
}

func (d *decoder) decode(text []byte) (export.Record, error) {
	if d.json == nil {
		d.json = json.NewDecoder(&d.src)
		d.json.UseNumber() // an int64 is not always a float64
	}
	d.src.Reset(text)
	var r export.Record
	err := d.json.Decode(&r)
	if err == nil && (d.src.Len() > 0 || d.json.More()) {
		err = errors.New("got more than one value")
	}
	if err != nil || len(text) > maxIdle {
		d.json = nil // what it has buffered is none of the next record
	}
	d.src.Reset(nil)
	if err != nil {
		return r, err
	}
	err = restore(&r)
	return r, err
}

// restore makes a record what it was before it was written.
func restore(r *export.Record) error {
	if r.Version != version {
		return fmt.Errorf("got version %d, want %d: another release of this program wrote it", r.Version, version)
	}
	for i := range r.Attributes {
		v, err := typed(r.Attributes[i].Value)
		if err != nil {
			return fmt.Errorf("attribute %q: %w", r.Attributes[i].Key, err)
		}
		r.Attributes[i].Value = v
	}
	return nil
}

// typed gives a value from JSON the type that it had in the record.
func typed(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool:
		return v, nil
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			text, ok := v[i].(string)
			if !ok {
				return nil, fmt.Errorf("got an array with a %T, want strings only", v[i])
			}
			texts[i] = text
		}
		return texts, nil
	}
	return nil, fmt.Errorf("got a %T", v)
}
