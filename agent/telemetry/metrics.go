package telemetry

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/logtail"
)

// maxRegistries bounds the values of the label registry, maxHost each of them in
// bytes; the rest is "other".
const (
	maxRegistries = 64
	maxHost       = 253
)

// otherRegistry stands for all registries beyond the bound, unknownRegistry for
// pulls whose image names none.
const (
	otherRegistry   = "other"
	unknownRegistry = "unknown"
)

// The values of the label result of pulls.
const (
	resultSucceeded = "succeeded"
	resultFailed    = "failed"
)

// The reasons of losses that are not a source's.
const (
	LostPullForgotten   = "pull_forgotten"   // a pull began and nothing told of its end
	LostIncidentEvicted = "incident_evicted" // an open incident, since there were more than incidents.max_open or than there is memory for
	LostIncidentDetails = "incident_details" // the details of an incident, or a closed one, since all together took too much memory
	LostStateFull       = "state_full"       // an incident that the stored state has no room for: after a restart it is another one
	LostDuration        = "pull_duration"    // how long a pull took, which the times of its lines contradict
	LostRuntimeAnswer   = "runtime_answer"   // what was left out of an answer of the runtime that was too long
)

// lostReasons are all values of the label reason.
var lostReasons = [...]string{
	logtail.LostLineTooLong, logtail.LostRotation, logtail.LostBinary, logtail.LostPosition,
	logtail.LostRecordTooLong, logtail.LostFailures, logtail.LostSkipped, logtail.LostVacuumed, logtail.LostCorrupt, logtail.LostUnsupported,
	logtail.LostSuppressed, LostPullForgotten, LostIncidentEvicted, LostIncidentDetails, LostStateFull, LostDuration, LostRuntimeAnswer,
	string(export.Refused), string(export.QueueFull), string(export.ShutDown),
	string(export.SpoolFull), string(export.SpoolCorrupt), string(export.SpoolUnreadable),
}

// pullSeconds are the bounds of the histogram of pull durations, in seconds;
// outageSeconds those of incidents.
var (
	pullSeconds   = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
	outageSeconds = []float64{10, 30, 60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600}
)

// Metrics are the agent's instruments. Its methods may be called from several
// goroutines and cost little.
type Metrics struct {
	attempts, failures, bytes, records metric.Int64Counter
	lines, read, lost, suppressed      metric.Int64Counter
	shed                               metric.Int64Counter
	pulls, outages                     metric.Float64Histogram
	meter                              metric.Meter

	mu         sync.Mutex
	registries map[string]bool
	options    map[labels]metric.MeasurementOption
}

// labels are the values of at most two labels.
type labels [4]string

func newMetrics(meter metric.Meter, version string) (*Metrics, error) {
	m := &Metrics{
		meter: meter, registries: make(map[string]bool),
		options: make(map[labels]metric.MeasurementOption),
	}
	var errs []error
	counter := func(name, help string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithDescription(help))
		errs = append(errs, err)
		return c
	}
	histogram := func(name, help string, bounds []float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithDescription(help), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	m.attempts = counter("pullcause_pull_attempts_total", "Attempts to pull an image, by result.")
	m.failures = counter("pullcause_pull_failures_total", "Failed attempts, by cause.")
	m.bytes = counter("pullcause_pulled_bytes_total", "Bytes that pulls have read, as far as the runtime told.")
	m.lines = counter("pullcause_source_lines_total", "Lines that a source has passed.")
	m.read = counter("pullcause_source_bytes_total", "Bytes that a source has passed.")
	m.lost = counter("pullcause_lost_total", "What was dropped, skipped or cut, by reason.")
	m.suppressed = counter("pullcause_journal_suppressed_total", "Lines that journald says to have dropped because a unit wrote too many.")
	m.shed = counter("pullcause_http_shed_total", "Clients that were cut off or refused, by listener and reason.")
	m.records = counter("pullcause_export_records_total", "Records by what has become of them.")
	m.pulls = histogram("pullcause_pull_duration_seconds", "How long attempts took, by result.", pullSeconds)
	m.outages = histogram("pullcause_incident_duration_seconds", "How long incidents lasted until recovery.", outageSeconds)
	errs = append(errs, m.buildInfo(version))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.zero()
	return m, nil
}

func (m *Metrics) buildInfo(version string) error {
	set := metric.WithAttributes(attribute.String("version", version), attribute.String("goversion", runtime.Version()))
	_, err := m.meter.Int64ObservableGauge("pullcause_build_info",
		metric.WithDescription("Always 1; its labels tell the version."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(1, set)
			return nil
		}))
	return err
}

// zero makes the series of closed sets exist from the start, so that the first
// loss is an increase, and every cause is there to be chosen. Which registries
// there will be is not known then; unknownRegistry stands for them.
func (m *Metrics) zero() {
	ctx := context.Background()
	for _, result := range [...]string{resultSucceeded, resultFailed} {
		m.attempts.Add(ctx, 0, m.with("result", result, "registry", unknownRegistry))
	}
	for _, reason := range lostReasons {
		m.lost.Add(ctx, 0, m.with("reason", reason))
	}
	for _, r := range export.Results() {
		m.records.Add(ctx, 0, m.with("result", string(r)))
	}
	for _, cause := range diagnose.Causes() {
		m.failures.Add(ctx, 0, m.with("cause", string(cause.Cause), "registry", unknownRegistry))
	}
}

// with returns the option for some labels, made once.
func (m *Metrics) with(pairs ...string) metric.MeasurementOption {
	var key labels
	copy(key[:], pairs)
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.options[key]; ok {
		return o
	}
	attrs := make([]attribute.KeyValue, 0, 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		attrs = append(attrs, attribute.String(pairs[i], pairs[i+1]))
	}
	o := metric.WithAttributeSet(attribute.NewSet(attrs...))
	m.options[key] = o
	return o
}

// registry bounds the values of its label.
func (m *Metrics) registry(host string) string {
	switch {
	case host == "":
		return unknownRegistry
	case len(host) > maxHost:
		return otherRegistry
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.registries[host] {
		if len(m.registries) >= maxRegistries {
			return otherRegistry
		}
		m.registries[host] = true
	}
	return host
}

// Succeeded counts a pull that ended well.
func (m *Metrics) Succeeded(registry string, took time.Duration, bytes int64) {
	m.attempted(resultSucceeded, m.registry(registry), took, bytes)
}

// Failed counts a pull that failed.
func (m *Metrics) Failed(registry string, cause diagnose.Cause, took time.Duration, bytes int64) {
	registry = m.registry(registry)
	m.attempted(resultFailed, registry, took, bytes)
	m.failures.Add(context.Background(), 1, m.with("cause", string(cause), "registry", registry))
}

func (m *Metrics) attempted(result, registry string, took time.Duration, bytes int64) {
	ctx := context.Background()
	m.attempts.Add(ctx, 1, m.with("result", result, "registry", registry))
	if took > 0 {
		m.pulls.Record(ctx, took.Seconds(), m.with("result", result))
	}
	if bytes > 0 {
		m.bytes.Add(ctx, bytes, m.with("registry", registry))
	}
}

// Recovered counts an incident that ended well.
func (m *Metrics) Recovered(after time.Duration) {
	m.outages.Record(context.Background(), after.Seconds())
}

// Passed counts what a source has gone through.
func (m *Metrics) Passed(source string, lines, bytes int64) {
	ctx, set := context.Background(), m.with("source", source)
	m.lines.Add(ctx, lines, set)
	m.read.Add(ctx, bytes, set)
}

// Lost counts n losses.
func (m *Metrics) Lost(reason string, n int64) {
	if n > 0 {
		m.lost.Add(context.Background(), n, m.with("reason", reason))
	}
}

// Shed counts n clients that a listener has cut off or refused.
func (m *Metrics) Shed(listener, reason string, n int64) {
	m.shed.Add(context.Background(), n, m.with("listener", listener, "reason", reason))
}

// Suppressed counts n lines of a unit that journald has dropped. There are no more
// units than are followed.
func (m *Metrics) Suppressed(unit string, n int64) {
	m.suppressed.Add(context.Background(), n, m.with("unit", unit))
}

// Settled counts n records of which something has become in the end, in the
// words of [export.Result]. All but delivered ones are losses.
func (m *Metrics) Settled(result string, n int) {
	m.records.Add(context.Background(), int64(n), m.with("result", result))
	if result != string(export.Delivered) {
		m.Lost(result, int64(n))
	}
}
