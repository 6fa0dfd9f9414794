package checkpoint

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"testing"
)

// FuzzDecode checks that no file does harm, and that what is accepted is the same
// once it was written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"positions":[{"source":"a","stream":"118-5d41402abc4b2a76","offset":1,"hint":"1-2-3"}]}`))
	f.Add([]byte(`{"version":1,"positions":null}`))
	f.Add([]byte(`{"version":1,"positions":[],"incidents":[{"key": "a"}]}`))
	f.Add([]byte(`{"version":1,"positions":[],"incidents":[{"<&>": 1e999}]}`))
	f.Add([]byte(`{"version":1,"positions":[{"source":"a"},{"source":"a"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decode(text)
		if err != nil {
			return
		}
		again, err := encode(got)
		if err != nil {
			t.Fatalf("%q was read as %v, which cannot be written: %v", text, got, err)
		}
		back, err := decode(again)
		if err != nil || !maps.Equal(got.Positions, back.Positions) || !reflect.DeepEqual(value(t, got.Incidents), value(t, back.Incidents)) {
			t.Errorf("%q was read as %v, written and read again as %v, error %v", text, got, back, err)
		}
	})
}

// value is what a JSON text says, however it is spelt: encoding/json writes the
// "<" of an embedded text as \u003c. Numbers keep their digits.
func value(t *testing.T, text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("incidents %q: %v", text, err)
	}
	return v
}
