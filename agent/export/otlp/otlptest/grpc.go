package otlptest

import (
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // accept what an exporter compresses
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const protocolGRPC = "grpc"

// ListenGRPC starts a receiver of OTLP over gRPC. The caller closes it.
func ListenGRPC(cfg Config) (*Receiver, error) {
	r, err := listen(cfg, protocolGRPC)
	if err != nil {
		return nil, err
	}
	var opts []grpc.ServerOption
	if cfg.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	server := grpc.NewServer(opts...)
	collogpb.RegisterLogsServiceServer(server, &logsService{receiver: r})
	r.stop = func() error { server.Stop(); return nil }
	r.served.Go(func() {
		if err := server.Serve(r.listener); err != nil {
			r.trouble(err)
		}
	})
	return r, nil
}

type logsService struct {
	collogpb.UnimplementedLogsServiceServer

	receiver *Receiver
}

// Export implements the service.
func (s *logsService) Export(ctx context.Context, msg *collogpb.ExportLogsServiceRequest) (*collogpb.ExportLogsServiceResponse, error) {
	records, problem := decode(msg, time.Now())
	seen := Request{Header: headerOf(ctx), Records: len(records)}
	a := s.receiver.next(records)
	sleep(ctx, a.Delay)

	reply, err := &collogpb.ExportLogsServiceResponse{}, error(nil)
	switch {
	case problem != nil:
		err = status.Error(codes.InvalidArgument, problem.Error())
	case ctx.Err() != nil: // the client has given up
		err = status.FromContextError(ctx.Err()).Err()
	case a.Close:
		err = status.Error(codes.Unavailable, "closed")
	case a.Code != codes.OK:
		err = failure(a)
	case a.Refused > 0:
		reply = partial(a)
	}
	seen.Answer = int(status.Code(err))
	if err != nil {
		records, reply = nil, nil
	}
	s.receiver.remember(seen, records, problem)
	return reply, err
}

func failure(a Answer) error {
	s := status.New(a.Code, a.Message)
	if a.RetryDelay <= 0 {
		return s.Err()
	}
	with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(a.RetryDelay)})
	if err != nil {
		return fmt.Errorf("script answer: %w", err)
	}
	return with.Err()
}

func headerOf(ctx context.Context) http.Header {
	md, _ := metadata.FromIncomingContext(ctx)
	header := http.Header{}
	for name, values := range md {
		header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	return header
}
