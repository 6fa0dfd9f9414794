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
	// most bounds one message of the answer, in bytes.
	most int
}

// CRI v1 (kubernetes/cri-api v0.37.2, pkg/apis/runtime/v1/api.proto), and the
// services of containerd's API 1.x (containerd/containerd api v1.12.0, api/services).
var (
	methodVersion     = method{"/runtime.v1.RuntimeService/Version", featureVersion, maxAnswer}
	methodSandboxes   = method{"/runtime.v1.RuntimeService/ListPodSandbox", featureSandboxes, maxList}
	methodContainers  = method{"/runtime.v1.RuntimeService/ListContainers", featureSandboxes, maxList}
	methodImages      = method{"/runtime.v1.ImageService/ListImages", featureImages, maxList}
	methodImageStatus = method{"/runtime.v1.ImageService/ImageStatus", featureImageStatus, maxAnswer}
	methodImageFS     = method{"/runtime.v1.ImageService/ImageFsInfo", featureImageFS, maxAnswer}
	methodSubscribe   = method{"/containerd.services.events.v1.Events/Subscribe", featureEvents, maxEvent}
	methodIngests     = method{"/containerd.services.content.v1.Content/ListStatuses", featureIngests, maxList}
	methodContentList = method{"/containerd.services.content.v1.Content/List", featureIngests, maxChunk}
	methodContentRead = method{"/containerd.services.content.v1.Content/Read", featureIngests, maxChunk}
	methodSnapshot    = method{"/containerd.services.snapshots.v1.Snapshots/Stat", featureSnapshots, maxAnswer}
	methodServer      = method{"/containerd.services.introspection.v1.Introspection/Server", featureServer, maxAnswer}
	methodPlugins     = method{"/containerd.services.introspection.v1.Introspection/Plugins", featureServer, maxChunk}
)

// invoke makes a call whose answer is one message.
func (c *Client) invoke(ctx context.Context, m method, request proto.Message, response any, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	err := c.features.guard(m.feature, func() error {
		c.count(m)
		return c.conn.Invoke(ctx, m.name, request, response, append(options, grpc.MaxCallRecvMsgSize(m.most))...)
	})
	if err != nil {
		return callError(m, err)
	}
	return nil
}

// call asks for one message.
func call[Response any, P interface {
	*Response
	proto.Message
}](ctx context.Context, c *Client, m method, request proto.Message,
) (P, error) {
	response := P(new(Response))
	if err := c.invoke(ctx, m, request, response); err != nil {
		return nil, err
	}
	return response, nil
}

// list asks for a list and hands over its elements one after the other, at most so many.
// An element is only valid until each returns. cut is how many were left out.
func list[Element any, P interface {
	*Element
	proto.Message
}](ctx context.Context, c *Client, m method, request proto.Message, most int, each func(P),
) (cut int, err error) {
	into := elementsOf(most, each)
	err = c.invoke(ctx, m, request, into, grpc.ForceCodecV2(listCodec()))
	return into.cut, err
}

// stream asks for messages until they end, ctx ends or each says stop. A stream that
// ends by itself is no error. Each message is decoded into the same response.
func stream(ctx context.Context, c *Client, m method, request proto.Message, response any, each func() (more bool), options ...grpc.CallOption) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // or the stream would leak
	err := c.features.guard(m.feature, func() error {
		c.count(m)
		s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.name, append(options, grpc.MaxCallRecvMsgSize(m.most))...)
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
			if err := s.RecvMsg(response); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			if !each() {
				return nil
			}
		}
	})
	if err != nil {
		return callError(m, err)
	}
	return nil
}
