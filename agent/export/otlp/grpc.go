package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
)

type grpcSender struct{ conn *grpc.ClientConn }

func newGRPCSender(e *endpoint.Endpoint) (*grpcSender, error) {
	conn, err := e.Conn()
	if err != nil {
		return nil, err
	}
	return &grpcSender{conn: conn}, nil
}

func (s *grpcSender) close() error { return s.conn.Close() }

func (s *grpcSender) send(ctx context.Context, request []byte) export.Verdict {
	var answer collogpb.ExportLogsServiceResponse
	request = bytes.Clone(request) // the connection may read it after Invoke has returned
	err := s.conn.Invoke(ctx, collogpb.LogsService_Export_FullMethodName, request, &answer, grpc.ForceCodecV2(codec{}))
	if m, ok := errors.AsType[*endpoint.MismatchError](err); ok {
		return export.Verdict{Outcome: export.Misconfigured, Text: m.Error()}
	}
	reply := status.Convert(err)
	if reply.Code() == codes.OK {
		return acknowledged(&answer, "OK")
	}
	v := export.Verdict{Outcome: outcomeOfCode(reply), Text: reply.Code().String() + ": " + reply.Message()}
	if v.Outcome == export.Retry {
		v.After = retryInfo(reply)
	}
	return v
}

func outcomeOfCode(s *status.Status) export.Outcome {
	if httpStatus, ok := foreignStatus(s); ok {
		return outcomeOfForeign(httpStatus)
	}
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.NotFound:
		return export.Misconfigured
	case codes.InvalidArgument, codes.FailedPrecondition, codes.AlreadyExists:
		return export.Rejected
	case codes.ResourceExhausted, codes.OutOfRange:
		switch {
		case strings.Contains(s.Message(), strconv.Itoa(endpoint.MaxAnswer)):
			return export.Misconfigured // it is the answer that is too large
		case tooLarge(s.Message()):
			return export.Rejected
		}
	}
	return export.Retry
}

// tooLarge tells a message that will never fit from a receiver that is busy:
// the code is the same. The words are those of gRPC in Go and C++, Java and Rust.
func tooLarge(message string) bool {
	for _, words := range []string{"larger than max", "exceeds maximum size", "message length too large"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// foreignStatus is the HTTP status of an answer that is not gRPC at all, such as
// a login page, which grpc-go v1.85.0 http2_client.go tells in words only.
func foreignStatus(s *status.Status) (int, bool) {
	_, rest, found := strings.Cut(s.Message(), "unexpected HTTP status code received from server: ")
	number, _, _ := strings.Cut(rest, " ")
	httpStatus, err := strconv.Atoi(number)
	return httpStatus, found && err == nil
}

// outcomeOfForeign is about somebody in front of the receiver, who looks at the
// length of a request and no further.
func outcomeOfForeign(httpStatus int) export.Outcome {
	if httpStatus == http.StatusRequestEntityTooLarge {
		return export.Rejected
	}
	if outcome := outcomeOf(httpStatus); outcome == export.Retry {
		return outcome
	}
	return export.Misconfigured
}

// retryInfo is how long the receiver asks to wait, 0 if it does not say.
func retryInfo(s *status.Status) time.Duration {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(info.GetRetryDelay().AsDuration(), 0)
		}
	}
	return 0
}

// codec sends requests that are encoded already, and decodes answers.
type codec struct{}

// Name is that of the codec it stands for, so that the content type is the usual one.
func (codec) Name() string { return "proto" }

// Marshal takes the bytes as they are.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("encode request: got %T, want bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal decodes a message.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("decode answer: got %T, want a message", v)
	}
	return proto.Unmarshal(data.Materialize(), m)
}
