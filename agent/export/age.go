package export

import (
	"slices"
	"time"
)

// maxSkew is how far ahead of our clock a record's time may be. A receiver may drop what
// comes from the future (VictoriaLogs: two days, -futureRetention).
const maxSkew = time.Hour

// refresh makes records whose time a receiver may not take any more ones of now, and keeps
// their own time as an attribute.
func (e *Exporter) refresh(batch []Record, now time.Time) {
	if e.cfg.MaxAge <= 0 {
		return
	}
	for i := range batch {
		r := &batch[i]
		if age := now.Sub(r.Time); age <= e.cfg.MaxAge && age >= -maxSkew {
			continue
		}
		own := Attribute{Key: OriginalTimestampKey, Value: r.Time.UTC().Format(time.RFC3339Nano)}
		r.Attributes = append(slices.Clip(r.Attributes), own) // the record itself stays: it may be sent again
		r.Time = now
	}
}
