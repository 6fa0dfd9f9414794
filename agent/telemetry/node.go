package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// Node is what is on the node. Sizes are in bytes; what is not known is 0, and not shown.
type Node struct {
	Images int // less than 0 if not known
	Bytes  uint64
	// The image filesystem.
	FilesystemSize, FilesystemAvailable, InodesFree uint64
	// Stalled is how many pulls in flight make no progress.
	Stalled int
}

// ObserveNode registers what is read of the node when somebody asks for the numbers. It
// is called once.
func (m *Metrics) ObserveNode(read func() Node) error {
	var errs []error
	var all []metric.Observable
	gauge := func(name, help string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithDescription(help))
		errs, all = append(errs, err), append(all, g)
		return g
	}
	stalled := gauge("pullcause_pulls_stalled", "Pulls under way that make no progress.")
	images := gauge("pullcause_image_cache_images", "Images on the node.")
	bytes := gauge("pullcause_image_cache_bytes", "Their size as the runtime tells it; what several share counts in each.")
	size := gauge("pullcause_imagefs_size_bytes", "Size of the filesystem that images are kept on.")
	available := gauge("pullcause_imagefs_available_bytes", "How much of it is available.")
	inodes := gauge("pullcause_imagefs_inodes_free", "How many of its inodes are free.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n := read()
		o.ObserveInt64(stalled, int64(n.Stalled))
		if n.Images >= 0 {
			o.ObserveInt64(images, int64(n.Images))
			o.ObserveInt64(bytes, int64(n.Bytes))
		}
		if n.FilesystemSize > 0 {
			o.ObserveInt64(size, int64(n.FilesystemSize))
			o.ObserveInt64(available, int64(n.FilesystemAvailable))
			o.ObserveInt64(inodes, int64(n.InodesFree))
		}
		return nil
	}, all...)
	return err
}
