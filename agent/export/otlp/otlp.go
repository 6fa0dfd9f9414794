// Package otlp is the wire: it sends records as OTLP logs over HTTP or gRPC and
// turns the receiver's answer into a verdict. Start at [New].
//
// The protobuf message is written here (encode.go) instead of by the
// OpenTelemetry logs SDK: compressed, over loopback, in batches of 256, the SDK
// v1.47.0 was measured at 27 µs and 112 allocations a record, this at 10 µs and
// 3. A storm of failed pulls is when the node has no CPU time to spare. What is
// sent is the same: a test holds one against the other. The answer is judged
// here too (http.go, grpc.go), since the SDK's exporter takes a login page for
// an acknowledgement and hides the status.
package otlp

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
	"pullcause/agent/redact"
)

// scope is the name of the instrumentation scope.
const scope = "pullcause"

// Config says where records go and as what.
type Config struct {
	Endpoint endpoint.Config
	// Resource describes the node, as far as it is known when it is called: before each
	// request. No record may carry one of its keys. nil is a resource without any.
	Resource func() []attribute.KeyValue
	// Version is the program's, sent as that of the scope.
	Version string
}

// Sink sends records to one receiver. It implements [export.Sink]; one
// goroutine may use it at a time.
type Sink struct {
	endpoint *endpoint.Endpoint
	encoder  *encoder
	sender   sender
}

// sender takes an encoded request to the receiver and judges the answer.
type sender interface {
	// send does not use request after it has returned.
	send(ctx context.Context, request []byte) export.Verdict
	close() error
}

// New returns a sink. It reads the files that cfg names, and connects to
// nothing yet.
func New(cfg Config) (*Sink, error) {
	e, err := endpoint.New(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("otlp logs: %w", err)
	}
	if cfg.Resource == nil {
		cfg.Resource = func() []attribute.KeyValue { return nil }
	}
	s := &Sink{endpoint: e, encoder: newEncoder(cfg.Resource, scope, cfg.Version)}
	if e.Protocol() == endpoint.ProtocolHTTP {
		s.sender = newHTTPSender(e)
		return s, nil
	}
	if s.sender, err = newGRPCSender(e); err != nil {
		return nil, fmt.Errorf("otlp logs: %w", err)
	}
	return s, nil
}

// Name is the receiver's address without credentials.
func (s *Sink) Name() string { return s.endpoint.Name() }

// Export implements [export.Sink].
func (s *Sink) Export(ctx context.Context, batch []export.Record) export.Verdict {
	v := s.sender.send(ctx, s.encoder.request(batch))
	v.Text = bounded(redact.Text(s.endpoint.Hide(v.Text)))
	return v
}

// Close releases the connection. The sink must not be used afterwards.
func (s *Sink) Close() error { return s.sender.close() }

// acknowledged is the verdict on an answer that says OK.
func acknowledged(answer *collogpb.ExportLogsServiceResponse, text string) export.Verdict {
	v := export.Verdict{Outcome: export.Acknowledged, Text: text}
	partial := answer.GetPartialSuccess()
	if n := partial.GetRejectedLogRecords(); n > 0 {
		v.Refused = int(min(n, 1<<30))
	}
	if m := partial.GetErrorMessage(); m != "" {
		v.Text += ": " + m
	}
	return v
}

// maxAnswer bounds the text of a verdict, in bytes.
const maxAnswer = 512

// bounded makes an answer, which may be a whole page, one short line.
func bounded(s string) string {
	if len(s) > 4*maxAnswer {
		s = s[:4*maxAnswer]
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > maxAnswer {
		s = strings.ToValidUTF8(s[:maxAnswer], "") + "…"
	}
	return s
}
