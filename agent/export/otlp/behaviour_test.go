package otlp_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/export/otlp/otlptest"
)

// headers makes a header of names and values in turn.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// status answers everything with it.
func status(code int, pairs ...string) func([]otlptest.Record) otlptest.Answer {
	return func([]otlptest.Record) otlptest.Answer {
		return otlptest.Answer{Status: code, Header: headers(pairs...)}
	}
}

// body answers everything with a page of a type.
func body(code int, kind, text string) func([]otlptest.Record) otlptest.Answer {
	return func([]otlptest.Record) otlptest.Answer {
		return otlptest.Answer{Status: code, Header: headers("Content-Type", kind), Body: text}
	}
}

// code answers everything with it.
func code(c codes.Code, message string, delay time.Duration) func([]otlptest.Record) otlptest.Answer {
	return func([]otlptest.Record) otlptest.Answer {
		return otlptest.Answer{Code: c, Message: message, RetryDelay: delay}
	}
}

// first gives the answer n times to more than a few records, then accepts.
func first(n int, answer func([]otlptest.Record) otlptest.Answer) func([]otlptest.Record) otlptest.Answer {
	return func(records []otlptest.Record) otlptest.Answer {
		if n == 0 || len(records) < 10 {
			return otlptest.Answer{}
		}
		n--
		return answer(records)
	}
}

// poisoned refuses a request with one certain record in it.
func poisoned(answer otlptest.Answer) func([]otlptest.Record) otlptest.Answer {
	return func(records []otlptest.Record) otlptest.Answer {
		for _, r := range records {
			if r.Attributes[export.LogRecordUIDKey] == record(42).UID {
				return answer
			}
		}
		return otlptest.Answer{}
	}
}

// above refuses requests of more than n records.
func above(n int, answer otlptest.Answer) func([]otlptest.Record) otlptest.Answer {
	return func(records []otlptest.Record) otlptest.Answer {
		if len(records) > n {
			return answer
		}
		return otlptest.Answer{}
	}
}

// partly refuses three records of one request.
func partly() func([]otlptest.Record) otlptest.Answer {
	told := false
	return func(records []otlptest.Record) otlptest.Answer {
		if told || len(records) < 3 {
			return otlptest.Answer{}
		}
		told = true
		return otlptest.Answer{Refused: 3, Message: "too old"}
	}
}

// inTwenty asks for a retry at the date 20 s from now.
func inTwenty([]otlptest.Record) otlptest.Answer {
	at := time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)
	return otlptest.Answer{Status: http.StatusTooManyRequests, Header: headers("Retry-After", at)}
}

const loginPage = "<html><title>Please log in</title>"

func behavioursHTTP() []behaviour {
	return []behaviour{
		{name: "200 empty", answer: status(200), always: true},
		{name: "204", answer: status(204), always: true},
		{name: "200 protobuf", answer: body(200, "application/x-protobuf", "\x0a\x00"), always: true},
		{name: "200 JSON", answer: body(200, "application/json", `{"partialSuccess":{}}`), always: true},
		{name: "200 partial success", answer: partly(), always: true, lost: 3},
		{name: "200 login page", serve: handler(page(200)), refuses: `the answer is "text/html": this is no OTLP receiver`, wait: time.Minute},
		{name: "302", answer: status(302, "Location", "https://login.example/"), refuses: "302 Found, redirects to https://login.example/", wait: time.Minute},
		{name: "400 three times", answer: first(3, status(400)), always: true},
		{name: "400 to plain HTTP", answer: body(400, "text/plain", "Client sent an HTTP request to an HTTPS server."), refuses: "HTTPS", wait: time.Minute},
		{name: "401", answer: status(401), refuses: "401 Unauthorized", wait: time.Minute},
		{name: "403", answer: body(403, "text/plain", "no such key"), refuses: "403 Forbidden: no such key", wait: time.Minute},
		{name: "404", answer: status(404), refuses: "404 Not Found", wait: time.Minute},
		{name: "405", answer: status(405), refuses: "405 Method Not Allowed", wait: time.Minute},
		{name: "408", answer: status(408), says: "408"},
		{name: "413 above 16", answer: above(16, otlptest.Answer{Status: 413}), always: true},
		{name: "422 poison", answer: poisoned(otlptest.Answer{Status: 422}), always: true, lost: 1},
		{name: "429", answer: status(429), says: "429"},
		{name: "429 in 7 s", answer: status(429, "Retry-After", "7"), says: "429", wait: 7 * time.Second},
		{name: "429 at a date", answer: inTwenty, says: "429", wait: 20 * time.Second},
		{name: "500", answer: status(500), says: "500"},
		{name: "502", answer: body(502, "text/html", "<html>nginx"), says: "502 Bad Gateway"},
		{name: "503", answer: status(503), says: "503"},
		{name: "503 in 7 s", answer: status(503, "Retry-After", "7"), says: "503", wait: 7 * time.Second},
		{name: "504", answer: status(504), says: "504"},
		{name: "refused", dial: refused, says: "connection refused"},
		{name: "name not known", dial: unknownName, says: "no such host"},
		{name: "connect hangs", dial: hangs, says: "deadline exceeded"},
		{name: "reset before the answer", answer: func([]otlptest.Record) otlptest.Answer { return otlptest.Answer{Close: true} }, says: "EOF"},
		{name: "reset in the answer", serve: handler(half), says: "unexpected EOF"},
		{name: "never answers", serve: silent, says: "exceeded"},
		{name: "answers after a minute", answer: slow, says: "exceeded"},
		{name: "200 at 1 byte/s", serve: handler(dripping(200)), says: "read answer"},
		{name: "401 at 1 byte/s", serve: handler(dripping(401)), refuses: "401 Unauthorized"},
		{name: "200 without end", serve: handler(endless("application/x-protobuf", "")), refuses: "this is no OTLP receiver", wait: time.Minute},
		{name: "page without end", serve: handler(endless("text/html", "")), refuses: `"text/html"`, wait: time.Minute},
		{name: "gzip bomb", serve: handler(endless("text/html", "gzip")), refuses: `"text/html"`, wait: time.Minute},
		{name: "header without end", serve: handler(longHeader), says: "header"},
		{name: "not HTTP", serve: talks("SSH-2.0-OpenSSH_9.9\r\n"), refuses: "no HTTP server answers on this port"},
	}
}

func behavioursGRPC() []behaviour {
	return []behaviour{
		{name: "OK", answer: code(codes.OK, "", 0), always: true},
		{name: "partial success", answer: partly(), always: true, lost: 3},
		{name: "Unauthenticated", answer: code(codes.Unauthenticated, "who", 0), refuses: "Unauthenticated: who", wait: time.Minute},
		{name: "PermissionDenied", answer: code(codes.PermissionDenied, "no", 0), refuses: "PermissionDenied: no", wait: time.Minute},
		{name: "Unimplemented", answer: code(codes.Unimplemented, "unknown service", 0), refuses: "Unimplemented: unknown service", wait: time.Minute},
		{name: "InvalidArgument poison", answer: poisoned(otlptest.Answer{Code: codes.InvalidArgument}), always: true, lost: 1},
		{name: "InvalidArgument three times", answer: first(3, code(codes.InvalidArgument, "", 0)), always: true},
		{name: "ResourceExhausted", answer: code(codes.ResourceExhausted, "busy", 0), says: "busy"},
		{name: "ResourceExhausted in 7 s", answer: code(codes.ResourceExhausted, "busy", 7*time.Second), says: "busy", wait: 7 * time.Second},
		{name: "Unavailable", answer: code(codes.Unavailable, "later", 0), says: "later"},
		{name: "Unavailable in 7 s", answer: code(codes.Unavailable, "later", 7*time.Second), says: "later", wait: 7 * time.Second},
		{name: "Internal", answer: code(codes.Internal, "oops", 0), says: "oops"},
		{name: "too large in Go", answer: above(16, otlptest.Answer{Code: codes.ResourceExhausted, Message: "grpc: received message larger than max (5000000 vs. 4194304)"}), always: true},
		{name: "too large in Go, compressed", answer: above(16, otlptest.Answer{Code: codes.ResourceExhausted, Message: "grpc: received message after decompression larger than max 4194304"}), always: true},
		{name: "too large in Java", answer: above(16, otlptest.Answer{Code: codes.ResourceExhausted, Message: "gRPC message exceeds maximum size 4194304: 5000000"}), always: true},
		{name: "too large in Rust", answer: above(16, otlptest.Answer{Code: codes.OutOfRange, Message: "Error, decoded message length too large: found 5000000 bytes, the limit is: 4194304 bytes"}), always: true},
		{name: "refused", dial: refused, says: "connection refused"},
		{name: "name not known", dial: unknownName, says: "no such host"},
		{name: "connect hangs", dial: hangs, says: "deadline exceeded"},
		{name: "reset at once", serve: talks(""), says: "Unavailable"},
		{name: "reset in the answer", serve: handlerH2C(grpcHalf), says: "stream terminated"},
		{name: "never answers", serve: silent, says: "Unavailable"},
		{name: "answers after a minute", answer: slow, says: "DeadlineExceeded"},
		{name: "answer without end", serve: handlerH2C(grpcEndless), refuses: "larger than max", wait: time.Minute},
		{name: "login page", serve: handlerH2C(page(200)), refuses: "200 (OK)", wait: time.Minute},
		{name: "302", serve: handlerH2C(page(302)), refuses: "302 (Found)", wait: time.Minute},
		{name: "401 of a proxy", serve: handlerH2C(page(401)), refuses: "401", wait: time.Minute},
		{name: "405 of a proxy", serve: handlerH2C(page(405)), refuses: "405", wait: time.Minute},
		{name: "503 of a proxy", serve: handlerH2C(page(503)), says: "503"},
		{name: "HTTP/1 only", serve: handler(page(200)), refuses: "set protocol http/protobuf"},
	}
}

// TestReceiverBehaviours: whatever a receiver does, it has all the records in the
// end, but those that it refused, which are counted.
func TestReceiverBehaviours(t *testing.T) {
	tables := map[string][]behaviour{endpoint.ProtocolHTTP: behavioursHTTP(), endpoint.ProtocolGRPC: behavioursGRPC()}
	for protocol, table := range tables {
		for i := range table {
			t.Run(protocol+" "+table[i].name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testBehaviour(t, protocol, &table[i], nil) })
			})
		}
	}
}

// TestWrongAuthority: an authority that is put right in its file is taken up
// without a restart, and until then nothing goes to whom we do not know.
func TestWrongAuthority(t *testing.T) {
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				right, wrong := newAuthority(t), newAuthority(t)
				testBehaviour(t, protocol, &behaviour{name: "TLS of a wrong CA", says: "unknown authority"},
					func(t *testing.T, cfg *endpoint.Config, receiver *otlptest.Config) func() {
						cfg.Endpoint = "https://127.0.0.1:4318/v1/logs"
						cfg.TLS.CAFile = wrong.path("ca.crt")
						receiver.TLS = right.serverConfig()
						receiver.TLS.ClientAuth = 0
						return func() { replace(t, right.path("ca.crt"), cfg.TLS.CAFile) }
					})
			})
		})
	}
}

// TestDNSFailsAfterFirstSuccess: the name resolves no more and the connection is
// gone, so the receiver is reached at the address that worked.
func TestDNSFailsAfterFirstSuccess(t *testing.T) {
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testDNSFails(t, protocol) })
		})
	}
}

func testDNSFails(t *testing.T, protocol string) {
	network := newMemory()
	dialer := network.dialer()
	dialer.Lookup = endlessLookup
	r := listen(t, protocol, otlptest.Config{Listener: network.well})
	d := deliver(t, newSink(t, endpoint.Config{Endpoint: "http://" + receiverName + "/v1/logs", Protocol: protocol, Dialer: dialer}))
	d.enqueue(0, 1)
	d.wait(t, time.Second)

	network.mu.Lock()
	network.noNames = true
	network.mu.Unlock()
	network.cut()
	start := time.Now()
	d.enqueue(1, sent)
	d.wait(t, 5*time.Second)
	synctest.Wait()
	t.Logf("%s | DNS fails | %d tries | %s until all are there", protocol, len(d.sink.all()), time.Since(start))
	d.check(t, r.Records(), 0)
	if last := network.dials[len(network.dials)-1]; last != receiverAddr {
		t.Errorf("dialled %s, want %s", last, receiverAddr)
	}
}

// TestEveryRecordIsPoison: a receiver that calls everything bad gets rid of all
// records, each of them counted.
func TestEveryRecordIsPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		testBehaviour(t, endpoint.ProtocolHTTP, &behaviour{name: "400 to everything", answer: status(400), always: true, lost: sent}, nil)
	})
}

// TestDeadConnection: the peer is gone without a word, as when its node loses
// power. The next connection would work, so the dead one must not be kept for as
// long as TCP tries.
func TestDeadConnection(t *testing.T) {
	for _, protocol := range []string{endpoint.ProtocolHTTP, endpoint.ProtocolGRPC} {
		for _, scheme := range []string{"http", "https"} { // HTTP/2 over TLS keeps a connection whose request has failed
			t.Run(protocol+" "+scheme, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testDeadConnection(t, protocol, scheme) })
			})
		}
	}
}

func testDeadConnection(t *testing.T, protocol, scheme string) {
	network := newMemory()
	cfg := endpoint.Config{Endpoint: scheme + "://127.0.0.1:4318/v1/logs", Protocol: protocol, Dialer: network.dialer()}
	receiver := otlptest.Config{Listener: network.well}
	if scheme == "https" {
		a := newAuthority(t)
		receiver.TLS, cfg.TLS.CAFile = a.serverConfig(), a.path("ca.crt")
		receiver.TLS.ClientAuth = 0
	}
	var hole *blackHole
	dial := cfg.Dialer.Dial
	cfg.Dialer.Dial = dialInto(dial, func(conn net.Conn) net.Conn {
		hole = newBlackHole(conn)
		return hole
	})
	r := listen(t, protocol, receiver)
	d := deliver(t, newSink(t, cfg))
	d.enqueue(0, 1)
	d.wait(t, time.Second)

	hole.fall()
	start := time.Now()
	d.enqueue(1, sent)
	d.wait(t, time.Minute)
	synctest.Wait()
	t.Logf("%s | dead connection over %s | %d tries | %s until all are there", protocol, scheme, len(d.sink.all()), time.Since(start))
	d.check(t, r.Records(), 0)
	if ready, text := d.Ready(); !ready || strings.Contains(text, "refuses") {
		t.Errorf("ready: got %q", text)
	}
}
