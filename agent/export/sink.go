package export

import (
	"context"
	"time"
)

// Sink takes batches to a receiver. Its methods are called by one goroutine.
type Sink interface {
	// Export sends a batch once and tells what the receiver made of it. It must
	// return soon after ctx ends, and must not keep the batch.
	Export(ctx context.Context, batch []Record) Verdict
}

// Outcome is what follows from a receiver's answer.
type Outcome string

// The outcomes.
const (
	// Acknowledged: the receiver has taken the batch.
	Acknowledged Outcome = "acknowledged"
	// Retry: it could not be reached or is not able to answer now.
	Retry Outcome = "retry"
	// Misconfigured: it will refuse every batch until somebody changes something
	// (address, token, a login page in between). Nothing is dropped for it.
	Misconfigured Outcome = "misconfigured"
	// Rejected: it will never take this batch because of what is in it.
	Rejected Outcome = "rejected"
)

// Verdict is a receiver's answer to one batch.
type Verdict struct {
	Outcome Outcome
	// After is how long the receiver asks to wait before a retry; 0 if it does
	// not say.
	After time.Duration
	// Refused is how many records of an acknowledged batch it did not take.
	Refused int
	// Text is the answer in words, free of credentials.
	Text string
}

// Result is what has become of a record in the end.
type Result string

// The results; all but [Delivered] are losses.
const (
	Delivered Result = "delivered"
	// Refused: the receiver rejected it.
	Refused Result = "rejected"
	// QueueFull: newer records pushed it out while the receiver was away.
	QueueFull Result = "queue_full"
	// ShutDown: the agent stopped before the receiver took it.
	ShutDown Result = "shutdown"
	// SpoolFull: newer records pushed it out of the store while the receiver was away.
	SpoolFull Result = "spool_full"
	// SpoolCorrupt and SpoolUnreadable: the disk gave back something else, or nothing.
	SpoolCorrupt    Result = "spool_corrupt"
	SpoolUnreadable Result = "spool_unreadable"
)

// Results lists all of them.
func Results() []Result {
	return []Result{Delivered, Refused, QueueFull, ShutDown, SpoolFull, SpoolCorrupt, SpoolUnreadable}
}
