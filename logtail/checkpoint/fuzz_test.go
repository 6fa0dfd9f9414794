package checkpoint

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
)

// FuzzDecode checks that no file does harm, and that what is accepted is the same
// once it was written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"positions":[{"source":"a","stream":"118-5d41402abc4b2a76","offset":1,"hint":"1-2-3"}]}`))
	f.Add([]byte(`{"version":1,"positions":null}`))
	f.Add([]byte(`{"version":1,"positions":[],"incidents":[{"key": "a"}]}`))
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
		if back, err := decode(again); err != nil || !maps.Equal(got.Positions, back.Positions) || compact(got.Incidents) != compact(back.Incidents) {
			t.Errorf("%q was read as %v, written and read again as %v, error %v", text, got, back, err)
		}
	})
}

func compact(text json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return string(text)
	}
	return out.String()
}
