package cri

import (
	"context"

	eventservice "github.com/containerd/containerd/api/services/events/v1"
	"github.com/containerd/containerd/api/types"
)

// imageTopics selects what is said about images: that one was created, updated or
// deleted (containerd v1.6 to v2.4 metadata/images.go).
const imageTopics = `namespace==` + namespace + `,topic~="^/images/"`

// WatchImages calls changed for each change of an image, of which there are several in
// one pull, until ctx or the connection ends. Nothing is told of what was before, nor
// when the runtime has begun to listen: list a moment later.
func (c *Client) WatchImages(ctx context.Context, changed func()) error {
	return stream(withNamespace(ctx), c, methodSubscribe, &eventservice.SubscribeRequest{Filters: []string{imageTopics}},
		func(*types.Envelope) bool {
			changed()
			return true
		})
}
