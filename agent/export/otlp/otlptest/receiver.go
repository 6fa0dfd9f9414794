// Package otlptest is an OTLP logs receiver in process that takes nothing on
// trust: whatever breaks the protocol, or our own rules for a record, is refused
// and remembered as a problem. Tests, the lab and the demo send to it. It can be
// told to answer badly. Start at [ListenHTTP] and [ListenGRPC].
package otlptest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Record is a log record as it arrived. Attribute values are string, int64,
// float64, bool, []string, []any or map[string]any.
type Record struct {
	Name           string
	Time, Observed time.Time
	// Received is when the request that brought it had been read.
	Received time.Time
	// Severity is the text, SeverityNumber OTLP's number of it.
	Severity       string
	SeverityNumber int
	Body           string
	Attributes     map[string]any
	Resource       map[string]any
}

// Request is one request as it arrived.
type Request struct {
	// Header holds the HTTP headers, or the gRPC metadata.
	Header http.Header
	// Query is that of the URL.
	Query string
	// Records were in it. Bytes is its length on the wire, compressed if it was;
	// 0 over gRPC.
	Records, Bytes int
	// Answer is what was answered: an HTTP status or a gRPC code.
	Answer int
}

// Answer scripts the answer to one request. The zero value accepts.
type Answer struct {
	// Delay comes before everything else.
	Delay time.Duration
	// Close ends the connection without an answer. Over gRPC the call fails as
	// unavailable.
	Close bool
	// Status, Header and Body answer over HTTP. A status of 0 is 200; records
	// count as received where it is 2xx.
	Status int
	Header http.Header
	Body   string
	// Code, Message and RetryDelay answer over gRPC.
	Code       codes.Code
	Message    string
	RetryDelay time.Duration
	// Refused is told as a partial success. The records are kept all the same:
	// a receiver does not say which ones it meant.
	Refused int64
}

// Config says how a receiver listens. The zero value is a useful one.
type Config struct {
	// Address is where to listen; empty for a free port on loopback.
	Address string
	// Listener, if set, is where to listen in place of Address, such as one in
	// memory. The receiver closes it.
	Listener net.Listener
	// Judge, if set, answers a good request that no script is left for, by the
	// records in it. Requests are judged from several goroutines.
	Judge func(records []Record) Answer
	// Path that requests must have; /v1/logs if empty.
	Path string
	// TLS, if set, is served with.
	TLS *tls.Config
	// OnRecord, if set, is called for each record that is accepted, from several
	// goroutines. Records are then not kept: Wait and Records see none.
	OnRecord func(Record)
}

// Receiver is a listening OTLP logs receiver.
type Receiver struct {
	cfg      Config
	listener net.Listener
	protocol string
	stop     func() error
	served   sync.WaitGroup

	mu       sync.Mutex
	answers  []Answer
	records  []Record
	requests []Request
	problems []error
	changed  chan struct{} // closed at each change
}

// maxRemembered bounds the requests and problems that are kept.
const maxRemembered = 10_000

const defaultPath = "/v1/logs"

func listen(cfg Config, protocol string) (*Receiver, error) {
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	if cfg.Path == "" {
		cfg.Path = defaultPath
	}
	l := cfg.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", cfg.Address); err != nil {
			return nil, fmt.Errorf("start OTLP receiver: %w", err)
		}
	}
	return &Receiver{cfg: cfg, listener: l, protocol: protocol, changed: make(chan struct{})}, nil
}

// Close stops listening and cuts connections.
func (r *Receiver) Close() {
	if err := r.stop(); err != nil {
		r.trouble(err)
	}
	r.served.Wait()
}

// Addr is the host and port that it listens on.
func (r *Receiver) Addr() string { return r.listener.Addr().String() }

// URL is the endpoint to configure.
func (r *Receiver) URL() string {
	scheme := "http://"
	if r.cfg.TLS != nil {
		scheme = "https://"
	}
	if r.protocol == protocolGRPC {
		return scheme + r.Addr()
	}
	return scheme + r.Addr() + r.cfg.Path
}

// Answer scripts the answers to the next requests, one each. After the last
// every good request is accepted again.
func (r *Receiver) Answer(answers ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, answers...)
}

// Records returns what was received so far.
func (r *Receiver) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.records)
}

// Requests returns the requests so far, at most the first 10,000.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Problems returns what was wrong with requests so far.
func (r *Receiver) Problems() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.problems...)
}

// Wait returns the records once there are n of them. When ctx ends first it
// returns those that there are, and an error.
func (r *Receiver) Wait(ctx context.Context, n int) ([]Record, error) {
	got, err := r.wait(ctx, func() int { return len(r.records) }, n)
	if err != nil {
		err = fmt.Errorf("wait for records: got %d, want %d: %w", got, n, err)
	}
	return r.Records(), errors.Join(err, r.Problems())
}

// WaitNamed is Wait for records of one event.
func (r *Receiver) WaitNamed(ctx context.Context, name string, n int) ([]Record, error) {
	named := func() (count int) {
		for _, record := range r.records {
			if record.Name == name {
				count++
			}
		}
		return count
	}
	got, err := r.wait(ctx, named, n)
	if err != nil {
		err = fmt.Errorf("wait for records of %s: got %d, want %d: %w", name, got, n, err)
	}
	return r.Records(), errors.Join(err, r.Problems())
}

// WaitRequests is Wait for requests, good or bad.
func (r *Receiver) WaitRequests(ctx context.Context, n int) ([]Request, error) {
	got, err := r.wait(ctx, func() int { return len(r.requests) }, n)
	if err != nil {
		err = fmt.Errorf("wait for requests: got %d, want %d: %w", got, n, err)
	}
	return r.Requests(), err
}

func (r *Receiver) wait(ctx context.Context, count func() int, n int) (int, error) {
	for {
		r.mu.Lock()
		got, changed := count(), r.changed
		r.mu.Unlock()
		if got >= n {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}

// next is the answer to a request with these records.
func (r *Receiver) next(records []Record) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) > 0 {
		a := r.answers[0]
		r.answers = r.answers[1:]
		return a
	}
	if r.cfg.Judge != nil && len(records) > 0 {
		return r.cfg.Judge(records)
	}
	return Answer{}
}

// remember notes a request, and the records in it if it was accepted.
func (r *Receiver) remember(req Request, records []Record, problem error) {
	if r.cfg.OnRecord != nil {
		for _, record := range records {
			r.cfg.OnRecord(record)
		}
		records = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, records...)
	if len(r.requests) < maxRemembered {
		r.requests = append(r.requests, req)
	}
	if problem != nil && len(r.problems) < maxRemembered {
		r.problems = append(r.problems, problem)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// trouble notes that the receiver itself has failed.
func (r *Receiver) trouble(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Errorf("OTLP receiver: %w", err))
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
