package cri

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// method is a gRPC method of the runtime that changes nothing there.
//
// The generated clients are not used: whoever has one can pull and remove images
// with it. All that this package can call stands below, and TestOnlyReads looks
// into the program for anything else.
type method struct {
	name string
	// feature is what is missing without it.
	feature feature
}

// CRI v1 (kubernetes/cri-api v0.37.2, pkg/apis/runtime/v1/api.proto), and the
// services of containerd's API 1.x (containerd/containerd api v1.12.0, api/services).
var (
	methodVersion     = method{"/runtime.v1.RuntimeService/Version", featureVersion}
	methodSandboxes   = method{"/runtime.v1.RuntimeService/ListPodSandbox", featureSandboxes}
	methodContainers  = method{"/runtime.v1.RuntimeService/ListContainers", featureSandboxes}
	methodImages      = method{"/runtime.v1.ImageService/ListImages", featureImages}
	methodImageStatus = method{"/runtime.v1.ImageService/ImageStatus", featureImageStatus}
	methodImageFS     = method{"/runtime.v1.ImageService/ImageFsInfo", featureImageFS}
	methodSubscribe   = method{"/containerd.services.events.v1.Events/Subscribe", featureEvents}
	methodIngests     = method{"/containerd.services.content.v1.Content/ListStatuses", featureIngests}
	methodContentList = method{"/containerd.services.content.v1.Content/List", featureIngests}
	methodContentRead = method{"/containerd.services.content.v1.Content/Read", featureIngests}
	methodContentInfo = method{"/containerd.services.content.v1.Content/Info", featureIngests}
	methodServer      = method{"/containerd.services.introspection.v1.Introspection/Server", featureServer}
	methodPlugins     = method{"/containerd.services.introspection.v1.Introspection/Plugins", featureServer}
)

// call asks for one message.
func call[Response any, P interface {
	*Response
	proto.Message
}](ctx context.Context, c *Client, m method, request proto.Message,
) (P, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	response := P(new(Response))
	err := c.features.guard(m.feature, func() error {
		c.count(m)
		return c.conn.Invoke(ctx, m.name, request, response)
	})
	if err != nil {
		return nil, callError(m, err)
	}
	return response, nil
}

// stream asks for messages until they end, ctx ends or each says stop. A stream
// that ends by itself is no error.
func stream[Response any, P interface {
	*Response
	proto.Message
}](ctx context.Context, c *Client, m method, request proto.Message, each func(P) (more bool),
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // or the stream would leak
	err := c.features.guard(m.feature, func() error {
		c.count(m)
		s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.name)
		if err != nil {
			return err
		}
		// io.EOF means that the server has ended it already; RecvMsg tells why.
		if err := s.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		// A stream may say nothing for days, so it counts as answered once it is begun; a
		// refusal is noted when it ends.
		c.features.note(m.feature, nil)
		for {
			response := P(new(Response))
			if err := s.RecvMsg(response); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			if !each(response) {
				return nil
			}
		}
	})
	if err != nil {
		return callError(m, err)
	}
	return nil
}
