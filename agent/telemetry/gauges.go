package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"

	"pullcause/agent/diagnose"
	"pullcause/logtail"
)

// Gauges are read when somebody asks for the numbers.
type Gauges struct {
	// Sources tells of each source.
	Sources func() []logtail.Status
	// OpenIncidents counts the open incidents by cause.
	OpenIncidents func() map[diagnose.Cause]int
	// InFlight is the number of pulls under way.
	InFlight func() int
	// LastSuccess is when the receiver last acknowledged; zero if never.
	LastSuccess func() time.Time
	// Spool is how many bytes of undelivered records are on disk, and how many may be.
	Spool func() (bytes, limit int64)
}

// Observe registers what the gauges read. It is called once.
func (m *Metrics) Observe(g Gauges) error {
	var errs []error
	integer := func(name, help string) metric.Int64ObservableGauge {
		i, err := m.meter.Int64ObservableGauge(name, metric.WithDescription(help))
		errs = append(errs, err)
		return i
	}
	number := func(name, help string) metric.Float64ObservableGauge {
		f, err := m.meter.Float64ObservableGauge(name, metric.WithDescription(help))
		errs = append(errs, err)
		return f
	}
	up := integer("pullcause_source_up", "1 while a source is being read, else 0.")
	lag := number("pullcause_source_lag_seconds", "For how long a source has had unread text.")
	open := integer("pullcause_incidents_open", "Open incidents, by cause.")
	inFlight := integer("pullcause_pulls_in_flight", "Pulls that have begun and not ended.")
	last := number("pullcause_export_last_success_timestamp_seconds", "When the receiver last acknowledged records, as Unix time; 0 if never.")
	spooled := integer("pullcause_spool_bytes", "Undelivered records on disk, in bytes.")
	limit := integer("pullcause_spool_limit_bytes", "How many bytes of undelivered records may be on disk; 0 without a state folder.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, s := range g.Sources() {
			state := int64(0)
			if s.State == logtail.StateReading {
				state = 1
			}
			o.ObserveInt64(up, state, m.with("source", s.Name))
			o.ObserveFloat64(lag, s.Lag, m.with("source", s.Name))
		}
		counts := g.OpenIncidents()
		for _, cause := range diagnose.Causes() {
			o.ObserveInt64(open, int64(counts[cause.Cause]), m.with("cause", string(cause.Cause)))
		}
		o.ObserveInt64(inFlight, int64(g.InFlight()))
		o.ObserveFloat64(last, unix(g.LastSuccess()))
		bytes, most := g.Spool()
		o.ObserveInt64(spooled, bytes)
		o.ObserveInt64(limit, most)
		return nil
	}, up, lag, open, inFlight, last, spooled, limit)
	return err
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
