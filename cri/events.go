package cri

import (
	"context"
	"errors"
	"time"

	eventservice "github.com/containerd/containerd/api/services/events/v1"
	"github.com/containerd/containerd/api/types"
)

// imageTopics selects what is said about images: that one was created, updated or
// deleted (containerd v1.6 to v2.4 metadata/images.go).
const imageTopics = `namespace==` + namespace + `,topic~="^/images/"`

// ErrFlood is why events are not followed any further.
var ErrFlood = errors.New("the runtime sends more events of images than are read")

// Events beyond maxEvents in eventsIn end the stream. A pull makes about four; garbage
// collection of a full disk some hundred at once. Reading slowly instead would fill the
// memory of containerd, which queues for each subscriber without a bound
// (docker/go-events queue.go).
const (
	maxEvents = 2000
	eventsIn  = 10 * time.Second
)

// WatchImages calls changed for each change of an image, of which there are several in
// one pull, until ctx or the connection ends, or there are too many of them. Nothing is
// told of what was before, nor when the runtime has begun to listen: list a moment later.
func (c *Client) WatchImages(ctx context.Context, changed func()) error {
	var budget eventBudget
	var event types.Envelope
	flood := false
	err := stream(withNamespace(ctx), c, methodSubscribe, &eventservice.SubscribeRequest{Filters: []string{imageTopics}}, &event, func() bool {
		changed()
		flood = !budget.take(time.Now())
		return !flood
	})
	if flood {
		c.features.note(methodSubscribe.feature, ErrFlood)
		return ErrFlood
	}
	return err
}

// eventBudget counts events in a window of time.
type eventBudget struct {
	since time.Time
	n     int
}

// take counts one event. It reports whether there are not too many.
func (b *eventBudget) take(now time.Time) bool {
	if now.Sub(b.since) >= eventsIn {
		b.since, b.n = now, 0
	}
	b.n++
	return b.n <= maxEvents
}
