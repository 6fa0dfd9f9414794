package otlp_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

const (
	sent = 100 // records in each case
	// How long a receiver misbehaves; at that moment nobody tries.
	sickFor = 2*time.Minute + 10*time.Second
)

// behaviour is one way in which a receiver behaves until it gets well, and what
// must come of it.
type behaviour struct {
	name string
	// One of these misbehaves, or several: answer as a receiver, serve in place
	// of one, dial in place of the network.
	answer func(records []otlptest.Record) otlptest.Answer
	serve  func(t *testing.T, l net.Listener)
	dial   func(ctx context.Context) (net.Conn, error)
	// always: it never gets any better.
	always bool

	refuses string        // part of the sentence that Ready says meanwhile; empty: it is ready
	says    string        // part of the answer in Status meanwhile
	wait    time.Duration // between all its tries; 0: any backoff up to a minute
	lost    int64         // records that the receiver does not want
}

// memory is the network of one case, without a socket, so that its minutes pass
// at once in a synctest bubble.
type memory struct {
	well, sick *bufconn.Listener
	dial       func(ctx context.Context) (net.Conn, error)
	isSick     atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
	dials []string
	// noNames: DNS fails.
	noNames bool
}

const (
	receiverName = "receiver.example:4318"
	receiverAddr = "192.0.2.7:4318"
)

func newMemory() *memory {
	return &memory{well: bufconn.Listen(64 << 10), sick: bufconn.Listen(64 << 10)}
}

func (m *memory) dialer() *endpoint.Dialer {
	return &endpoint.Dialer{Dial: m.connect, Lookup: func(context.Context, string) ([]string, error) {
		return []string{"192.0.2.7"}, nil
	}}
}

func (m *memory) connect(ctx context.Context, _, addr string) (net.Conn, error) {
	m.mu.Lock()
	m.dials = append(m.dials, addr)
	noNames := m.noNames
	m.mu.Unlock()
	if noNames && addr != receiverAddr {
		return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
	}
	var conn net.Conn
	var err error
	switch {
	case m.isSick.Load() && m.dial != nil:
		conn, err = m.dial(ctx)
	case m.isSick.Load():
		conn, err = m.sick.DialContext(ctx)
	default:
		conn, err = m.well.DialContext(ctx)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, conn)
	return addressed{conn}, nil
}

// cut ends all connections.
func (m *memory) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range m.conns {
		conn.Close()
	}
	m.conns = nil
}

type addressed struct{ net.Conn }

// RemoteAddr implements [net.Conn].
func (addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4318} }

// refused is a port where nobody listens.
func refused(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED }

// watched notes the tries of a sink.
type watched struct {
	*otlp.Sink

	mu    sync.Mutex
	tries []time.Time
}

// Export implements [export.Sink].
func (w *watched) Export(ctx context.Context, batch []export.Record) export.Verdict {
	w.mu.Lock()
	w.tries = append(w.tries, time.Now())
	w.mu.Unlock()
	return w.Sink.Export(ctx, batch)
}

func (w *watched) all() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.tries)
}

// delivery is an exporter at work on records, and what becomes of them.
type delivery struct {
	*export.Exporter

	sink    *watched
	settled chan struct{} // closed when all records are

	mu      sync.Mutex
	results map[export.Result]int64
}

func deliver(t *testing.T, sink *otlp.Sink) *delivery {
	d := &delivery{sink: &watched{Sink: sink}, settled: make(chan struct{}), results: map[export.Result]int64{}}
	d.Exporter = export.New(d.sink, export.Config{Endpoint: sink.Name(), Settled: func(result export.Result, n int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.results[result] += int64(n)
	}}).Start()
	t.Cleanup(func() {
		if err := d.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return d
}

// enqueue hands over the records from and up to the given ones.
func (d *delivery) enqueue(from, to int) {
	var left atomic.Int64
	left.Store(int64(to - from))
	settled := make(chan struct{})
	d.settled = settled
	for i := from; i < to; i++ {
		d.Enqueue(record(i), func(bool) {
			if left.Add(-1) == 0 {
				close(settled)
			}
		})
	}
}

func (d *delivery) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-d.settled:
	case <-timer.C:
		t.Fatalf("records are not settled after %s: %+v", limit, d.Status())
	}
}

// check counts what has arrived by its uid: everything, once, but what the
// receiver refused.
func (d *delivery) check(t *testing.T, got []otlptest.Record, lost int64) {
	t.Helper()
	times := map[any]int{}
	for _, r := range got {
		times[r.Attributes[export.LogRecordUIDKey]]++
	}
	if missing := sent - len(times); int64(missing) > lost {
		t.Errorf("records: %d of %d are missing, %d were refused", missing, sent, lost)
	}
	if len(got) != len(times) {
		t.Errorf("records: %d came twice", len(got)-len(times))
	}
	status := d.Status()
	if status.Delivered != sent-lost || status.Lost[export.Refused] != lost || status.Queued != 0 {
		t.Errorf("status: %+v, want %d lost", status, lost)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.results[export.Delivered] != sent-lost || d.results[export.Refused] != lost {
		t.Errorf("settled: %v, want %d lost", d.results, lost)
	}
	for result, n := range status.Lost {
		if result != export.Refused && n > 0 {
			t.Errorf("%d records are lost: %s", n, result)
		}
	}
}

// testBehaviour sends records to a receiver that misbehaves, then gets well.
func testBehaviour(t *testing.T, protocol string, b *behaviour, change func(*testing.T, *endpoint.Config, *otlptest.Config) (heal func())) {
	network := newMemory()
	network.dial = b.dial
	network.isSick.Store(b.serve != nil || b.dial != nil)
	start := time.Now()
	receiver := otlptest.Config{Listener: network.well, Judge: func(records []otlptest.Record) otlptest.Answer {
		if b.answer != nil && (b.always || time.Since(start) < sickFor) {
			return b.answer(records)
		}
		return otlptest.Answer{}
	}}
	cfg := endpoint.Config{Endpoint: "http://" + receiverName + "/v1/logs", Protocol: protocol, Dialer: network.dialer()}
	heal := func() {}
	if change != nil {
		heal = change(t, &cfg, &receiver)
	}
	r := listen(t, protocol, receiver)
	if b.serve != nil {
		b.serve(t, network.sick)
	}

	d := deliver(t, newSink(t, cfg))
	d.enqueue(0, sent)
	if !b.always {
		time.Sleep(sickFor - time.Nanosecond)
		checkSick(t, d, b)
		time.Sleep(time.Nanosecond)
		heal()
		network.isSick.Store(false)
		network.cut()
	}
	tries, well := len(d.sink.all()), time.Now()
	d.wait(t, time.Minute+15*time.Second)
	synctest.Wait()
	t.Logf("%s | %s | %d tries while sick | %d in all | %s until well again", protocol, b.name, tries, len(d.sink.all()), time.Since(well))
	d.check(t, r.Records(), b.lost)
	if ready, text := d.Ready(); !ready {
		t.Errorf("ready: got %q, but it is well again", text)
	}
}

// checkSick looks at the exporter while its receiver misbehaves.
func checkSick(t *testing.T, d *delivery, b *behaviour) {
	t.Helper()
	ready, text := d.Ready()
	if ready != (b.refuses == "") || !strings.Contains(text, b.refuses) {
		t.Errorf("ready: got %t %q, want %q", ready, text, b.refuses)
	}
	if b.refuses != "" && !strings.Contains(text, receiverName) {
		t.Errorf("ready: %q does not say which receiver", text)
	}
	if answer := d.Status().Answer; !strings.Contains(answer, b.says) {
		t.Errorf("answer: got %q, want %q", answer, b.says)
	}
	tries := d.sink.all()
	for i := 1; i < len(tries); i++ {
		gap := tries[i].Sub(tries[i-1])
		if b.wait > 0 && gap != b.wait || gap > time.Minute+endpoint.DefaultTimeout {
			t.Errorf("try %d came %s after the last, want %s", i+1, gap, max(b.wait, time.Minute))
		}
	}
}
