package export

import (
	"fmt"
	"slices"
	"time"
)

// Status is what /debug/delivery tells of one receiver.
type Status struct {
	Endpoint string `json:"endpoint"`
	// Unstored is why records that wait cannot be stored; empty if they can.
	Unstored string `json:"unstored,omitempty"`
	// Recent are the last verdicts, the newest first.
	Recent []Tried `json:"recent,omitempty"`
	// Outcome and Answer are the receiver's last verdict; empty before the first.
	Outcome Outcome `json:"outcome,omitempty"`
	Answer  string  `json:"answer,omitempty"`
	// Queued records, the InFlight ones among them, take QueuedBytes of memory.
	Queued      int `json:"queued"`
	InFlight    int `json:"in_flight"`
	QueuedBytes int `json:"queued_bytes"`
	MaxRecords  int `json:"max_records"`
	MaxBytes    int `json:"max_bytes"`
	// Delivered records; Lost ones by reason.
	Delivered int64            `json:"delivered"`
	Lost      map[Result]int64 `json:"lost"`
	// Failures is how many tries in a row have failed.
	Failures    int       `json:"failures"`
	LastTry     time.Time `json:"last_try,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	// NextTry is set while the exporter waits after a failure.
	NextTry time.Time `json:"next_try,omitzero"`
}

// Status may be called at any time from any goroutine.
func (e *Exporter) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{
		Endpoint:    e.cfg.Endpoint,
		Outcome:     e.state.verdict.Outcome,
		Answer:      e.state.verdict.Text,
		Queued:      len(e.queue.items),
		InFlight:    e.queue.inflight,
		QueuedBytes: e.queue.bytes,
		MaxRecords:  e.cfg.MaxRecords,
		MaxBytes:    e.cfg.MaxBytes,
		Delivered:   e.state.settled[Delivered],
		Lost:        map[Result]int64{},
		Failures:    e.state.failures,
		LastTry:     e.state.lastTry,
		LastSuccess: e.state.lastSuccess,
		NextTry:     e.state.nextTry,
		Unstored:    e.keepError, Recent: e.state.newest(),
	}
	for _, r := range Results() {
		if r != Delivered {
			s.Lost[r] = e.state.settled[r]
		}
	}
	return s
}

// Ready reports whether the receiver is not misconfigured; if it is, the
// sentence says so.
func (e *Exporter) Ready() (bool, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state.verdict.Outcome == Misconfigured {
		return false, fmt.Sprintf("receiver %s refuses everything: %s", e.cfg.Endpoint, e.state.verdict.Text)
	}
	return true, ""
}

// Away reports whether the receiver does not take records at present.
func (e *Exporter) Away() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.away()
}

// state is the exporter's memory of its receiver.
type state struct {
	verdict              Verdict
	failures             int
	lastTry, lastSuccess time.Time
	nextTry              time.Time
	missed               bool // it was away, and has taken nothing since
	settled              map[Result]int64
	recent               []Tried // the newest last
	// told is the outcome that was logged last; the exporter's goroutine alone
	// looks at it.
	told Outcome
}

// note takes in a verdict and says how long to wait after it.
func (s *state) note(v Verdict, records int) time.Duration {
	s.verdict = v
	s.missed = s.away() || s.missed && v.Outcome != Acknowledged
	s.lastTry = time.Now()
	s.remember(Tried{At: s.lastTry, Outcome: v.Outcome, Answer: v.Text, Records: records, Times: 1})
	s.nextTry = time.Time{}
	switch v.Outcome {
	case Acknowledged:
		s.failures = 0
		s.lastSuccess = s.lastTry
		return 0
	case Rejected:
		s.failures++
		return 0
	case Misconfigured:
		s.failures++
		s.nextTry = s.lastTry.Add(maxBackoff)
		return maxBackoff
	}
	s.failures++
	wait := backoff(s.failures)
	if v.After > 0 {
		wait = min(v.After, maxRetryAfter)
	}
	s.nextTry = s.lastTry.Add(wait)
	return wait
}

// Tried is what a receiver made of a batch, or of several in a row that it answered
// alike.
type Tried struct {
	At      time.Time `json:"at"` // the last one
	Outcome Outcome   `json:"outcome"`
	Answer  string    `json:"answer,omitempty"`
	Records int       `json:"records"` // of all of them
	Times   int       `json:"times"`
}

// maxTried is how many verdicts are remembered.
const maxTried = 10

// remember keeps a verdict; one that is like the last is added to it.
func (s *state) remember(t Tried) {
	if n := len(s.recent); n > 0 {
		last := &s.recent[n-1]
		if last.Outcome == t.Outcome && last.Answer == t.Answer {
			last.At, last.Records, last.Times = t.At, last.Records+t.Records, last.Times+1
			return
		}
		if n == maxTried {
			s.recent = slices.Delete(s.recent, 0, 1)
		}
	}
	s.recent = append(s.recent, t)
}

// newest are the remembered verdicts, the newest first.
func (s *state) newest() []Tried {
	tried := slices.Clone(s.recent)
	slices.Reverse(tried)
	return tried
}

func (s *state) count(result Result, n int) {
	if s.settled == nil {
		s.settled = map[Result]int64{}
	}
	s.settled[result] += int64(n)
}

// away reports whether the receiver does not take records at present.
func (s *state) away() bool {
	return s.verdict.Outcome == Retry || s.verdict.Outcome == Misconfigured
}
